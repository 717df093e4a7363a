import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { unauthorized } from '../../../src/auth/admission.ts';
import type { Gate, Knock } from '../../../src/auth/gate.ts';
import type { Caller } from '../../../src/base/caller.ts';
import { type Answer, ociError, RegistryUnderTest } from '../../support/registry-under-test.ts';

const HUB_APP = 'docker.io/team/app';
const OTHER = 'docker.io/team/other';
const MANIFEST = { body: '{"schemaVersion":2}' };

/** Knows callers by the word after `Basic`; `nobody` is always wrong. */
class WordGate implements Gate {
  readonly name = 'staff';
  readonly canAsk: boolean;
  readonly repositories: readonly string[] | undefined;

  constructor(options: { canAsk?: boolean; repositories?: readonly string[] } = {}) {
    this.canAsk = options.canAsk ?? true;
    this.repositories = options.repositories;
  }

  admit({ authorization }: Knock) {
    if (authorization === undefined) return unauthorized('missing', 'nobody is known');
    const name = authorization.slice('Basic '.length);
    if (name === 'nobody') return unauthorized('wrong', 'the password is wrong');
    if (name === 'stale') return unauthorized('token', 'the token has expired');
    const caller = { source: 'staff', name, groups: new Set<string>() };
    const { repositories } = this;
    const admitted = { verdict: 'admitted', caller } as const;
    return repositories === undefined ? admitted : { ...admitted, repositories };
  }

  challenge({ scope, error }: Parameters<Gate['challenge']>[0]): string | undefined {
    if (!this.canAsk) return undefined;
    return ['Word', scope, error].filter((part) => part !== undefined).join(' ');
  }
}

const isAlice = (caller: Caller | undefined): boolean => caller?.name === 'alice';
const as = (name: string) => ({ headers: { authorization: `Basic ${name}` } });

/** Content of two repositories: one for alice alone, one for everybody, with one blob and one manifest in common. */
function stock(registry: RegistryUnderTest): readonly { name: string; path: string }[] {
  const { pulls } = registry;
  const { digest } = pulls.addTag(HUB_APP, '1', MANIFEST);
  pulls.addTag(OTHER, '1', MANIFEST);
  const blob = pulls.addBlob(HUB_APP, Buffer.from('layer'));
  pulls.addBlob(OTHER, Buffer.from('layer'));
  pulls.forbid(HUB_APP, isAlice);
  return [
    { name: 'manifest by tag', path: '/v2/team/app/manifests/1' },
    { name: 'manifest by tag, by ns', path: '/v2/team/app/manifests/1?ns=docker.io' },
    { name: 'manifest by tag, by prefix', path: '/v2/docker.io/team/app/manifests/1' },
    { name: 'manifest by tag that is not there', path: '/v2/team/app/manifests/2' },
    { name: 'manifest by digest', path: `/v2/team/app/manifests/${digest}` },
    { name: 'blob', path: `/v2/team/app/blobs/${blob}` },
    { name: 'tags', path: '/v2/team/app/tags/list' },
    { name: 'a page of tags', path: '/v2/team/app/tags/list?n=1&last=0' },
    { name: 'referrers', path: `/v2/team/app/referrers/${digest}` },
    { name: 'trust metadata', path: '/v2/team/app/_trust/tuf/root.json' },
    { name: 'a companion tag', path: `/v2/team/app/manifests/${digest.replace(':', '-')}.sig` },
  ];
}

