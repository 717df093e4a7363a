import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { globSync, readdirSync, readFileSync } from 'node:fs';
import { copyFile, mkdir, mkdtemp, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { factsOf } from '../../../scripts/measure/source-facts.ts';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));

interface Row {
  /** Where the import is written. */
  readonly file: string;
  readonly allowed: readonly string[];
  readonly forbidden: readonly string[];
}

/** For every folder some imports that its rule is about; docs/adr/0001 has the whole list. */
const ROWS: readonly Row[] = [
  {
    file: 'src/base/planted.ts',
    allowed: ['./clock.ts'],
    forbidden: ['../oci/digest.ts', 'node:fs', 'node:crypto', 'undici'],
  },
  {
    file: 'src/trust/planted.ts',
    allowed: ['../base/clock.ts', './keys.ts', './dialect/notary-v1.ts', 'node:crypto'],
    forbidden: ['../oci/digest.ts', '../store/errors.ts', 'node:fs', 'node:fs/promises', 'zod'],
  },
  {
    file: 'src/trust/dialect/planted.ts',
    allowed: ['../keys.ts', '../../base/clock.ts'],
    forbidden: ['../../oci/digest.ts', '../../upstream/http-client.ts', 'node:http'],
  },
  {
    file: 'src/oci/planted.ts',
    allowed: ['../base/clock.ts', 'node:crypto'],
    forbidden: ['../trust/keys.ts', 'node:fs', 'node:http'],
  },
  {
    file: 'src/policy/planted.ts',
    allowed: ['../oci/names.ts', '../base/clock.ts'],
    forbidden: ['../config/load.ts', '../trust/keys.ts', 'node:crypto'],
  },
  {
    file: 'src/config/planted.ts',
    allowed: ['../policy/policy.ts', 'zod', 'node:fs/promises'],
    forbidden: ['../trust/keys.ts', '../store/errors.ts', 'yaml', 'node:http'],
  },
  { file: 'src/config/yaml-document.ts', allowed: ['yaml'], forbidden: ['undici'] },
  {
    file: 'src/metadata/planted.ts',
    allowed: ['../trust/keys.ts', '../base/clock.ts'],
    forbidden: ['../oci/names.ts', '../upstream/http-client.ts', '../store/errors.ts', 'node:fs'],
  },
  {
    file: 'src/signing/planted.ts',
    allowed: ['../trust/keys.ts', '../oci/digest.ts', 'node:crypto'],
    forbidden: ['../store/errors.ts', '../metadata/ports.ts', 'node:fs', 'undici'],
  },
  {
    file: 'src/resolve/planted.ts',
    allowed: ['../metadata/ports.ts', '../policy/policy.ts', '../trust/errors.ts', 'node:stream'],
    forbidden: ['../trust/keys.ts', '../store/errors.ts', '../server/relay.ts', 'node:fs'],
  },
  {
    file: 'src/refusal/planted.ts',
    allowed: ['../resolve/pull-service.ts', 'lru-cache'],
    forbidden: ['../server/relay.ts', '../trust/keys.ts', 'node:http'],
  },
  {
    file: 'src/upstream/planted.ts',
    allowed: ['../resolve/ports.ts', '../trust/errors.ts', 'undici'],
    forbidden: [
      '../store/errors.ts',
      '../resolve/verified-pulls.ts',
      '../trust/keys.ts',
      'node:fs',
      'node:child_process',
    ],
  },
  {
    file: 'src/upstream/credential-helper.ts',
    allowed: ['node:child_process'],
    forbidden: ['node:fs'],
  },
  {
    file: 'src/store/planted.ts',
    allowed: ['../metadata/ports.ts', 'node:sqlite', 'node:fs/promises'],
    forbidden: ['../upstream/http-client.ts', '../trust/keys.ts', 'undici', 'node:http'],
  },
  {
    file: 'src/auth/planted.ts',
    allowed: ['../base/clock.ts', '../oci/names.ts', 'jose', 'lru-cache'],
    forbidden: ['../server/relay.ts', '../config/load.ts', 'bcryptjs', 'undici', 'node:fs'],
  },
  { file: 'src/auth/bcrypt-worker.ts', allowed: ['bcryptjs'], forbidden: ['jose', './gate.ts'] },
  {
    file: 'src/observe/planted.ts',
    allowed: ['../base/clock.ts'],
    forbidden: ['prom-client', 'pino', '../server/relay.ts', 'node:fs'],
  },
  { file: 'src/observe/metrics.ts', allowed: ['prom-client'], forbidden: ['pino'] },
  { file: 'src/observe/log.ts', allowed: ['pino'], forbidden: ['prom-client'] },
  {
    file: 'src/server/planted.ts',
    allowed: ['../resolve/pull-service.ts', '../refusal/decoy.ts', 'node:http'],
    forbidden: [
      '../store/errors.ts',
      '../trust/keys.ts',
      '../config/load.ts',
      'http-proxy-3',
      'undici',
    ],
  },
  { file: 'src/server/relay.ts', allowed: ['http-proxy-3'], forbidden: ['undici', 'node:fs'] },
  {
    file: 'src/front/planted.ts',
    allowed: ['../server/http-host.ts', '../resolve/blob-stored.ts', 'node:http', 'lru-cache'],
    forbidden: [
      '../app/app.ts',
      '../metadata/collection.ts',
      '../config/config.ts',
      '../upstream/http-client.ts',
      'node:child_process',
      'node:cluster',
      'prom-client',
    ],
  },
  { file: 'src/front/front-process.ts', allowed: ['node:child_process'], forbidden: ['undici'] },
  {
    file: 'src/app/planted.ts',
    allowed: ['../store/errors.ts', '../server/relay.ts', '../config/config.ts'],
    forbidden: ['../cli/program.ts', 'undici', 'prom-client'],
  },
  {
    file: 'src/cli/planted.ts',
    allowed: ['../app/app.ts', '../config/load.ts', 'commander'],
    forbidden: [
      '../store/errors.ts',
      '../trust/keys.ts',
      '../server/relay.ts',
      'undici',
      'zod',
      'node:child_process',
    ],
  },
  {
    file: 'src/cli/front-main.ts',
    allowed: ['../front/front-program.ts'],
    forbidden: ['../app/app.ts', 'commander'],
  },
  { file: 'src/cli/doctor-program.ts', allowed: ['node:child_process'], forbidden: ['undici'] },
];

