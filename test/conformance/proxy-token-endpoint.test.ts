import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { buildImage } from '../support/images.ts';
import { ask } from '../support/registry-under-test.ts';
import {
  BriskClock,
  REGISTRY_HOST,
  RunningPinnace,
  reasonOf,
  Surroundings,
} from '../support/running-pinnace.ts';
import {
  APP,
  askToken,
  basic,
  bearer,
  claimsOf,
  fieldsOf,
  htpasswd,
  MANIFEST,
  OTHER,
  SERVICE,
  startWithClients,
} from '../support/token-proxy.ts';

describe('the token endpoint before an htpasswd file', () => {
  const SCOPE = `repository:${APP}:pull`;

  async function setUp(around: Surroundings, more: object = {}) {
    const file = await htpasswd(around, { alice: 'wonderland', bob: 'builder' });
    return {
      file,
      pinnace: await startWithClients(around, {
        kind: 'token-endpoint',
        service: SERVICE,
        htpasswd: file,
        ...more,
      }),
    };
  }

  it('gives tokens as engines ask for them, and the listener takes them', async () => {
    await using around = await Surroundings.start();
    await using pinnace = (await setUp(around)).pinnace;
    const ping = await pinnace.get('');
    assert.equal(ping.status, 401);
    const realm = `http://127.0.0.1:${pinnace.port()}/token`;
    assert.equal(ping.headers['www-authenticate'], `Bearer realm="${realm}",service="${SERVICE}"`);

    const login = fieldsOf(
      await askToken(
        pinnace,
        { account: 'alice', client_id: 'docker', offline_token: 'true', service: SERVICE },
        { headers: basic('alice', 'wonderland') },
      ),
    );
    assert.equal(
      login['refresh_token'],
      undefined,
      'not unless it is asked for in the configuration',
    );
    assert.equal((await pinnace.get('', bearer(login['token']))).status, 200);
    assert.equal((await pinnace.get(MANIFEST, bearer(login['token']))).status, 401, 'for nothing');

    const byGet = fieldsOf(
      await askToken(
        pinnace,
        { account: 'alice', scope: SCOPE, service: SERVICE },
        { headers: basic('alice', 'wonderland') },
      ),
    );
    const byPost = fieldsOf(
      await askToken(
        pinnace,
        {
          grant_type: 'password',
          username: 'alice',
          password: 'wonderland',
          service: SERVICE,
          client_id: 'containerd-client',
          scope: `${SCOPE} repository:${OTHER}:pull,push registry:catalog:*`,
        },
        { isForm: true },
      ),
    );
    for (const { token, access_token, expires_in, issued_at } of [byGet, byPost]) {
      assert.equal(token, access_token);
      assert.equal(expires_in, 300);
      assert.equal(issued_at, '2026-11-23T00:00:00.000Z');
      assert.equal((await pinnace.get(MANIFEST, bearer(token))).status, 200);
    }
    assert.deepEqual(claimsOf(byPost['token'])['access'], [
      { type: 'repository', name: `${REGISTRY_HOST}/${APP}`, actions: ['pull'] },
      { type: 'repository', name: `${REGISTRY_HOST}/${OTHER}`, actions: ['pull'] },
    ]);
    assert.equal((await pinnace.get(`${OTHER}/manifests/1`, bearer(byGet['token']))).status, 401);
    assert.equal((await pinnace.get(`${OTHER}/manifests/1`, bearer(byPost['token']))).status, 200);
  });

  it('leaves the rules in force: a token is no permission', async () => {
    await using around = await Surroundings.start();
    await using pinnace = (await setUp(around)).pinnace;
    const { token } = fieldsOf(
      await askToken(pinnace, { scope: SCOPE }, { headers: basic('bob', 'builder') }),
    );
    assert.equal(reasonOf(await pinnace.get(MANIFEST, bearer(token))), 'client_forbidden');
  });

  const refused: readonly {
    name: string;
    fields: Readonly<Record<string, string>>;
    headers?: Readonly<Record<string, string>>;
    isForm?: boolean;
    status: number;
    error: string;
    says?: RegExp;
  }[] = [
    { name: 'nobody', fields: {}, status: 401, error: 'invalid_request' },
    {
      name: 'a wrong password',
      fields: {},
      headers: basic('alice', 'looking-glass'),
      status: 401,
      error: 'invalid_grant',
    },
    {
      name: 'a wrong password in a form',
      fields: { grant_type: 'password', username: 'alice', password: 'x' },
      isForm: true,
      status: 401,
      error: 'invalid_grant',
    },
    {
      name: 'a password in the query',
      fields: { grant_type: 'password', username: 'alice', password: 'wonderland' },
      status: 401,
      error: 'invalid_request',
    },
    {
      name: 'another service',
      fields: { service: 'other' },
      headers: basic('alice', 'wonderland'),
      status: 400,
      error: 'invalid_request',
    },
    { name: 'no grant', fields: {}, isForm: true, status: 400, error: 'invalid_request' },
    {
      name: 'an unknown grant',
      fields: { grant_type: 'authorization_code' },
      isForm: true,
      status: 400,
      error: 'unsupported_grant_type',
    },
    {
      name: 'a refresh token that is none',
      fields: { grant_type: 'refresh_token', refresh_token: 'x.y.z' },
      isForm: true,
      status: 401,
      error: 'invalid_grant',
    },
    {
      name: 'control characters',
      fields: { grant_type: 'password', username: 'a\u0000', password: 'x' },
      isForm: true,
      status: 400,
      error: 'invalid_request',
    },
    {
      name: 'a body that is no form',
      fields: {},
      headers: { 'content-type': 'application/json' },
      isForm: true,
      status: 400,
      error: 'invalid_request',
      says: /has to be application\/x-www-form-urlencoded/,
    },
    {
      name: 'a body without end',
      fields: { grant_type: 'password', username: 'alice', password: 'x'.repeat(40_000) },
      isForm: true,
      status: 400,
      error: 'invalid_request',
      says: /longer than 32768 bytes/,
    },
  ];
  it('gives nothing for anything else, and says why in both forms that engines read', async () => {
    await using around = await Surroundings.start();
    await using pinnace = (await setUp(around, { refreshLifetime: '1h' })).pinnace;
    for (const { name, fields, headers, isForm, status, error, says = /./ } of refused) {
      const answer = await askToken(pinnace, fields, {
        ...(headers === undefined ? {} : { headers }),
        ...(isForm === undefined ? {} : { isForm }),
      });
      assert.equal(answer.status, status, name);
      const body = JSON.parse(answer.body.toString());
      assert.equal(body.error, error, name);
      assert.equal(body.error_description, body.errors[0].message, name);
      assert.equal(body.token, undefined, name);
      assert.match(body.error_description, says, name);
      if (status === 401) assert.match(String(answer.headers['www-authenticate']), /^Basic /, name);
      assert.equal(answer.headers['cache-control'], 'no-store', name);
    }
    for (const method of ['PUT', 'HEAD', 'DELETE']) {
      assert.equal((await ask(pinnace.port(), '/token', { method })).status, 405, method);
    }
    assert.doesNotMatch(pinnace.lines.join('\n'), /looking-glass|wonderland|YWxpY2U6|x\.y\.z/);
  });

  it('ends guessing', async () => {
    await using around = await Surroundings.start();
    await using pinnace = (await setUp(around)).pinnace;
    for (let turn = 0; turn < 10; turn += 1) {
      await askToken(pinnace, {}, { headers: basic('alice', `guess-${turn}`) });
    }
    const limited = await askToken(pinnace, {}, { headers: basic('alice', 'wonderland') });
    assert.equal(limited.status, 429);
    assert.equal(limited.headers['retry-after'], '300');
  });

  it('gives a token in place of the password where that is configured', async () => {
    await using around = await Surroundings.start();
    const { pinnace: running, file } = await setUp(around, { refreshLifetime: '1h' });
    await using pinnace = running;
    const clock = pinnace.clock;
    assert.ok(clock instanceof BriskClock);
    const wanted = { offline_token: 'true', service: SERVICE };
    const headers = basic('alice', 'wonderland');
    const { refresh_token: refresh } = fieldsOf(await askToken(pinnace, wanted, { headers }));
    const { refresh_token: none } = fieldsOf(await askToken(pinnace, {}, { headers }));
    assert.equal(none, undefined);
    const renew = async (refresh_token: unknown) =>
      await askToken(
        pinnace,
        { grant_type: 'refresh_token', refresh_token: String(refresh_token), scope: SCOPE },
        { isForm: true },
      );
    const { token } = fieldsOf(await renew(refresh));
    assert.equal((await pinnace.get(MANIFEST, bearer(token))).status, 200);
    // Neither kind can stand in for the other.
    assert.equal((await pinnace.get(MANIFEST, bearer(refresh))).status, 401);
    assert.equal((await renew(token)).status, 401);

    clock.advance(301_000);
    const expired = await pinnace.get(MANIFEST, bearer(token));
    assert.match(String(expired.headers['www-authenticate']), /error="invalid_token"/);
    const { token: fresh } = fieldsOf(await renew(refresh));
    assert.equal((await pinnace.get(MANIFEST, bearer(fresh))).status, 200);
    // A changed password ends all that was given for the old one, at once.
    await htpasswd(around, { alice: 'looking-glass', bob: 'builder' });
    await pinnace.reload();
    assert.equal((await pinnace.get(MANIFEST, bearer(fresh))).status, 401);
    assert.equal((await renew(refresh)).status, 401);
    assert.ok(file.length > 0);
  });

  it('signs with a key that outlives a restart, and that no other entry has', async () => {
    await using around = await Surroundings.start();
    const first = (await setUp(around)).pinnace;
    const headers = basic('alice', 'wonderland');
    const { token } = fieldsOf(await askToken(first, { scope: SCOPE }, { headers }));
    await first.stop();
    const address = '127.0.0.1:0';
    const entry = {
      kind: 'token-endpoint',
      service: SERVICE,
      htpasswd: join(around.folder, 'htpasswd'),
    };
    const config = await around.writeConfig({
      listeners: {
        registry: { address, defaultRegistry: REGISTRY_HOST, clients: 'users' },
        other: { address, defaultRegistry: REGISTRY_HOST, clients: 'others' },
      },
      more: { clients: { users: entry, others: entry } },
    });
    await using second = await RunningPinnace.start(config);
    assert.equal((await second.get(MANIFEST, bearer(token))).status, 200);
    assert.equal((await second.get(MANIFEST, { ...bearer(token), listener: 'other' })).status, 401);
  });

  it('reads scopes as its listener reads names, by the host they were sent to', async () => {
    await using around = await Surroundings.start();
    around.publisher(APP).release('1', buildImage({ message: APP }));
    const file = await htpasswd(around, { alice: 'wonderland' });
    const hosts = { 'corp.example': REGISTRY_HOST };
    const config = await around.writeConfig({
      listeners: { registry: { address: '127.0.0.1:0', hosts, clients: 'users' } },
      more: { clients: { users: { kind: 'token-endpoint', service: SERVICE, htpasswd: file } } },
    });
    await using pinnace = await RunningPinnace.start(config);
    const host = { host: 'corp.example' };
    const headers = { ...basic('alice', 'wonderland'), ...host };
    const { token } = fieldsOf(await askToken(pinnace, { scope: SCOPE }, { headers }));
    const authorization = `Bearer ${String(token)}`;
    assert.equal(
      (await pinnace.get(MANIFEST, { headers: { authorization, ...host } })).status,
      200,
    );
    const full = `${REGISTRY_HOST}/${MANIFEST}`;
    assert.equal((await pinnace.get(full, { headers: { authorization } })).status, 200);
  });
});
