import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseRepositoryPath } from '../../../src/oci/names.ts';
import { UpstreamError } from '../../../src/resolve/errors.ts';
import {
  type Credentials,
  passwordCredentials,
  refreshTokenCredentials,
} from '../../../src/upstream/credentials.ts';
import { rejectsWithCode } from '../../support/reject-with-code.ts';
import { HurryingClock } from './hurrying-clock.ts';
import { challenge, failing, type Handler, json, routes, serve } from './loopback.ts';
import { CONTENT, DIGEST, LIMIT, MANIFEST_PATH, REGISTRY, REPOSITORY } from './registry-fixture.ts';
import { clientOf } from './registry-setup.ts';

const CREDENTIALS: Credentials = passwordCredentials('ci', async () => 'käse:1');
const BASIC = `Basic ${Buffer.from('ci:käse:1').toString('base64')}`;
const SCOPE = 'repository:library/alpine:pull';

/** A registry that wants tokens which `/token` of the same server hands out: t1, t2, …; only the newest is good. */
function tokenRegistry(
  more = '',
  reply: (token: string) => unknown = (token) => ({ token }),
): Handler {
  let count = 0;
  return (request, response) => {
    const { pathname } = new URL(request.url ?? '', 'http://loopback');
    if (pathname === '/token') {
      count += 1;
      json(response, reply(`t${count}`));
    } else if (request.headers.authorization === `Bearer t${count}` && count > 0) {
      response.end(CONTENT);
    } else {
      challenge(response, `http://${request.headers.host}/token?x=1`, more);
    }
  };
}

function paths(server: { readonly requests: readonly { readonly url: string }[] }): string[] {
  return server.requests.map(({ url }) => url.split('?', 1)[0] ?? '');
}

