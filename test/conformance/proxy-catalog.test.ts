import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { buildImage } from '../support/images.ts';
import { REGISTRY_HOST, RunningPinnace, Surroundings } from '../support/running-pinnace.ts';

const NAMED = `${REGISTRY_HOST}/named/app`;
const SCRATCH = `${REGISTRY_HOST}/scratch/app`;
const ALPINE = 'docker.io/library/alpine';

describe('the whole proxy: the catalog', () => {
  let around: Surroundings;
  let pinnace: RunningPinnace;

  before(async () => {
    around = await Surroundings.start();
    around.publisher('team/app').release('1.0', buildImage());
    around.publisher('team/unasked').release('1.0', buildImage());
    pinnace = await RunningPinnace.start(
      await around.writeConfig({
        listeners: {
          registry: {
            address: '127.0.0.1:0',
            defaultRegistry: REGISTRY_HOST,
            hosts: { 'hub.pinnace.test': 'docker.io' },
          },
          mirror: { address: '127.0.0.1:0', defaultRegistry: 'docker.io', refusal: 'hard-stop' },
          bare: { address: '127.0.0.1:0' },
        },
        policy: [
          { match: `${REGISTRY_HOST}/team/**`, trust: 'corp' },
          { match: NAMED, trust: 'corp' },
          { match: ALPINE, trust: 'corp' },
          { match: SCRATCH, allowUnverified: true, reason: 'test' },
        ],
        more: {
          upstreams: {
            [REGISTRY_HOST]: { url: around.registry.url },
            'docker.io': { url: around.registry.url },
          },
        },
      }),
    );
    await pinnace.verdict('team/app', '1.0');
    await pinnace.verdict('team/app', 'unsigned');
    await pinnace.verdict('team/never', '1.0');
  });
  after(async () => {
    await pinnace.stop();
    await around[Symbol.asyncDispose]();
  });

  const rows: readonly (readonly [row: string, names: readonly string[], ...asked: string[]])[] = [
    [
      'names those of the default registry by their paths, and others in full',
      [ALPINE, 'named/app', 'scratch/app', 'team/app'],
      'registry',
    ],
    [
      'is each listener’s own',
      ['library/alpine', NAMED, SCRATCH, `${REGISTRY_HOST}/team/app`],
      'mirror',
    ],
    [
      'names all in full where there is no default',
      [ALPINE, NAMED, SCRATCH, `${REGISTRY_HOST}/team/app`],
      'bare',
    ],
    [
      'names those of one registry under its own host',
      ['library/alpine'],
      'registry',
      'hub.pinnace.test',
    ],
  ];
  for (const [row, names, listener = '', host] of rows) {
    it(row, async () => {
      const headers = host === undefined ? {} : { headers: { host } };
      const answer = await pinnace.get('_catalog', { listener, ...headers });
      assert.equal(answer.status, 200);
      assert.deepEqual(JSON.parse(answer.body.toString()), { repositories: names.toSorted() });
      assert.equal(answer.headers['link'], undefined);
      const head = await pinnace.head('_catalog', { listener, ...headers });
      assert.equal(head.headers['content-length'], answer.headers['content-length']);
    });
  }

  it('names those of ns', async () => {
    const answer = await pinnace.get('_catalog?ns=docker.io', { listener: 'bare' });
    assert.deepEqual(JSON.parse(answer.body.toString()).repositories, ['library/alpine']);
    const strange = await pinnace.get('_catalog?ns=evil.example', { listener: 'bare' });
    assert.deepEqual(JSON.parse(strange.body.toString()).repositories, []);
  });

  it('goes page by page, and each name leads to its repository', async () => {
    const seen: string[] = [];
    let next: string | undefined = '_catalog?n=1';
    while (next !== undefined && seen.length < 10) {
      const answer = await pinnace.get(next);
      const { repositories } = JSON.parse(answer.body.toString());
      assert.equal(repositories.length, 1);
      seen.push(...repositories);
      next = /^<\/v2\/([^>]+)>; rel="next"$/.exec(String(answer.headers['link'] ?? ''))?.[1];
    }
    assert.deepEqual(seen, [ALPINE, 'named/app', 'scratch/app', 'team/app']);
    assert.deepEqual(JSON.parse((await pinnace.get('_catalog?n=0')).body.toString()), {
      repositories: [],
    });
    const after = await pinnace.get('_catalog?last=team/zzz');
    assert.deepEqual(JSON.parse(after.body.toString()).repositories, []);
  });

  it('asks no registry', () => {
    assert.ok(!around.registry.requests.some(({ path }) => path.includes('_catalog')));
  });
});

it('the catalog forgets a repository that no rule is for any more', async () => {
  await using around = await Surroundings.start();
  for (const path of ['team/app', 'team/other']) {
    around.publisher(path).release('1.0', buildImage());
  }
  const listed = async (policy: string): Promise<unknown> => {
    const config = await around.writeConfig({
      policy: [{ match: `${REGISTRY_HOST}/${policy}`, trust: 'corp' }],
    });
    await using pinnace = await RunningPinnace.start(config);
    await pinnace.verdict('team/app', '1.0');
    await pinnace.verdict('team/other', '1.0');
    return JSON.parse((await pinnace.get('_catalog')).body.toString()).repositories;
  };
  assert.deepEqual(await listed('team/**'), ['team/app', 'team/other']);
  assert.deepEqual(await listed('team/app'), ['team/app']);
});