test('every folder of src has rows', () => {
  const folders = readdirSync(join(ROOT, 'src'));
  const covered = new Set(ROWS.map(({ file }) => file.split('/')[1] ?? ''));
  assert.deepEqual([...covered].sort(), folders.sort());
});

test('the linter tells allowed imports from forbidden ones', async (t) => {
  const folder = await realpath(await mkdtemp(join(tmpdir(), 'pinnace-test-')));
  t.after(async () => await rm(folder, { recursive: true, force: true }));
  await copyFile(join(ROOT, 'biome.json'), join(folder, 'biome.json'));
  for (const { file, allowed, forbidden } of ROWS) {
    await mkdir(join(folder, dirname(file)), { recursive: true });
    const lines = [...allowed, ...forbidden].map((specifier) => `import '${specifier}';\n`);
    await writeFile(join(folder, file), lines.join(''));
  }
  const found = lint(folder);
  for (const { file, allowed, forbidden } of ROWS) {
    const expected = forbidden.map((_, index) => `${file}:${allowed.length + index + 1}`);
    const reported = found.filter((place) => place.startsWith(`${file}:`));
    assert.deepEqual(reported.sort(), expected.sort(), file);
  }
});

/** `file:line` of every import that the linter refuses. */
function lint(folder: string): readonly string[] {
  const run = spawnSync(
    process.execPath,
    [
      join(ROOT, 'node_modules/@biomejs/biome/bin/biome'),
      ...['lint', '--only=style/noRestrictedImports', '--max-diagnostics=500'],
      ...['--reporter=github', '.'],
    ],
    { cwd: folder, encoding: 'utf8' },
  );
  return [...run.stdout.matchAll(/^::error .*?file=([^,]+),line=(\d+)/gm)].map(
    ([, file = '', line = '']) => `${relative(folder, file).replaceAll('\\', '/')}:${line}`,
  );
}

/** Folders that join others to the world: from the inner ones they take types and error classes only. */
const OUTER = ['cli', 'refusal', 'server', 'store', 'upstream'] as const;
const INNER = /^\.\.\/(?:metadata|resolve|trust)\/(?!errors\.ts$)/;

for (const folder of OUTER) {
  test(`${folder} takes nothing but types and errors from metadata, resolve and trust`, () => {
    const values = globSync(`src/${folder}/**/*.ts`, { cwd: ROOT }).flatMap((path) =>
      factsOf(path, readFileSync(join(ROOT, path), 'utf8'))
        .imports.filter(({ specifier, isTypeOnly }) => INNER.test(specifier) && !isTypeOnly)
        .map(({ specifier }) => `${path}: ${specifier}`),
    );
    assert.deepEqual(values, []);
  });
}

/** Things of the process that have one home each. */
const HOMES: readonly { readonly what: string; readonly use: RegExp; readonly home: RegExp }[] = [
  {
    what: 'the system clock',
    use: /\bDate\.now\b|\bnew Date\(\)|\bperformance\.now\b/,
    home: /^src\/base\/clock\.ts$/,
  },
  {
    what: 'timers of the process',
    use: /(?<![.#\w])set(?:Timeout|Interval)\(/,
    home: /^src\/(?:base\/clock|cli\/\w+)\.ts$/,
  },
  { what: 'the environment', use: /\bprocess\.env\b/, home: /^src\/config\/env\.ts$/ },
  {
    what: 'standard streams, arguments and exit codes',
    use: /\bprocess\.(?:stdin|stdout|stderr|argv|exit|exitCode)\b/,
    home: /^src\/cli\//,
  },
];

for (const { what, use, home } of HOMES) {
  test(`one home: ${what}`, () => {
    const strangers = globSync('src/**/*.ts', { cwd: ROOT })
      .map((path) => path.replaceAll('\\', '/'))
      .filter((path) => !home.test(path) && use.test(withoutComments(path)));
    assert.deepEqual(strangers, []);
  });
}

function withoutComments(path: string): string {
  const text = readFileSync(join(ROOT, path), 'utf8');
  return text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/(?<!:)\/\/.*$/gm, '');
}