describe('RegistryClient: tokens', () => {
  it('gets an anonymous token when challenged and sends it unasked afterwards', async (t) => {
    const server = await serve(t, tokenRegistry());
    const client = clientOf(t, { url: server.url });
    await client.fetchManifest(REPOSITORY, DIGEST, LIMIT);
    await client.fetchManifest(REPOSITORY, DIGEST, LIMIT);
    assert.deepEqual(paths(server), [MANIFEST_PATH, '/token', MANIFEST_PATH, MANIFEST_PATH]);
    const asked = new URL(server.requests[1]?.url ?? '', server.url).searchParams;
    assert.deepEqual(Object.fromEntries(asked), { x: '1', scope: SCOPE, service: 'test-service' });
    assert.equal(server.requests[1]?.headers['authorization'], undefined);
    const path = parseRepositoryPath('library/busybox');
    await client.fetchManifest({ registry: REGISTRY, path }, DIGEST, LIMIT);
    assert.deepEqual(paths(server).slice(4, 5), ['/token']);
  });

  it('shows its credentials to the token service and the token to the registry', async (t) => {
    const server = await serve(t, tokenRegistry());
    const client = clientOf(t, { url: server.url, credentials: CREDENTIALS });
    await client.fetchManifest(REPOSITORY, DIGEST, LIMIT);
    const sent = server.requests.map(({ headers }) => headers['authorization']);
    assert.deepEqual(sent, [undefined, BASIC, 'Bearer t1']);
    const asked = new URL(server.requests[1]?.url ?? '', server.url).searchParams;
    assert.equal(asked.get('account'), 'ci');
  });

  const replies: readonly (readonly [string, (token: string) => unknown])[] = [
    ['access_token alone', (token) => ({ access_token: token })],
    ['access_token before token', (token) => ({ token: 'x', access_token: token })],
    ['token when access_token is empty', (token) => ({ token, access_token: '' })],
    ['a lifetime that is no number', (token) => ({ token, expires_in: 'long' })],
  ];
  for (const [name, reply] of replies) {
    it(`takes ${name}`, async (t) => {
      const server = await serve(t, tokenRegistry('', reply));
      await clientOf(t, { url: server.url }).fetchManifest(REPOSITORY, DIGEST, LIMIT);
      assert.equal(server.requests.length, 3);
    });
  }

  const lifetimes = [
    { name: 'without lifetime', expiresIn: undefined, usedForMs: 53_000, goneAfterMs: 2000 },
    { name: 'of one second', expiresIn: 1, usedForMs: 53_000, goneAfterMs: 2000 },
    { name: 'of a negative time', expiresIn: -5, usedForMs: 53_000, goneAfterMs: 2000 },
    { name: 'of five minutes', expiresIn: 300, usedForMs: 269_000, goneAfterMs: 2000 },
    { name: 'of a century', expiresIn: 3e9, usedForMs: 3_239_000, goneAfterMs: 2000 },
  ];
  for (const { name, expiresIn, usedForMs, goneAfterMs } of lifetimes) {
    it(`uses a token ${name} until shortly before its end`, async (t) => {
      const clock = new HurryingClock();
      const reply = (token: string): unknown => ({ token, expires_in: expiresIn });
      const server = await serve(t, tokenRegistry('', reply));
      const client = clientOf(t, { url: server.url }, { clock });
      await client.fetchManifest(REPOSITORY, DIGEST, LIMIT);
      clock.advance(usedForMs);
      await client.fetchManifest(REPOSITORY, DIGEST, LIMIT);
      assert.equal(server.requests.length, 4);
      clock.advance(goneAfterMs);
      await client.fetchManifest(REPOSITORY, DIGEST, LIMIT);
      assert.deepEqual(paths(server).slice(4), ['/token', MANIFEST_PATH]);
    });
  }

  it('asks once for the token that many requests need', async (t) => {
    const server = await serve(t, tokenRegistry());
    const client = clientOf(t, { url: server.url });
    const calls = Array.from({ length: 20 }, () => client.fetchManifest(REPOSITORY, DIGEST, LIMIT));
    await Promise.all(calls);
    assert.equal(paths(server).filter((path) => path === '/token').length, 1);
  });

  it('logs in again exactly once when a token is refused in the middle of use', async (t) => {
    let revoked = false;
    const registry = tokenRegistry();
    const server = await serve(t, (request, response) => {
      if (revoked && request.headers.authorization === 'Bearer t1') {
        challenge(response, `${server.url}/token`, ',error="invalid_token"');
      } else registry(request, response);
    });
    const client = clientOf(t, { url: server.url });
    await client.fetchManifest(REPOSITORY, DIGEST, LIMIT);
    revoked = true;
    server.requests.length = 0;
    const calls = Array.from({ length: 10 }, () => client.fetchManifest(REPOSITORY, DIGEST, LIMIT));
    await Promise.all(calls);
    assert.equal(paths(server).filter((path) => path === '/token').length, 1);
    assert.equal(server.requests.length, 21);
  });

  it('is denied after one login when the registry goes on asking', async (t) => {
    const server = await serve(t, (request, response) => {
      if (request.url?.startsWith('/token')) json(response, { token: 'x' });
      else challenge(response, `${server.url}/token`);
    });
    const call = clientOf(t, { url: server.url }).fetchManifest(REPOSITORY, DIGEST, LIMIT);
    await rejectsWithCode(call, UpstreamError, 'upstream_denied');
    assert.deepEqual(paths(server), [MANIFEST_PATH, '/token', MANIFEST_PATH]);
  });

  const offers = [
    [
      'only pulling',
      'repository:mirror/library/alpine:pull',
      'repository:mirror/library/alpine:pull',
    ],
    ['pushing', 'repository:library/alpine:push,pull', SCOPE],
    ['everything', 'registry:catalog:*', SCOPE],
  ] as const;
  for (const [name, offered, wanted] of offers) {
    it(`asks for ${wanted} when offered a scope for ${name}`, async (t) => {
      const server = await serve(t, tokenRegistry(`,scope="${offered}"`));
      await clientOf(t, { url: server.url }).fetchManifest(REPOSITORY, DIGEST, LIMIT);
      const asked = new URL(server.requests[1]?.url ?? '', server.url).searchParams;
      assert.equal(asked.get('scope'), wanted);
    });
  }

  const failures: readonly (readonly [string, Handler, UpstreamError['code'], number])[] = [
    ['refuses', (_q, r) => json(r, {}, 401), 'upstream_denied', 1],
    ['forbids', (_q, r) => json(r, {}, 403), 'upstream_denied', 1],
    ['calls the request bad', (_q, r) => json(r, {}, 400), 'upstream_denied', 1],
    ['is not there', (_q, r) => json(r, {}, 404), 'upstream_unreachable', 1],
    [
      'redirects',
      (_q, r) => void r.writeHead(302, { location: '/t' }).end(),
      'upstream_unreachable',
      1,
    ],
    ['fails', (_q, r) => json(r, {}, 500), 'upstream_unreachable', 3],
    ['limits the rate', (_q, r) => json(r, {}, 429), 'upstream_rate_limited', 1],
    ['sends no JSON', (_q, r) => void r.end('<html>'), 'upstream_unreachable', 1],
    ['sends null', (_q, r) => json(r, null), 'upstream_unreachable', 1],
    [
      'sends no token',
      (_q, r) => json(r, { __proto__: { token: 'x' } }),
      'upstream_unreachable',
      1,
    ],
    [
      'sends a token that breaks headers',
      (_q, r) => json(r, { token: 'a\r\nb' }),
      'upstream_unreachable',
      1,
    ],
    ['sends a number', (_q, r) => json(r, { token: 1 }), 'upstream_unreachable', 1],
    ['sends far too much', (_q, r) => void r.end(' '.repeat(300_000)), 'upstream_unreachable', 1],
  ];
  for (const [name, handler, code, tries] of failures) {
    it(`reports ${code} when the token service ${name}`, async (t) => {
      const server = await serve(t, (request, response) => {
        if (request.url?.startsWith('/token')) handler(request, response);
        else challenge(response, `${server.url}/token`);
      });
      const call = clientOf(t, { url: server.url }).fetchManifest(REPOSITORY, DIGEST, LIMIT);
      await rejectsWithCode(call, UpstreamError, code);
      assert.equal(paths(server).filter((path) => path === '/token').length, tries);
    });
  }

  it('bears with a token service that fails once', async (t) => {
    const token = failing([503], (_request, response) => json(response, { token: 't' }));
    const server = await serve(t, (request, response) => {
      if (request.url?.startsWith('/token')) token(request, response);
      else if (request.headers.authorization === 'Bearer t') response.end(CONTENT);
      else challenge(response, `${server.url}/token`);
    });
    await clientOf(t, { url: server.url }).fetchManifest(REPOSITORY, DIGEST, LIMIT);
  });
});

