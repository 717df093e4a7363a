import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { chmod, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { runCommandLine } from '../../../src/cli/program.ts';

const MAIN = fileURLToPath(new URL('../../../src/cli/main.ts', import.meta.url));
const FAKE = fileURLToPath(new URL('../../support/fake-docker.ts', import.meta.url));
/** Answers at once what needs no program: most questions are about images that are not there. */
const WRAPPER = `#!/bin/sh
if [ "$1" = info ]; then echo '{"ServerVersion":"20.10.24"}'; exit; fi
if [ "$1 $2" = "image inspect" ]; then
  for file in "$FAKE_DOCKER"/image-*; do
    if [ ! -e "$file" ]; then echo "Error: No such image: $3" >&2; exit 1; fi
  done
fi
exec ${process.execPath} ${FAKE} "$@"
`;
const OTHER = 'docker.io/library/app:1';

interface Printed {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** A host whose only engine is the stand-in for docker. */
class Host implements AsyncDisposable {
  readonly folder: string;

  private constructor(folder: string) {
    this.folder = folder;
  }

  static async create(): Promise<Host> {
    const host = new Host(await mkdtemp(join(tmpdir(), 'pinnace-doctor-')));
    const program = join(host.folder, 'docker');
    await writeFile(program, WRAPPER);
    await chmod(program, 0o755);
    return host;
  }

  environment(mode: string): Record<string, string> {
    return { PATH: `${this.folder}`, FAKE_DOCKER: this.folder, FAKE_MODE: mode };
  }

  async doctor(mode: string, ...words: readonly string[]): Promise<Printed> {
    const printed = { stdout: '', stderr: '' };
    const sink = (name: 'stdout' | 'stderr') => ({
      write: (text: string): unknown => {
        printed[name] += text;
        return true;
      },
    });
    const env = this.environment(mode);
    const io = { stdout: sink('stdout'), stderr: sink('stderr'), env };
    const code = await runCommandLine(['doctor', ...words], io);
    return { code, ...printed };
  }

  start(mode: string, ...words: readonly string[]): ChildProcess {
    return spawn(process.execPath, [MAIN, 'doctor', ...words], {
      env: this.environment(mode),
      stdio: ['ignore', 'pipe', 'inherit'],
    });
  }

  /** What was asked of the engine: `pull`, `image rm`, … */
  calls(what: string): readonly string[] {
    const file = join(this.folder, 'calls');
    const text = existsSync(file) ? readFileSync(file, 'utf8') : '';
    return text.split('\n').filter((line) => line !== '' && line.startsWith(what));
  }

  async images(): Promise<readonly string[]> {
    return (await readdir(this.folder)).filter((name) => name.startsWith('image-'));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.folder, { recursive: true, force: true });
  }
}

describe('pinnace doctor', () => {
  it('says that refusals hold, with 0, and leaves nothing behind', async () => {
    await using host = await Host.create();
    const { code, stdout, stderr } = await host.doctor('held');
    assert.deepEqual([code, stderr], [0, '']);
    assert.match(
      stdout,
      /^docker 20\.10\.24 \(classic store\), the default of the docker client\n {2}docker\.io: held$/m,
    );
    assert.match(stdout, /signed {3}held, proven: it came from Pinnace, through listener "hub"/);
    assert.match(
      stdout,
      /unsigned held, proven: refused, and the refusal was the last word\n {13}"pinnace refused docker\.io\/pinnace-canary\/unsigned:[0-9a-f]{32}: it is a canary"/,
    );
    assert.match(stdout, /Refusals hold on this host\./);
    assert.equal(host.calls('pull').length, 3);
    assert.deepEqual(await host.images(), []);
  });

  it('prints one document for programs, in a shape that stays', async () => {
    await using host = await Host.create();
    const { code, stdout } = await host.doctor('open', '--json', '--unsigned', OTHER);
    assert.equal(code, 1);
    const report = JSON.parse(stdout);
    assert.deepEqual(Object.keys(report), [
      'version',
      'pinnace',
      'at',
      'verdict',
      'engines',
      'problems',
    ]);
    assert.deepEqual([report.version, report.verdict, report.problems], [1, 'not-held', []]);
    const [engine] = report.engines;
    assert.deepEqual(
      [engine.engine, engine.engineVersion, engine.store],
      ['docker', '20.10.24', 'classic'],
    );
    const [registry] = engine.registries;
    assert.deepEqual(
      [registry.registry, registry.verdict, registry.listener, registry.refusal],
      ['docker.io', 'not-held', 'hub', 'hard-stop'],
    );
    assert.deepEqual(registry.route.endpoints, ['https://registry-1.docker.io']);
    const [signed, , , named] = registry.canaries;
    assert.deepEqual(
      [signed.verdict, signed.certainty, signed.finding, signed.isRemoved],
      ['held', 'proven', 'served', true],
    );
    assert.deepEqual(
      [named.image, named.verdict, named.finding, named.digest],
      [OTHER, 'not-held', 'landed', `sha256:${'f'.repeat(64)}`],
    );
    assert.ok(registry.fixes.length > 0);
    assert.deepEqual(await host.images(), []);
  });

  for (const mode of ['imitated', 'replayed', 'swapped']) {
    it(`takes nothing but the bytes that Pinnace makes for this pull for the signed canary: ${mode}`, async () => {
      await using host = await Host.create();
      const { code, stdout } = await host.doctor(mode);
      assert.equal(code, 1);
      assert.match(stdout, /signed {3}NOT HELD, proven: what landed is not what Pinnace serves/);
      assert.deepEqual(await host.images(), []);
    });
  }

  it('neither pulls nor removes what was there before', async () => {
    await using host = await Host.create();
    const name = `image-${Buffer.from(OTHER).toString('hex')}`;
    await writeFile(join(host.folder, name), '[{"Id":"x"}]');
    const { code, stdout } = await host.doctor('open', '--unsigned', 'app:1');
    assert.equal(code, 2);
    assert.match(stdout, /unsigned unknown: the engine has an image of that name already/);
    assert.deepEqual(await host.images(), [name]);
    assert.ok(!host.calls('pull').some((call) => call.includes(OTHER)));
  });

  it('says what it could not remove', async () => {
    await using host = await Host.create();
    const { code, stdout } = await host.doctor('stuck');
    assert.equal(code, 0);
    assert.match(stdout, /it could not be removed: docker\.io\/pinnace-canary\/signed:/);
  });

  it('ends with 2 where there is no engine, or not the one that was asked for', async () => {
    await using host = await Host.create();
    await rm(join(host.folder, 'docker'));
    const none = await host.doctor('held');
    assert.equal(none.code, 2);
    assert.match(none.stdout, /could not find out: no Docker engine, containerd or podman answers/);
    const podman = await host.doctor('held', '--engine', 'podman', '--json');
    assert.equal(podman.code, 2);
    assert.equal(JSON.parse(podman.stdout).problems.length, 1);
  });

  it('looks at the registries that are asked for, and at those of the images', async () => {
    await using host = await Host.create();
    const words = ['--registry', 'pinnace.example:5000/docker.io', '--registry', 'quay.io'];
    await host.doctor('held', ...words, '--unsigned', 'ghcr.io/a/b', '--unsigned', 'quay.io/a/b:2');
    const pulled = host.calls('pull').map((call) => call.replace(/[0-9a-f]{32}$/, 'N').slice(5));
    assert.deepEqual(
      pulled.filter((image) => !image.includes('tampered')),
      [
        'pinnace.example:5000/docker.io/pinnace-canary/signed:N',
        'pinnace.example:5000/docker.io/pinnace-canary/unsigned:N',
        'quay.io/pinnace-canary/signed:N',
        'quay.io/pinnace-canary/unsigned:N',
        'quay.io/a/b:2',
        'ghcr.io/pinnace-canary/signed:N',
        'ghcr.io/pinnace-canary/unsigned:N',
        'ghcr.io/a/b:latest',
      ],
    );
  });

  it('makes an end of a pull that takes too long, and removes what it left', async () => {
    await using host = await Host.create();
    const { code, stdout } = await host.doctor('hangs', '--timeout', '2s', '--json');
    const { canaries } = JSON.parse(stdout).engines[0].registries[0];
    assert.equal(code, 1, 'an image that should have been refused is there');
    assert.deepEqual(
      canaries.map((each: { finding: string }) => each.finding),
      ['served', 'landed', 'landed'],
    );
    assert.deepEqual(await host.images(), []);
  });

  it('cleans up when it is stopped, and says that it was', async () => {
    await using host = await Host.create();
    const child = host.start('hangs', '--json');
    const output = child.stdout?.setEncoding('utf8').toArray();
    while ((await host.images()).length === 0) await new Promise(setImmediate);
    child.kill('SIGINT');
    const [code] = await once(child, 'close');
    const report = JSON.parse((await output)?.join('') ?? '');
    assert.deepEqual(report.problems, ['stopped by a signal']);
    assert.equal(report.engines[0].registries[0].canaries.length, 1);
    assert.equal(code, 2);
    assert.equal(host.calls('pull').length, 1);
    assert.deepEqual(await host.images(), []);
  });

  const usage: readonly (readonly [string, readonly string[]])[] = [
    ['an engine that is not known', ['--engine', 'rocket']],
    ['an address without an engine', ['--address', 'unix:///x']],
    ['a registry that could be an option', ['--registry', '-x']],
    ['a registry with a tag', ['--registry', 'docker.io:x']],
    ['a registry with a digest', ['--registry', 'docker.io@sha256']],
    ['a registry that is none', ['--registry', 'alpine']],
    ['an image that is none', ['--unsigned', 'not an image']],
    ['an image that could be an option', ['--unsigned=--all']],
    ['a time without unit', ['--timeout', '5']],
  ];
  for (const [name, words] of usage) {
    it(`refuses ${name} with 64 and runs nothing`, async () => {
      await using host = await Host.create();
      const { code, stderr } = await host.doctor('held', ...words);
      assert.equal(code, 64);
      assert.notEqual(stderr, '');
      assert.deepEqual(host.calls(''), []);
    });
  }
});
