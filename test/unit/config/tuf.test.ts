import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { TufSourceConfig } from '../../../src/config/connection.ts';
import { targetAffixes } from '../../../src/config/target-template.ts';
import { parseTrustUrl } from '../../../src/config/trust-url.ts';
import { parseRepositoryName } from '../../../src/oci/names.ts';
import { configOf, problemsOf, warningPaths } from './loading.ts';

const ROLE = { keyids: ['a'], threshold: 1 };
const SIGNED = {
  _type: 'root',
  spec_version: '1.0.31',
  version: 3,
  expires: '2030-01-01T00:00:00Z',
  keys: {},
  roles: { root: ROLE, timestamp: ROLE, snapshot: ROLE, targets: ROLE },
};

function rootFile(change: Readonly<Record<string, unknown>> = {}): string {
  return JSON.stringify({ signed: { ...SIGNED, ...change }, signatures: [] });
}

const FILES = { '/etc/pinnace/root.json': rootFile() };
const URL_LINE = 'url: https://tuf.example.com/metadata';
const GOOD_TUF = `data: /var/lib/pinnace
listeners:
  registry: { address: 127.0.0.1:5000 }
upstreams:
  registry.example.com: { url: https://registry.example.com }
trust:
  vetted:
    kind: tuf
    ${URL_LINE}
    root: root.json
policy:
  - { match: "registry.example.com/**", trust: vetted, signers: [Release, team/app] }
`;

async function sourceOf(yaml: string): Promise<TufSourceConfig> {
  const source = (await configOf(yaml, { files: FILES })).trust.get('vetted');
  assert.ok(source?.kind === 'tuf');
  return source;
}

describe('a TUF source', () => {
  test('has its root as text, byte for byte, and defaults for the rest', async () => {
    const source = await sourceOf(GOOD_TUF);
    assert.equal(source.root, rootFile());
    assert.deepEqual(source.target, [
      { placeholder: 'registry' },
      { text: '/' },
      { placeholder: 'repository' },
      { text: ':' },
      { placeholder: 'tag' },
    ]);
    assert.deepEqual([source.maxAgeMs, source.outageGraceMs], [60_000, 3_600_000]);
    assert.ok(source.location.kind === 'server');
    assert.equal(source.location.url, 'https://tuf.example.com/metadata');
  });

  test('lies in a folder', async () => {
    const { location } = await sourceOf(GOOD_TUF.replace(URL_LINE, 'url: file:///srv/a%20b/'));
    assert.deepEqual(location, { kind: 'folder', path: '/srv/a b' });
  });

  test('lies in a registry, which then needs no rule', async () => {
    const yaml = GOOD_TUF.replace(URL_LINE, 'url: oci://trust.example.com:5000/a/b:now').replace(
      'upstreams:',
      'upstreams:\n  trust.example.com:5000: { url: https://trust.example.com:5000 }',
    );
    const { location } = await sourceOf(yaml);
    const repository = parseRepositoryName('trust.example.com:5000/a/b');
    assert.deepEqual(location, { kind: 'artifact', repository, tag: 'now' });
    assert.deepEqual(await warningPaths(yaml, { files: FILES }), []);
  });

  test('is believed without any anchor, and over plain http on this machine only', async () => {
    assert.deepEqual(await warningPaths(GOOD_TUF, { files: FILES }), []);
    const local = GOOD_TUF.replace(URL_LINE, 'url: http://127.0.0.1:8080');
    assert.deepEqual(await warningPaths(local, { files: FILES }), ['trust.vetted.url']);
  });
});

const PROBLEMS = [
  ['plain http elsewhere', [URL_LINE, 'url: http://tuf.example.com'], 'url', 'https://'],
  ['a folder that is relative', [URL_LINE, 'url: file://srv/vetted'], 'url', 'file:///'],
  ['a folder with a query', [URL_LINE, 'url: "file:///srv?x"'], 'url', 'leave'],
  ['a folder with half an escape', [URL_LINE, 'url: "file:///srv/%zz"'], 'url', 'file:///'],
  ['a registry that is no upstream', [URL_LINE, 'url: oci://quay.io/a/b:c'], 'url', 'upstreams'],
  ['an artifact without a tag', [URL_LINE, 'url: oci://registry.example.com/a/b'], 'url', 'oci://'],
  ['an artifact by digest', [URL_LINE, 'url: "oci://registry.example.com/a@b:c"'], 'url', 'oci://'],
  ['an unknown scheme', [URL_LINE, 'url: ftp://tuf.example.com'], 'url', 'https://'],
  ['no root', ['    root: root.json\n', ''], 'root', 'root.json'],
  ['credentials for a folder', [URL_LINE, credentials('file:///srv')], 'credentials', 'remove'],
  [
    'credentials for an artifact',
    [URL_LINE, credentials('oci://registry.example.com/a/b:c')],
    'credentials',
    'upstream',
  ],
  ['a template without {tag}', [URL_LINE, target('{repository}')], 'target', '{tag}'],
  ['a template with {tag} twice', [URL_LINE, target('{tag}/{tag}')], 'target', 'once'],
  ['a template with a wrong name', [URL_LINE, target('{host}:{tag}')], 'target', 'known'],
  ['a template with a slip', [URL_LINE, target('{repositry}:{tag}')], 'target', '{repository}'],
  ['a template with a stray brace', [URL_LINE, target('{repository:{tag}')], 'target', undefined],
  ['a template that runs together', [URL_LINE, target('{repository}{tag}')], 'target', ':'],
  ['a template that blurs', [URL_LINE, target('{repository}-{tag}')], 'target', ':'],
  ['a template that hides', [URL_LINE, target('\\u200b{tag}')], 'target', undefined],
  ['an endless template', [URL_LINE, target(`${'x'.repeat(600)}{tag}`)], 'target', undefined],
] as const;

