import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Admission } from '../../../src/auth/admission.ts';
import { parseKeySet } from '../../../src/auth/key-set.ts';
import { FetchedKeys, FixedKeys, type KeySource } from '../../../src/auth/key-source.ts';
import { TokenGate } from '../../../src/auth/token-gate.ts';
import { TokenVerifier } from '../../../src/auth/token-verifier.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import {
  hmacToken,
  keySetOf,
  makeTokenKey,
  signToken,
  type TokenKey,
  unsignedToken,
} from '../../support/token-maker.ts';

const NOW = Date.parse('2026-11-23T00:00:00Z') / 1000;
const KEY = makeTokenKey('RS256', 'one');
const OTHER = makeTokenKey('RS256', 'two');
const CURVE = makeTokenKey('ES256', 'curve');
const ACCESS = [{ type: 'repository', name: 'team/app', actions: ['pull'] }];
const CLAIMS = {
  iss: 'auth.example.com',
  aud: 'pinnace',
  sub: 'alice',
  iat: NOW,
  nbf: NOW,
  exp: NOW + 300,
  access: ACCESS,
};

function keysOf(...keys: readonly TokenKey[]): FixedKeys {
  const parsed = parseKeySet(keySetOf(...keys));
  assert.ok(parsed.ok);
  return new FixedKeys(parsed.value);
}

function gateWith(keys: KeySource, clock = new FakeClock()): TokenGate {
  const verifier = new TokenVerifier({
    issuer: 'auth.example.com',
    audience: 'pinnace',
    algorithms: ['RS256', 'ES256'],
    clockSkewMs: 30_000,
    keys,
    clock,
  });
  return new TokenGate({
    name: 'ci',
    verifier,
    realm: () => 'https://auth.example.com/token',
    service: 'pinnace',
  });
}

const GATE = gateWith(keysOf(KEY, CURVE));

async function admit(token: string, gate = GATE): Promise<Admission> {
  const authorization = `Bearer ${token}`;
  return await gate.admit({ authorization, address: '192.0.2.1', certificate: undefined });
}

/** Who is let in, or why nobody is. */
async function outcome(token: string, gate = GATE): Promise<string> {
  const admission = await admit(token, gate);
  return admission.verdict === 'admitted'
    ? `${admission.caller.source}/${admission.caller.name} ${admission.repositories?.join(',')}`
    : `${admission.reason} ${admission.shown}: ${admission.sentence}`;
}

const token = (claims: object = {}, header: Readonly<Record<string, unknown>> = {}): string =>
  signToken(KEY, { claims: { ...CLAIMS, ...claims }, header });

describe('a good token', () => {
  const rows: readonly { name: string; token: string; is?: string }[] = [
    { name: 'of RSA', token: token() },
    { name: 'of ECDSA', token: signToken(CURVE, { claims: CLAIMS }) },
    { name: 'for several services', token: token({ aud: ['other', 'pinnace'] }) },
    { name: 'expired within the skew', token: token({ exp: NOW - 29 }) },
    { name: 'valid soon, within the skew', token: token({ nbf: NOW + 29 }) },
    { name: 'without nbf and iat', token: token({ nbf: undefined, iat: undefined }) },
    { name: 'of nobody in particular', token: token({ sub: '' }), is: 'ci/ team/app' },
    { name: 'without access', token: token({ access: undefined }), is: 'ci/alice ' },
    { name: 'with access that is no list', token: token({ access: 'all' }), is: 'ci/alice ' },
    {
      name: 'with access to other things',
      token: token({
        access: [
          null,
          'team/app',
          { type: 'registry', name: 'catalog', actions: ['*'] },
          { type: 'plugin', name: 'd', actions: ['pull'] },
          { type: 'repository', name: 'a', actions: ['push'] },
          { type: 'repository', name: 'b', actions: 'pull' },
          { type: 'repository', name: 7, actions: ['pull'] },
          { type: 'repository', name: 'c', actions: ['push', 'pull'] },
        ],
      }),
      is: 'ci/alice c',
    },
  ];
  for (const row of rows) {
    it(`${row.name} is let in`, async () => {
      assert.equal(await outcome(row.token), row.is ?? 'ci/alice team/app');
    });
  }
});

const pem = KEY.publicKey.export({ type: 'spki', format: 'pem' });
const raw = token().split('.');