describe('RegistryClient: where credentials go', () => {
  const allowances = [
    { name: 'any host by default', listed: undefined, isSent: true },
    { name: 'a listed host', listed: 'itself', isSent: true },
    { name: 'no host that is not listed', listed: 'auth.example.com', isSent: false },
  ];
  for (const { name, listed, isSent } of allowances) {
    it(`lets ${name} have them`, async (t) => {
      const service = await serve(t, (_request, response) => json(response, { token: 't' }));
      const server = await serve(t, (request, response) => {
        if (request.headers.authorization === 'Bearer t') response.end(CONTENT);
        else challenge(response, `${service.url}/token`);
      });
      const hosts = listed === 'itself' ? service.host : listed;
      const client = clientOf(t, {
        url: server.url,
        credentials: CREDENTIALS,
        ...(hosts === undefined ? {} : { realmHosts: [hosts] }),
      });
      await client.fetchManifest(REPOSITORY, DIGEST, LIMIT);
      assert.equal(service.requests[0]?.headers['authorization'], isSent ? BASIC : undefined);
    });
  }

  const realms = ['ftp://a.example/', 'not a url', 'https://u:p@a.example/', 'file:///etc/passwd'];
  for (const realm of realms) {
    it(`does not go to ${realm} for a token`, async (t) => {
      const server = await serve(t, (_request, response) => challenge(response, realm));
      const client = clientOf(t, { url: server.url, credentials: CREDENTIALS });
      const call = client.fetchManifest(REPOSITORY, DIGEST, LIMIT);
      await rejectsWithCode(call, UpstreamError, 'upstream_denied');
    });
  }

  it('answers a basic challenge directly, and unasked from then on', async (t) => {
    const server = await serve(t, (request, response) => {
      if (request.headers.authorization === BASIC) response.end(CONTENT);
      else response.writeHead(401, { 'www-authenticate': 'Basic realm="x"' }).end();
    });
    const client = clientOf(t, { url: server.url, credentials: CREDENTIALS });
    await client.fetchManifest(REPOSITORY, DIGEST, LIMIT);
    await client.fetchManifest(REPOSITORY, DIGEST, LIMIT);
    assert.equal(server.requests.length, 3);
  });

  const hopeless = [
    ['without credentials', {}],
    ['with wrong ones', { credentials: passwordCredentials('ci', async () => 'no') }],
    [
      'with an unreadable password',
      {
        credentials: passwordCredentials('ci', () => Promise.reject(new Error('no file'))),
      },
    ],
    ['with an identity token', { credentials: refreshTokenCredentials(async () => 'r') }],
  ] as const;
  for (const [name, options] of hopeless) {
    it(`is denied by a basic challenge ${name}`, async (t) => {
      const server = await serve(t, (_request, response) => {
        response.writeHead(401, { 'www-authenticate': 'Basic' }).end();
      });
      const client = clientOf(t, { url: server.url, ...options });
      const call = client.fetchManifest(REPOSITORY, DIGEST, LIMIT);
      await rejectsWithCode(call, UpstreamError, 'upstream_denied');
      assert.ok(server.requests.length <= 2);
    });
  }
});