function credentials(url: string): string {
  return `url: ${url}\n    credentials: { username: a, passwordEnv: PASSWORD }`;
}

function target(template: string): string {
  return `${URL_LINE}\n    target: "${template}"`;
}

for (const [name, [old, changed], key, fix] of PROBLEMS) {
  test(`refused: ${name}`, async () => {
    const yaml = GOOD_TUF.replace(old, () => changed);
    assert.notEqual(yaml, GOOD_TUF);
    const problems = await problemsOf(yaml, { files: FILES, env: { PASSWORD: 'x' } });
    assert.deepEqual(
      problems.map(({ path }) => path),
      [`trust.vetted.${key}`],
    );
    if (fix !== undefined) assert.ok(problems[0]?.fix?.includes(fix), problems[0]?.fix);
  });
}

for (const key of ['anchors: []', 'trustOnFirstUse: false', 'rsaPkcs1v15: true', 'p224: false']) {
  test(`refused: ${key} in a TUF source`, async () => {
    const yaml = GOOD_TUF.replace(URL_LINE, `${URL_LINE}\n    ${key}`);
    const problems = await problemsOf(yaml, { files: FILES });
    assert.deepEqual(
      problems.map(({ path }) => path),
      [`trust.vetted.${key.split(':')[0]}`],
    );
  });
}

test('refused: keys of a TUF source, and its places, in a Notary source', async () => {
  const yaml = GOOD_TUF.replace('kind: tuf', 'kind: notary\n    target: "{tag}"')
    .replace(URL_LINE, 'url: file:///srv')
    .replace(', signers: [Release, team/app]', '');
  const problems = await problemsOf(yaml, { files: FILES });
  assert.deepEqual(
    new Set(problems.map(({ path }) => path)),
    new Set(['url', 'root', 'target'].map((key) => `trust.vetted.${key}`)),
  );
});

test('refused: signers that no Notary server can have', async () => {
  const yaml = GOOD_TUF.replace('kind: tuf', 'kind: notary\n    trustOnFirstUse: true').replace(
    '    root: root.json\n',
    '',
  );
  const problems = await problemsOf(yaml, { files: FILES });
  assert.deepEqual(
    problems.map(({ path }) => path),
    ['policy[0].signers[0]'],
  );
});

const BAD_ROOTS = [
  ['that is not there', undefined],
  ['that is empty', ''],
  ['that is no JSON', 'root'],
  ['that is a list', '[]'],
  ['without signatures', JSON.stringify({ signed: SIGNED })],
  ['that is a timestamp', rootFile({ _type: 'timestamp' })],
  ['of a Notary server', rootFile({ _type: 'Root' })],
  ['of another major version', rootFile({ spec_version: '2.0' })],
  ['of version 0', rootFile({ version: 0 })],
  ['without a version', rootFile({ version: undefined })],
  ['without a role', rootFile({ roles: { root: ROLE } })],
  ['after a byte order mark', `\uFEFF${rootFile()}`],
] as const;

for (const [name, text] of BAD_ROOTS) {
  test(`refused: a root ${name}`, async () => {
    const files: Readonly<Record<string, string>> =
      text === undefined ? {} : { '/etc/pinnace/root.json': text };
    const problems = await problemsOf(GOOD_TUF, { files });
    assert.deepEqual(
      problems.map(({ path }) => path),
      ['trust.vetted.root'],
    );
  });
}

test('without its files the configuration can be looked at', async () => {
  const config = await configOf(GOOD_TUF, { checkFiles: false });
  assert.equal(config.trust.get('vetted')?.kind, 'tuf');
});

const NAMES = [
  ['{registry}/{repository}:{tag}', 'docker.io/library/alpine:', ''],
  ['{repository}/{tag}', 'library/alpine/', ''],
  ['{tag}', '', ''],
  ['images/{tag}/{registry}.json', 'images/', '/docker.io.json'],
] as const;

for (const [template, prefix, suffix] of NAMES) {
  test(`${template} makes target names of repositories`, async () => {
    const { target: read } = await sourceOf(GOOD_TUF.replace(URL_LINE, () => target(template)));
    const repository = parseRepositoryName('Docker.io/library/alpine');
    assert.deepEqual(targetAffixes(read, repository), { prefix, suffix });
  });
}

test('a URL of any length and kind is read or refused', () => {
  for (const text of [
    '',
    'file:',
    'oci:',
    'file:///',
    `file:///${'a'.repeat(4000)}`,
    'oci://a/b:c',
  ]) {
    const { ok } = parseTrustUrl(text);
    assert.equal(ok, text === 'file:///' || text === 'oci://a/b:c', text);
  }
});