describe('a bad token', () => {
  const rows: readonly { name: string; token: string; says: RegExp }[] = [
    { name: 'nobody signed', token: unsignedToken({ claims: CLAIMS }), says: /not allowed/ },
    {
      name: 'nobody signed, spelt otherwise',
      token: unsignedToken({ claims: CLAIMS, header: { alg: 'nOnE', kid: 'one' } }),
      says: /not allowed/,
    },
    {
      name: 'signed with the public key as if it were a secret (PEM)',
      token: hmacToken(String(pem), { claims: CLAIMS, header: { kid: 'one' } }),
      says: /not allowed/,
    },
    {
      name: 'signed with the public key as if it were a secret (JWK)',
      token: hmacToken(JSON.stringify(KEY.jwk), { claims: CLAIMS, header: { kid: 'one' } }),
      says: /not allowed/,
    },
    {
      name: 'signed with another key under the id of a known one',
      token: signToken(OTHER, { claims: CLAIMS, header: { kid: 'one' } }),
      says: /signature .* is wrong/,
    },
    {
      name: 'signed with a key nobody has',
      token: signToken(OTHER, { claims: CLAIMS }),
      says: /a key that its service does not have/,
    },
    {
      name: 'that brings its own key (jwk)',
      token: signToken(OTHER, { claims: CLAIMS, header: { jwk: OTHER.jwk } }),
      says: /a key that its service does not have/,
    },
    {
      name: 'that says where its key is (jku)',
      token: signToken(OTHER, { claims: CLAIMS, header: { jku: 'https://evil.example/jwks' } }),
      says: /a key that its service does not have/,
    },
    {
      name: 'whose key is of the other kind',
      token: signToken(CURVE, { claims: CLAIMS, header: { kid: 'one' } }),
      says: /a key that its service does not have|cannot be read/,
    },
    {
      name: 'with an algorithm that is not allowed',
      token: token({}, { alg: 'RS512' }),
      says: /not allowed/,
    },
    { name: 'with an algorithm that is a list', token: token({}, { alg: ['RS256'] }), says: /./ },
    { name: 'without an algorithm', token: token({}, { alg: undefined }), says: /./ },
    {
      name: 'with a demand nobody knows (crit)',
      token: token({}, { crit: ['exotic'], exotic: true }),
      says: /cannot be read/,
    },
    { name: 'without exp', token: token({ exp: undefined }), says: /when it expires/ },
    { name: 'expired', token: token({ exp: NOW - 31 }), says: /has expired/ },
    { name: 'with an exp that is no number', token: token({ exp: 'never' }), says: /./ },
    { name: 'with an exp that is a huge text', token: token({ exp: '99999999999' }), says: /./ },
    { name: 'not valid yet', token: token({ nbf: NOW + 31 }), says: /not valid yet/ },
    { name: 'without iss', token: token({ iss: undefined }), says: /another issuer/ },
    { name: 'of another issuer', token: token({ iss: 'evil.example' }), says: /another issuer/ },
    {
      name: 'of an issuer that begins alike',
      token: token({ iss: 'auth.example.com.evil.example' }),
      says: /another issuer/,
    },
    { name: 'of a list of issuers', token: token({ iss: ['auth.example.com'] }), says: /./ },
    { name: 'without aud', token: token({ aud: undefined }), says: /another service/ },
    { name: 'for another service', token: token({ aud: 'other' }), says: /another service/ },
    { name: 'for no service', token: token({ aud: [] }), says: /another service/ },
    { name: 'for services in an odd form', token: token({ aud: { 0: 'pinnace' } }), says: /./ },
    { name: 'whose name means a group', token: token({ sub: '@admins' }), says: /no name/ },
    { name: 'whose name is a list', token: token({ sub: ['alice'] }), says: /./ },
    { name: 'with other claims', token: [raw[0], btoa('{}'), raw[2]].join('.'), says: /./ },
    { name: 'without a signature', token: `${raw[0]}.${raw[1]}.`, says: /./ },
    { name: 'cut in two', token: `${raw[0]}.${raw[1]}`, says: /cannot be read/ },
    { name: 'that is none', token: 'abc', says: /cannot be read/ },
    {
      name: 'that is encrypted',
      token: `${Buffer.from('{"alg":"RSA-OAEP","enc":"A256GCM"}').toString('base64url')}.a.b.c.d`,
      says: /cannot be read/,
    },
    {
      name: 'longer than any',
      token: token({ padding: 'x'.repeat(16_000) }),
      says: /wants a token/,
    },
  ];
  for (const row of rows) {
    it(`${row.name} is refused, with words and a way to another one`, async () => {
      const [reason = '', sentence = ''] = (await outcome(row.token)).split(': ');
      assert.equal(reason, 'client_unauthorized token');
      assert.match(sentence, row.says);
      for (const secret of row.token.split('.').filter((part) => part.length > 8)) {
        assert.equal(sentence.includes(secret), false);
      }
    });
  }

  it('is refused beside a name and a password, and beside nothing', async () => {
    const at = { address: '192.0.2.1', certificate: undefined };
    const basic = await GATE.admit({ ...at, authorization: `Basic ${btoa('a:b')}` });
    assert.equal(basic.verdict === 'rejected' && basic.shown, 'token');
    const none = await GATE.admit({ ...at, authorization: undefined });
    assert.equal(none.verdict === 'rejected' && none.shown, 'missing');
  });

  it('without a key id counts only if one key alone could have signed it', async () => {
    const nameless = token({}, { kid: undefined });
    assert.equal(await outcome(nameless, gateWith(keysOf(KEY, CURVE))), 'ci/alice team/app');
    assert.match(await outcome(nameless, gateWith(keysOf(KEY, OTHER))), /^client_unauthorized/);
  });
});