describe('RegistryClient: for the relay', () => {
  it('finds out by itself how to authorise, once', async (t) => {
    const server = await serve(t, tokenRegistry());
    const client = clientOf(t, { url: server.url });
    assert.equal(await client.authorization(REPOSITORY), 'Bearer t1');
    assert.equal(await client.authorization(REPOSITORY), 'Bearer t1');
    assert.deepEqual(paths(server), ['/v2/', '/token']);
  });

  it('gives none for a registry that wants none, and asks again after a minute', async (t) => {
    const clock = new HurryingClock();
    const server = await serve(t, routes({ '/v2/': (_request, response) => json(response, {}) }));
    const client = clientOf(t, { url: server.url }, { clock });
    for (let count = 0; count < 3; count += 1) {
      assert.equal(await client.authorization(REPOSITORY), undefined);
    }
    assert.equal(server.requests.length, 1);
    clock.advance(61_000);
    assert.equal(await client.authorization(REPOSITORY), undefined);
    assert.equal(server.requests.length, 2);
  });

  it('pings: 200 and 401 are a registry, anything else is not', async (t) => {
    const statuses = [200, 401, 404, 302, 403];
    const server = await serve(t, (_request, response) => {
      response.writeHead(statuses.shift() ?? 500, { location: '/elsewhere' }).end();
    });
    const client = clientOf(t, { url: server.url });
    await client.ping(REGISTRY);
    await client.ping(REGISTRY);
    await rejectsWithCode(client.ping(REGISTRY), UpstreamError, 'upstream_unreachable');
    await rejectsWithCode(client.ping(REGISTRY), UpstreamError, 'upstream_unreachable');
    await rejectsWithCode(client.ping(REGISTRY), UpstreamError, 'upstream_denied');
  });
});