describe('a repository that a rule keeps for one caller', () => {
  for (const method of ['GET', 'HEAD']) {
    it(`is refused to others and given to that one, whatever is asked (${method})`, async () => {
      await using registry = await new RegistryUnderTest({ gate: new WordGate() }).start();
      const routes = stock(registry);
      for (const { name, path } of routes) {
        const his = await registry.get(path, { ...as('alice'), method });
        assert.notEqual(his.headers['x-pinnace-reason'], 'client_forbidden', name);
        // Again, so that whatever was found for alice is at hand.
        const theirs = await registry.get(path, { ...as('bob'), method });
        assert.equal(theirs.status, 403, name);
        assert.equal(theirs.headers['x-pinnace-reason'], 'client_forbidden', name);
        if (method === 'GET') assert.equal(ociError(theirs).code, 'DENIED', name);
      }
      assert.equal((await registry.get('/v2/team/other/manifests/1', as('bob'))).status, 200);
    });

    it(`is refused on a listener that asks nobody who is calling (${method})`, async () => {
      await using registry = await new RegistryUnderTest().start();
      for (const { name, path } of stock(registry)) {
        const answer = await registry.get(path, { method });
        assert.equal(answer.headers['x-pinnace-reason'], 'client_forbidden', name);
      }
    });
  }

  it('is not relayed to others either', async () => {
    let isAsked = false;
    const relay = {
      originOf: () => {
        isAsked = true;
        return undefined;
      },
    };
    await using registry = await new RegistryUnderTest({ gate: new WordGate(), relay }).start();
    registry.pulls.leaveUnverified(HUB_APP);
    registry.pulls.forbid(HUB_APP, isAlice);
    const answer = await registry.get('/v2/team/app/manifests/1', as('bob'));
    assert.equal(answer.headers['x-pinnace-reason'], 'client_forbidden');
    assert.equal(isAsked, false);
    await registry.get('/v2/team/app/manifests/1', as('alice'));
    assert.equal(isAsked, true);
  });

  it('is refused for good where engines would ask the registry instead', async () => {
    const options = { gate: new WordGate(), refusal: 'hard-stop' } as const;
    await using registry = await new RegistryUnderTest(options).start();
    stock(registry);
    const tag = await registry.get('/v2/team/app/manifests/1', as('bob'));
    assert.equal(tag.status, 200);
    assert.equal(tag.headers['x-pinnace-reason'], 'client_forbidden');
    const decoy: { layers: { digest: string }[] } = JSON.parse(tag.body.toString());
    const digest = String(tag.headers['docker-content-digest']);
    const again = await registry.get(`/v2/team/app/manifests/${digest}`, as('bob'));
    assert.deepEqual(again.body, tag.body);
    const part = await registry.get(`/v2/team/app/blobs/${decoy.layers[0]?.digest}`, as('bob'));
    assert.equal(part.status, 403);
    assert.match(ociError(part).message, /may not pull from this repository/);
  });
});

describe('the catalog', () => {
  const listed = async (options: { repositories?: readonly string[] }, name: string) => {
    await using registry = await new RegistryUnderTest({ gate: new WordGate(options) }).start();
    stock(registry);
    const answer = await registry.get('/v2/_catalog', as(name));
    return JSON.parse(answer.body.toString()).repositories;
  };

  it('has what the caller may pull, and no more than its token is for', async () => {
    assert.deepEqual(await listed({}, 'alice'), ['team/app', 'team/other']);
    assert.deepEqual(await listed({}, 'bob'), ['team/other']);
    assert.deepEqual(await listed({ repositories: ['team/app'] }, 'alice'), ['team/app']);
    assert.deepEqual(await listed({ repositories: ['team/app'] }, 'bob'), []);
  });
});

describe('a listener that asks who is calling', () => {
  const everything = (registry: RegistryUnderTest) => [
    ...stock(registry),
    { name: 'ping', path: '/v2/' },
    { name: 'catalog', path: '/v2/_catalog' },
    { name: 'nonsense', path: '/v2/%%/manifests/1' },
    { name: 'an unknown registry', path: '/v2/unknown.example/app/manifests/1' },
    { name: 'no such page', path: '/etc/passwd' },
  ];

  for (const method of ['GET', 'HEAD', 'POST', 'DELETE', 'PUT']) {
    it(`answers nobody but with the question (${method})`, async () => {
      await using registry = await new RegistryUnderTest({ gate: new WordGate() }).start();
      for (const { name, path } of everything(registry)) {
        const answer = await registry.get(path, { method });
        assert.equal(answer.status, 401, name);
        assert.match(String(answer.headers['www-authenticate']), /^Word/, name);
        assert.equal(answer.headers['x-pinnace-reason'], 'client_unauthorized', name);
        assert.equal(answer.headers['cache-control'], 'no-store', name);
        if (method === 'HEAD') assert.equal(answer.body.length, 0, name);
        else assert.equal(ociError(answer).code, 'UNAUTHORIZED', name);
      }
    });
  }

  it('says in the answer what is wrong with the login', async () => {
    await using registry = await new RegistryUnderTest({ gate: new WordGate() }).start();
    const manifest = await registry.get('/v2/team/app/manifests/1', as('nobody'));
    assert.equal(manifest.status, 401);
    assert.match(ociError(manifest).message, /team\/app:1: the password is wrong\. Log in/);
    const ping = await registry.get('/v2/', as('nobody'));
    assert.match(ociError(ping).message, /the password is wrong\. Log in/);
  });

  it('counts how logins go, and logs who pulled', async () => {
    await using registry = await new RegistryUnderTest({ gate: new WordGate() }).start();
    stock(registry);
    const path = '/v2/team/app/manifests/1';
    await registry.get(path);
    for (const name of ['alice', 'bob', 'nobody']) await registry.get(path, as(name));
    const count = async (outcome: string) =>
      await registry.metric(`pinnace_client_logins_total{clients="staff",outcome="${outcome}"}`);
    assert.deepEqual(
      [
        await count('missing'),
        await count('wrong'),
        await count('admitted'),
        await count('forbidden'),
      ],
      [1, 1, 2, 1],
    );
    const lines = registry.logged('request').map((line) => [line['caller'], line['code']]);
    assert.deepEqual(lines, [
      [undefined, 'client_unauthorized'],
      ['staff/alice', undefined],
      ['staff/bob', 'client_forbidden'],
      [undefined, 'client_unauthorized'],
    ]);
  });

  it('does not read the upload of somebody it does not know', async () => {
    await using registry = await new RegistryUnderTest({ gate: new WordGate() }).start();
    const headers = { 'content-length': '1000000000', connection: 'keep-alive' };
    const answer = await registry.get('/v2/team/app/blobs/uploads/', { method: 'POST', headers });
    assert.equal(answer.status, 401);
    assert.equal(answer.headers.connection, 'close');
  });

  const hardStop = { refusal: 'hard-stop' } as const;
  const isDecoy = (answer: Answer): boolean =>
    answer.status === 200 && answer.headers['x-pinnace-reason'] === 'client_unauthorized';

  it('asks for a login first and ends the pull when it is wrong, as a mirror', async () => {
    await using registry = await new RegistryUnderTest({
      gate: new WordGate(),
      ...hardStop,
    }).start();
    stock(registry);
    const tag = '/v2/team/app/manifests/1';
    assert.equal((await registry.get(tag)).status, 401);
    assert.ok(isDecoy(await registry.get(tag, as('nobody'))));
    assert.equal((await registry.get(tag, as('stale'))).status, 401, 'a token can be renewed');
    assert.equal((await registry.get('/v2/', as('nobody'))).status, 401);
  });

  it('ends every pull of an unknown client that cannot be asked, as a mirror', async () => {
    const gate = new WordGate({ canAsk: false });
    await using registry = await new RegistryUnderTest({ gate, ...hardStop }).start();
    stock(registry);
    assert.equal((await registry.get('/v2/')).status, 200, 'or the engine would go elsewhere');
    const decoy = await registry.get('/v2/team/app/manifests/1');
    assert.ok(isDecoy(decoy));
    const digest = String(decoy.headers['docker-content-digest']);
    const byDigest = await registry.get(`/v2/team/app/manifests/${digest}`);
    assert.deepEqual(byDigest.body, decoy.body);
  });

  it('denies an unknown client that cannot be asked, without a question', async () => {
    await using registry = await new RegistryUnderTest({
      gate: new WordGate({ canAsk: false }),
    }).start();
    for (const { name, path } of stock(registry)) {
      const answer = await registry.get(path);
      assert.equal(answer.status, 403, name);
      assert.equal(answer.headers['www-authenticate'], undefined, name);
      assert.equal(ociError(answer).code, 'DENIED', name);
    }
  });
});

