import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { LoopbackServer } from '../support/loopback-server.ts';
import { REGISTRY_HOST, reasonOf, Surroundings } from '../support/running-pinnace.ts';
import { keySetOf, makeTokenKey, signToken, type TokenKey } from '../support/token-maker.ts';
import {
  APP,
  askToken,
  basic,
  bearer,
  claimsOf,
  fieldsOf,
  MANIFEST,
  OTHER,
  SECONDS,
  SERVICE,
  startWithClients,
} from '../support/token-proxy.ts';

describe('tokens of an existing token service', () => {
  const claims = (name: string, sub = 'alice') => ({
    iss: 'auth.example.com',
    aud: SERVICE,
    sub,
    exp: SECONDS + 3600,
    access: [{ type: 'repository', name, actions: ['pull'] }],
  });

  it('open what they are for and what the rules allow, by keys from a server', async () => {
    await using around = await Surroundings.start();
    const key = makeTokenKey();
    const keys = await new LoopbackServer(() => ({
      status: 200,
      headers: { 'content-type': 'application/json' },
      body: Buffer.from(keySetOf(key)),
    })).start();
    await using pinnace = await startWithClients(around, {
      kind: 'token',
      realm: 'https://auth.example.com/token',
      service: SERVICE,
      issuer: 'auth.example.com',
      jwksUrl: `${keys.url}/jwks`,
    });
    const token = (name: string, sub?: string) =>
      bearer(signToken(key, { claims: claims(name, sub) }));
    assert.equal((await pinnace.get(MANIFEST, token(APP))).status, 200);
    assert.equal((await pinnace.get(MANIFEST, token(`${REGISTRY_HOST}/${APP}`))).status, 200);
    assert.equal((await pinnace.get('', token(APP))).status, 200);
    assert.equal(reasonOf(await pinnace.get(MANIFEST, token(APP, 'bob'))), 'client_forbidden');
    const narrow = await pinnace.get(MANIFEST, token(OTHER));
    assert.equal(narrow.status, 401);
    const challenge = `Bearer realm="https://auth.example.com/token",service="${SERVICE}",scope="repository:${APP}:pull"`;
    assert.equal(narrow.headers['www-authenticate'], `${challenge},error="insufficient_scope"`);
    const nobody = await pinnace.get(MANIFEST);
    assert.equal(nobody.headers['www-authenticate'], challenge);
    const forged = signToken(makeTokenKey('RS256', key.keyId), { claims: claims(APP) });
    const refused = await pinnace.get(MANIFEST, bearer(forged));
    assert.equal(refused.headers['www-authenticate'], `${challenge},error="invalid_token"`);
    assert.equal(keys.requests.length, 1);
    assert.deepEqual(keys.requests[0]?.headers['authorization'], undefined);
    await keys.stop();
  });

  it('are not judged while the keys cannot be had', async () => {
    await using around = await Surroundings.start();
    const keys = await new LoopbackServer(() => ({
      status: 500,
      headers: {},
      body: Buffer.from(''),
    })).start();
    await using pinnace = await startWithClients(around, {
      kind: 'token',
      realm: 'https://auth.example.com/token',
      service: SERVICE,
      issuer: 'auth.example.com',
      jwksUrl: `${keys.url}/jwks`,
    });
    const answer = await pinnace.get(
      MANIFEST,
      bearer(signToken(makeTokenKey(), { claims: claims(APP) })),
    );
    assert.equal(reasonOf(answer), 'client_check_unavailable');
    assert.equal(answer.status, 503);
    assert.equal(pinnace.logged('client.keys_failed').length, 1);
    await keys.stop();
  });
});

describe('the token endpoint before an OpenID provider', () => {
  const idToken = (key: TokenKey, more: object = {}) =>
    signToken(key, {
      claims: {
        iss: 'https://login.example.com',
        aud: 'pinnace',
        sub: '7f3',
        email: 'alice@example.com',
        exp: SECONDS + 600,
        groups: ['web', '@bad', 7],
        ...more,
      },
    });

  async function setUp(around: Surroundings, oidc: object = {}) {
    const key = makeTokenKey();
    const jwks = join(around.folder, 'jwks.json');
    await writeFile(jwks, keySetOf(key));
    const provider = { issuer: 'https://login.example.com', audience: 'pinnace', jwks, ...oidc };
    const pinnace = await startWithClients(around, {
      kind: 'token-endpoint',
      service: SERVICE,
      oidc: provider,
    });
    return { key, pinnace };
  }

  it('takes an ID token for a password, with the groups it names', async () => {
    await using around = await Surroundings.start();
    const { key, pinnace: running } = await setUp(around, { groupsClaim: 'groups' });
    await using pinnace = running;
    const scope = `repository:${APP}:pull`;
    const headers = basic('whoever', idToken(key));
    const { token } = fieldsOf(await askToken(pinnace, { scope }, { headers }));
    assert.deepEqual(claimsOf(token)['groups'], ['web']);
    assert.equal(claimsOf(token)['sub'], '7f3');
    assert.equal((await pinnace.get(MANIFEST, bearer(token))).status, 200);
    const outside = basic('whoever', idToken(key, { groups: ['ops'] }));
    const { token: theirs } = fieldsOf(await askToken(pinnace, { scope }, { headers: outside }));
    assert.equal(reasonOf(await pinnace.get(MANIFEST, bearer(theirs))), 'client_forbidden');
    // The ID token itself opens nothing.
    assert.equal((await pinnace.get(MANIFEST, bearer(idToken(key)))).status, 401);
  });

  it('takes no other token for one', async () => {
    await using around = await Surroundings.start();
    const { key, pinnace: running } = await setUp(around, { usernameClaim: 'email' });
    await using pinnace = running;
    const rows: readonly (readonly [string, string, RegExp])[] = [
      ['of another provider', idToken(key, { iss: 'https://evil.example' }), /another issuer/],
      ['for another client', idToken(key, { aud: 'other' }), /another service/],
      ['that has expired', idToken(key, { exp: SECONDS - 100 }), /expired/],
      ['of another key', idToken(makeTokenKey()), /a key that its service does not have/],
      ['whose address nobody has checked', idToken(key), /no email that could be a name/],
      ['that is a password', 'wonderland', /cannot be read/],
    ];
    for (const [name, token, says] of rows) {
      const answer = await askToken(pinnace, {}, { headers: basic('alice', token) });
      assert.equal(answer.status, 401, name);
      assert.match(JSON.parse(answer.body.toString()).error_description, says, name);
    }
    const good = idToken(key, { email_verified: true });
    const { token } = fieldsOf(await askToken(pinnace, {}, { headers: basic('x', good) }));
    assert.equal(claimsOf(token)['sub'], 'alice@example.com');
    const lines = pinnace.lines.join('\n');
    for (const secret of [good, String(token)]) assert.equal(lines.includes(secret), false);
  });
});