describe('a token that was good', () => {
  it('is at hand the second time, and not a moment after it expires', async () => {
    const clock = new FakeClock();
    const gate = gateWith(keysOf(KEY), clock);
    const good = token({ exp: NOW + 40 });
    await admit(good, gate);
    const authorization = `Bearer ${good}`;
    const knock = { authorization, address: '192.0.2.1', certificate: undefined };
    assert.equal(gate.admit(knock) instanceof Promise, false);
    clock.setWallTime(new Date((NOW + 69) * 1000));
    assert.match(await outcome(good, gate), /^ci\/alice/, 'within the skew');
    clock.setWallTime(new Date((NOW + 71) * 1000));
    assert.match(await outcome(good, gate), /has expired/);
  });

  it('is believed for a minute at most when its key is withdrawn', async () => {
    const clock = new FakeClock();
    let keys = keysOf(KEY);
    const changing: KeySource = {
      current: async () => await keys.current(),
      renewed: async () => await keys.current(),
    };
    const gate = gateWith(changing, clock);
    const good = token({ exp: NOW + 3600 });
    await admit(good, gate);
    keys = keysOf(OTHER);
    assert.match(await outcome(good, gate), /^ci\/alice/);
    clock.advance(60_001);
    assert.match(await outcome(good, gate), /a key that its service does not have/);
  });
});

