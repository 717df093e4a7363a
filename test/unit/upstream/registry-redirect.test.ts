import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { UpstreamError } from '../../../src/resolve/errors.ts';
import { passwordCredentials } from '../../../src/upstream/credentials.ts';
import { rejectsWithCode } from '../../support/reject-with-code.ts';
import { type Handler, type Loopback, routes, serve } from './loopback.ts';
import {
  BLOB_PATH,
  CONTENT,
  DIGEST,
  LIMIT,
  MANIFEST_PATH,
  REPOSITORY,
} from './registry-fixture.ts';
import { clientOf, drain } from './registry-setup.ts';

const CREDENTIALS = passwordCredentials('ci', async () => 'secret');

const sendContent: Handler = (_request, response) => void response.end(CONTENT);

function redirectTo(location: string, status = 307): Handler {
  return (_request, response) => void response.writeHead(status, { location }).end('moved');
}

/** Lets only logged-in requests through. */
function behindBasic(next: Handler): Handler {
  return (request, response) => {
    if (request.headers.authorization !== undefined) next(request, response);
    else response.writeHead(401, { 'www-authenticate': 'Basic' }).end();
  };
}

function authorizations(server: Loopback): readonly unknown[] {
  return server.requests.map(({ headers }) => headers['authorization']);
}

describe('RegistryClient: redirects', () => {
  for (const status of [301, 302, 303, 307, 308]) {
    it(`follows ${status} to another host without taking the login along`, async (t) => {
      const storage = await serve(t, sendContent);
      const target = redirectTo(`${storage.url}/bucket?signature=x#part`, status);
      const server = await serve(t, behindBasic(target));
      const client = clientOf(t, { url: server.url, credentials: CREDENTIALS });
      const { body } = await client.fetchBlob(REPOSITORY, DIGEST);
      assert.deepEqual(await drain(body), CONTENT);
      await client.fetchManifest(REPOSITORY, DIGEST, LIMIT);
      assert.deepEqual(authorizations(storage), [undefined, undefined]);
      assert.equal(storage.requests[0]?.url, '/bucket?signature=x');
      assert.equal(storage.requests[0]?.headers['cookie'], undefined);
    });
  }

  it('follows a relative location on the same host with the login', async (t) => {
    const table = routes({
      [BLOB_PATH]: redirectTo('../stored?x=1'),
      '/v2/library/alpine/stored': sendContent,
    });
    const server = await serve(t, behindBasic(table));
    const client = clientOf(t, { url: server.url, credentials: CREDENTIALS });
    const { body } = await client.fetchBlob(REPOSITORY, DIGEST);
    assert.deepEqual(await drain(body), CONTENT);
    assert.equal(server.requests.at(-1)?.url, '/v2/library/alpine/stored?x=1');
  });

  it('does not take the login up again when it is sent back', async (t) => {
    const server: Loopback = await serve(t, (request, response) => {
      if (request.url === '/back') sendContent(request, response);
      else behindBasic((q, r) => redirectTo(`${elsewhere.url}/`)(q, r))(request, response);
    });
    const elsewhere: Loopback = await serve(t, (q, r) => redirectTo(`${server.url}/back`)(q, r));
    const client = clientOf(t, { url: server.url, credentials: CREDENTIALS });
    await drain((await client.fetchBlob(REPOSITORY, DIGEST)).body);
    assert.equal(server.requests.at(-1)?.url, '/back');
    assert.equal(authorizations(server).at(-1), undefined);
  });

  it('does not answer a challenge from another host', async (t) => {
    const elsewhere = await serve(t, behindBasic(sendContent));
    const server = await serve(t, redirectTo(`${elsewhere.url}/`));
    const client = clientOf(t, { url: server.url, credentials: CREDENTIALS });
    await rejectsWithCode(client.fetchBlob(REPOSITORY, DIGEST), UpstreamError, 'upstream_denied');
    assert.deepEqual(authorizations(elsewhere), [undefined]);
    assert.deepEqual(authorizations(server), [undefined]);
  });

  it('follows five redirects and not six', async (t) => {
    const counting: Handler = (request, response) => {
      const left = Number(/\d+$/.exec(request.url ?? '')?.[0]);
      if (left === 0) sendContent(request, response);
      else redirectTo(`/hop/${left - 1}`)(request, response);
    };
    const five = await serve(t, (q, r) =>
      q.url === BLOB_PATH ? redirectTo('/hop/4')(q, r) : counting(q, r),
    );
    await drain((await clientOf(t, { url: five.url }).fetchBlob(REPOSITORY, DIGEST)).body);
    assert.equal(five.requests.length, 6);
    const six = await serve(t, (q, r) =>
      q.url === BLOB_PATH ? redirectTo('/hop/5')(q, r) : counting(q, r),
    );
    const call = clientOf(t, { url: six.url }).fetchBlob(REPOSITORY, DIGEST);
    await rejectsWithCode(call, UpstreamError, 'upstream_unreachable');
    assert.equal(six.requests.length, 6);
  });

  const refused = [
    ['something that is not HTTP', 'ftp://127.0.0.1/x'],
    ['a file', 'file:///etc/passwd'],
    ['an address with user information', 'http://u:p@127.0.0.1/x'],
    ['no address', 'http://'],
    ['nowhere', ''],
  ] as const;
  for (const [name, location] of refused) {
    it(`refuses a redirect to ${name}`, async (t) => {
      const server = await serve(t, routes({ [MANIFEST_PATH]: redirectTo(location) }));
      const call = clientOf(t, { url: server.url }).fetchManifest(REPOSITORY, DIGEST, LIMIT);
      const error = await rejectsWithCode(call, UpstreamError, 'upstream_unreachable');
      assert.equal(error.detail['registry'], 'registry.test');
    });
  }

  it('takes a missing object of the storage for a missing blob', async (t) => {
    const storage = await serve(t, (_request, response) => void response.writeHead(404).end());
    const server = await serve(t, redirectTo(storage.url));
    const call = clientOf(t, { url: server.url }).fetchBlob(REPOSITORY, DIGEST);
    await rejectsWithCode(call, UpstreamError, 'blob_missing');
  });
});
