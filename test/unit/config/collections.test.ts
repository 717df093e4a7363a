import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { OwnCollectionConfig } from '../../../src/config/connection.ts';
import { parseRepositoryName } from '../../../src/oci/names.ts';
import { configOf, GOOD, problemsOf, type Surroundings, warningPaths } from './loading.ts';

const PLACE = 'file:///srv/www';
const COLLECTIONS = `${GOOD}collections:
  vetted:
    dir: vetted
    keys: [keys, /srv/a.json]
    publish:
      - url: ${PLACE}
`;
const FILES = { '/run/secrets/one': 'first\n' };

async function collectionsOf(
  yaml: string,
  around: Surroundings = {},
): Promise<readonly OwnCollectionConfig[]> {
  return (await configOf(yaml, { files: FILES, ...around })).collections;
}

/** The configuration with another place, or with more lines below it. */
function withPlace(url: string, ...more: readonly string[]): string {
  return COLLECTIONS.replace(PLACE, [url, ...more].join('\n        '));
}

describe('collections', () => {
  test('are none unless they are written', async () => {
    assert.deepEqual(await collectionsOf(GOOD), []);
  });

  test('have absolute names, and places of three kinds', async () => {
    const [folder] = await collectionsOf(COLLECTIONS);
    assert.equal(folder?.name, 'vetted');
    assert.equal(folder?.folder, '/etc/pinnace/vetted');
    assert.deepEqual(folder?.keyPaths, ['/etc/pinnace/keys', '/srv/a.json']);
    assert.equal(folder?.passphrase, undefined);
    assert.deepEqual(folder?.places, [{ kind: 'folder', path: '/srv/www' }]);
    const [artifact] = await collectionsOf(withPlace('oci://registry.example.com/trust/a:now'));
    const repository = parseRepositoryName('registry.example.com/trust/a');
    assert.deepEqual(artifact?.places, [{ kind: 'artifact', repository, tag: 'now' }]);
    const credentials = 'credentials: { username: ci, passwordEnv: TUF }';
    const yaml = withPlace('https://tuf.example.com/a/', credentials);
    const [server] = await collectionsOf(yaml, { env: { TUF: 'secret' } });
    const [place] = server?.places ?? [];
    assert.ok(place?.kind === 'server');
    assert.equal(place.url, 'https://tuf.example.com/a');
    assert.ok(place.credentials?.kind === 'password');
    assert.equal(await place.credentials.password(), 'secret');
  });

  test('read their passphrase at every use', async () => {
    const yaml = COLLECTIONS.replace('keys:', 'passphraseFile: /run/secrets/one\n    keys:');
    const [collection] = await collectionsOf(yaml);
    assert.equal(await collection?.passphrase?.(), 'first');
  });

  test('are doubtful when they are published nowhere, or over plain http on this machine', async () => {
    const nowhere = COLLECTIONS.slice(0, COLLECTIONS.indexOf('    publish:'));
    assert.deepEqual(await warningPaths(nowhere), ['collections.vetted']);
    assert.deepEqual(await warningPaths(withPlace('http://127.0.0.1:8080')), [
      'collections.vetted.publish[0].url',
    ]);
  });
});

const SECOND = '      - url: ';
const PROBLEMS = [
  ['no folder', COLLECTIONS.replace('dir: vetted', 'keep: 1d'), ['dir', 'keep']],
  ['an unknown key of a place', withPlace(PLACE, 'every: 1h'), ['publish[0].every']],
  ['plain http elsewhere', withPlace('http://tuf.example.com'), ['publish[0].url']],
  ['an unknown scheme', withPlace('ftp://tuf.example.com'), ['publish[0].url']],
  ['a registry that is no upstream', withPlace('oci://quay.io/a/b:c'), ['publish[0].url']],
  [
    'a password in no place',
    withPlace('https://tuf.example.com', 'credentials: { username: ci }'),
    ['publish[0].credentials'],
  ],
  [
    'a variable that is not set',
    withPlace('https://tuf.example.com', 'credentials: { username: ci, passwordEnv: GONE }'),
    ['publish[0].credentials.passwordEnv'],
  ],
  [
    'credentials for a folder',
    withPlace(PLACE, 'credentials: { username: ci, passwordEnv: PASSWORD }'),
    ['publish[0].credentials'],
  ],
  [
    'a CA for an artifact',
    withPlace('oci://registry.example.com/a/b:c', 'ca: /etc/pinnace/ca.pem'),
    ['publish[0].ca'],
  ],
  ['a place twice', `${COLLECTIONS}${SECOND}file:///srv/www/\n`, ['publish[1].url']],
  [
    'an artifact twice',
    `${withPlace('oci://registry.example.com/a/b:c')}${SECOND}oci://registry.example.com/a/b:c\n`,
    ['publish[1].url'],
  ],
  [
    'a server twice',
    `${withPlace('https://a.example.com/b')}${SECOND}https://a.example.com/b/\n`,
    ['publish[1].url'],
  ],
  [
    'a passphrase file that is not there',
    COLLECTIONS.replace('keys:', 'passphraseFile: none\n    keys:'),
    ['passphraseFile'],
  ],
] as const;

for (const [name, yaml, keys] of PROBLEMS) {
  test(`refused: ${name}`, async () => {
    const problems = await problemsOf(yaml, { files: FILES, env: { PASSWORD: 'x' } });
    const paths = problems.map(({ path }) => path);
    assert.deepEqual(new Set(paths), new Set(keys.map((key) => `collections.vetted.${key}`)));
  });
}

test('refused: one folder for two collections', async () => {
  const yaml = `${COLLECTIONS}  other:\n    dir: ./vetted/\n    publish: [{ url: file:///srv/other }]\n`;
  const [problem] = await problemsOf(yaml);
  assert.equal(problem?.path, 'collections.other.dir');
});