describe('a token that is for some repositories', () => {
  const rows: readonly { name: string; for: readonly string[]; path: string; isLet: boolean }[] = [
    { name: 'the name in the path', for: ['team/app'], path: 'team/app', isLet: true },
    { name: 'the full name', for: ['docker.io/team/app'], path: 'team/app', isLet: true },
    { name: 'library/ left out', for: ['alpine'], path: 'library/alpine', isLet: true },
    { name: 'library/ written', for: ['library/alpine'], path: 'alpine', isLet: true },
    { name: 'one of many', for: ['a', 'b', 'team/app'], path: 'team/app', isLet: true },
    { name: 'another one', for: ['team/other'], path: 'team/app', isLet: false },
    { name: 'none', for: [], path: 'team/app', isLet: false },
    { name: 'the beginning of one', for: ['team'], path: 'team/app', isLet: false },
    { name: 'no name at all', for: ['../team/app', '*', ''], path: 'team/app', isLet: false },
    {
      name: 'the same path in another registry',
      for: ['team/app'],
      path: 'registry.example.com/team/app',
      isLet: false,
    },
    {
      name: 'the same path in another registry, by its full name',
      for: ['registry.example.com/team/app'],
      path: 'registry.example.com/team/app',
      isLet: true,
    },
  ];
  for (const row of rows) {
    it(`${row.isLet ? 'opens' : 'does not open'} ${row.path} when it is for ${row.name}`, async () => {
      const gate = new WordGate({ repositories: row.for });
      await using registry = await new RegistryUnderTest({ gate }).start();
      const answer = await registry.get(`/v2/${row.path}/tags/list`, as('alice'));
      assert.equal(answer.status === 401, !row.isLet, `${answer.status}`);
      if (row.isLet) return;
      assert.equal(
        answer.headers['www-authenticate'],
        `Word repository:${row.path}:pull insufficient_scope`,
      );
    });
  }

  it('cannot be turned to another registry by ns', async () => {
    const gate = new WordGate({ repositories: ['team/app'] });
    await using registry = await new RegistryUnderTest({ gate }).start();
    const path = '/v2/team/app/tags/list?ns=registry.example.com';
    const answer = await registry.get(path, as('alice'));
    assert.equal(answer.status, 401);
    const challenge = 'Word repository:registry.example.com/team/app:pull insufficient_scope';
    assert.equal(answer.headers['www-authenticate'], challenge);
  });
});
