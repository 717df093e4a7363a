import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { TrustServerError } from '../../../src/metadata/errors.ts';
import { refreshTokenCredentials } from '../../../src/upstream/credentials.ts';
import { rejectsWithCode } from '../../support/reject-with-code.ts';
import { HurryingClock } from './hurrying-clock.ts';
import { challenge, type Handler, json, routes, serve } from './loopback.ts';
import {
  authorised,
  BASIC,
  CREDENTIALS,
  FILE,
  GUN,
  LIMIT,
  PATH,
  sendContent,
  sourceOf,
} from './metadata-server-setup.ts';

describe('MetadataServer: login', () => {
  it('asks for a token with its own scope, and keeps it for the collection', async (t) => {
    const clock = new HurryingClock();
    const files = authorised(() => `${server.url}/token`, routes({ [PATH]: sendContent }));
    const server = await serve(t, (request, response) => {
      if (request.url?.startsWith('/token')) json(response, { token: 'good' });
      else files(request, response);
    });
    const source = sourceOf(t, server.url, { clock, credentials: CREDENTIALS });
    assert.ok(await source.fetch(GUN, FILE, LIMIT));
    assert.equal(await source.fetch(GUN, 'root.json', LIMIT), undefined);
    const asked = new URL(server.requests[1]?.url ?? '', server.url).searchParams;
    assert.equal(asked.get('scope'), `repository:${GUN}:pull`);
    assert.equal(asked.get('service'), 'test-service');
    assert.equal(server.requests[1]?.headers['authorization'], BASIC);
    assert.equal(server.requests.length, 4);
    clock.advance(55_000);
    assert.ok(await source.fetch(GUN, FILE, LIMIT));
    assert.ok(server.requests[4]?.url.startsWith('/token'));
  });

  it('is unauthorised when the token is not enough', async (t) => {
    const server = await serve(t, (request, response) => {
      if (request.url?.startsWith('/token')) json(response, { token: 'bad' });
      else challenge(response, `${server.url}/token`, ',error="insufficient_scope"');
    });
    const call = sourceOf(t, server.url).fetch(GUN, FILE, LIMIT);
    await rejectsWithCode(call, TrustServerError, 'trust_server_unauthorized');
    assert.equal(server.requests.length, 3);
  });

  const tokenFailures: readonly (readonly [string, Handler, TrustServerError['code']])[] = [
    ['refuses', status(401), 'trust_server_unauthorized'],
    ['is not there', status(404), 'trust_server_error'],
    ['fails', status(503), 'trust_server_error'],
    ['sends too much', (_q, r) => void r.end(' '.repeat(300_000)), 'trust_server_error'],
    ['hangs up', (q) => void q.socket.destroy(), 'trust_server_unreachable'],
  ];
  for (const [name, handler, code] of tokenFailures) {
    it(`reports ${code} when the token service ${name}`, async (t) => {
      const service = await serve(t, handler);
      const server = await serve(
        t,
        authorised(() => service.url, sendContent),
      );
      const call = sourceOf(t, server.url).fetch(GUN, FILE, LIMIT);
      await rejectsWithCode(call, TrustServerError, code);
    });
  }

  for (const isListed of [false, true]) {
    it(`shows credentials to ${isListed ? 'a listed' : 'no other'} token service`, async (t) => {
      const service = await serve(t, (_request, response) => json(response, { token: 'good' }));
      const server = await serve(
        t,
        authorised(() => service.url, sendContent),
      );
      const realmHosts = isListed ? [service.host] : [];
      const source = sourceOf(t, server.url, { credentials: CREDENTIALS, realmHosts });
      assert.ok(await source.fetch(GUN, FILE, LIMIT));
      assert.equal(service.requests[0]?.headers['authorization'], isListed ? BASIC : undefined);
    });
  }

  it('exchanges an identity token by form, and shows it to no other token service', async (t) => {
    const service = await serve(t, (_request, response) =>
      json(response, { access_token: 'good' }),
    );
    const server = await serve(
      t,
      authorised(() => `${service.url}/oauth`, sendContent),
    );
    const credentials = refreshTokenCredentials(async () => 'identity');
    const realmHosts = [service.host];
    await sourceOf(t, server.url, { credentials, realmHosts }).fetch(GUN, FILE, LIMIT);
    await sourceOf(t, server.url, { credentials }).fetch(GUN, FILE, LIMIT);
    const [trusted, untrusted] = service.requests;
    assert.equal(trusted?.method, 'POST');
    assert.equal(trusted?.headers['content-type'], 'application/x-www-form-urlencoded');
    assert.deepEqual(Object.fromEntries(new URLSearchParams(trusted?.body)), {
      client_id: 'pinnace',
      grant_type: 'refresh_token',
      refresh_token: 'identity',
      scope: `repository:${GUN}:pull`,
      service: 'test-service',
    });
    assert.equal(untrusted?.method, 'GET');
    assert.ok(!untrusted?.url.includes('identity'));
  });

  it('answers a basic challenge', async (t) => {
    const server = await serve(t, (request, response) => {
      if (request.headers.authorization === BASIC) sendContent(request, response);
      else response.writeHead(401, { 'www-authenticate': 'Basic realm="n"' }).end();
    });
    assert.ok(await sourceOf(t, server.url, { credentials: CREDENTIALS }).fetch(GUN, FILE, LIMIT));
    const call = sourceOf(t, server.url).fetch(GUN, FILE, LIMIT);
    await rejectsWithCode(call, TrustServerError, 'trust_server_unauthorized');
  });
});

function status(code: number): Handler {
  return (_request, response) => void response.writeHead(code).end();
}