describe('keys that are fetched', () => {
  function fetched(): {
    readonly clock: FakeClock;
    readonly gate: TokenGate;
    readonly state: { text: string; fails: boolean; asked: number; failures: number };
  } {
    const clock = new FakeClock();
    const state = { text: keySetOf(KEY), fails: false, asked: 0, failures: 0 };
    const keys = new FetchedKeys({
      clock,
      onFailure: () => {
        state.failures += 1;
      },
      fetch: async () => {
        state.asked += 1;
        await new Promise(setImmediate);
        if (state.fails) throw new Error('down');
        return state.text;
      },
    });
    return { clock, gate: gateWith(keys, clock), state };
  }
  const lasting = (key: TokenKey, more: object = {}): string =>
    signToken(key, { claims: { ...CLAIMS, exp: NOW + 100_000, ...more } });

  it('are asked for once by many, and again after five minutes', async () => {
    const { clock, gate, state } = fetched();
    const all = Array.from(
      { length: 50 },
      async (_, index) => await outcome(lasting(KEY, { jti: index }), gate),
    );
    assert.deepEqual(new Set(await Promise.all(all)), new Set(['ci/alice team/app']));
    assert.equal(state.asked, 1);
    clock.advance(299_000);
    await outcome(lasting(KEY), gate);
    assert.equal(state.asked, 1);
    clock.advance(2_000);
    await outcome(lasting(KEY, { jti: 'x' }), gate);
    assert.equal(state.asked, 2);
  });

  it('are asked for when a token names a new one, but not for every invented name', async () => {
    const { clock, gate, state } = fetched();
    await outcome(lasting(KEY), gate);
    clock.advance(30_000);
    state.text = keySetOf(OTHER);
    assert.equal(await outcome(lasting(OTHER), gate), 'ci/alice team/app');
    assert.equal(state.asked, 2);
    for (let turn = 0; turn < 20; turn += 1) {
      const invented = makeTokenKey('ES256');
      assert.match(await outcome(lasting(invented), gate), /a key that its service does not have/);
    }
    assert.equal(state.asked, 2);
  });

  it('are used while they cannot be asked for, for an hour', async () => {
    const { clock, gate, state } = fetched();
    await outcome(lasting(KEY), gate);
    state.fails = true;
    clock.advance(3_500_000);
    assert.equal(await outcome(lasting(KEY), gate), 'ci/alice team/app');
    clock.advance(120_000);
    const late = await admit(lasting(KEY, { jti: 'late' }), gate);
    assert.equal(late.verdict === 'rejected' && late.reason, 'client_check_unavailable');
    assert.equal(late.verdict === 'rejected' && late.shown, 'wrong');
    assert.ok(state.failures >= 2);
    state.fails = false;
    clock.advance(30_000);
    assert.equal(await outcome(lasting(KEY, { jti: 'again' }), gate), 'ci/alice team/app');
  });

  it('that are none open nothing, and are not asked for at every try', async () => {
    const { gate, state } = fetched();
    state.text = '<html>';
    for (let turn = 0; turn < 5; turn += 1) {
      assert.match(await outcome(lasting(KEY, { jti: turn }), gate), /^client_check_unavailable/);
    }
    assert.equal(state.asked, 1);
  });
});

describe('a key set', () => {
  const { jwk } = KEY;
  const weak = { kty: 'RSA', kid: 'weak', e: 'AQAB', n: 'w'.repeat(171) };
  const rows: readonly (readonly [string, unknown, readonly string[] | RegExp])[] = [
    ['with keys', { keys: [jwk, CURVE.jwk] }, ['one', 'curve']],
    ['with a secret among them', { keys: [{ kty: 'oct', k: 'AAAA', kid: 's' }, jwk] }, ['one']],
    ['with a key for encryption', { keys: [{ ...jwk, use: 'enc' }, CURVE.jwk] }, ['curve']],
    ['with a weak key', { keys: [weak, jwk] }, ['one']],
    ['with a key of an unknown curve', { keys: [{ ...CURVE.jwk, crv: 'P-999' }, jwk] }, ['one']],
    ['with things that are no keys', { keys: [null, 7, 'x', [], jwk] }, ['one']],
    ['of secrets', { keys: [{ kty: 'oct', k: 'AAAA' }] }, /no public key/],
    ['of weak keys', { keys: [weak] }, /no public key/],
    ['with a private key', { keys: [{ ...jwk, d: 'AAAA' }] }, /holds a private key/],
    ['that is empty', { keys: [] }, /no public key/],
    ['that is a list', [jwk], /no JSON Web Key Set/],
    ['that is none', 'x', /no JSON Web Key Set/],
    ['without end', { keys: Array.from({ length: 101 }, () => jwk) }, /more than 100/],
  ];
  for (const [name, value, expected] of rows) {
    it(`${name} gives what is fit for signatures`, () => {
      const parsed = parseKeySet(JSON.stringify(value));
      if (expected instanceof RegExp) {
        assert.match(parsed.ok ? 'ok' : parsed.problem, expected);
      } else {
        assert.deepEqual(parsed.ok && parsed.value.keys.map((key) => Object(key)['kid']), expected);
      }
    });
  }
});

describe('the challenge', () => {
  it('names realm, service, scope and what was wrong', () => {
    const about = {
      origin: undefined,
      scope: 'repository:a/b:pull',
      error: 'invalid_token',
    } as const;
    assert.equal(
      GATE.challenge(about),
      'Bearer realm="https://auth.example.com/token",service="pinnace",scope="repository:a/b:pull",error="invalid_token"',
    );
    assert.equal(
      GATE.challenge({ origin: undefined }),
      'Bearer realm="https://auth.example.com/token",service="pinnace"',
    );
  });
});
