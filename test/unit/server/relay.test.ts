import assert from 'node:assert/strict';
import { once } from 'node:events';
import {
  createServer,
  type IncomingMessage,
  type RequestListener,
  type Server,
  type ServerResponse,
} from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { type AddressInfo, connect } from 'node:net';
import { describe, it } from 'node:test';
import type { RelayOptions, RelayOrigin } from '../../../src/server/relay.ts';
import { ociError, RegistryUnderTest, until } from '../../support/registry-under-test.ts';
import { issueServerCertificate, makeTestCa } from '../../support/x509.ts';

const NAME = 'registry.example.com/scratch/app';
const PATH = `/v2/${NAME}`;

class Upstream implements AsyncDisposable {
  readonly requests: IncomingMessage[] = [];
  readonly #server: Server;

  constructor(answer: RequestListener, tls?: { readonly cert: string; readonly key: string }) {
    const listener: RequestListener = (request, response) => {
      this.requests.push(request);
      answer(request, response);
    };
    this.#server =
      tls === undefined ? createServer(listener) : createTlsServer({ ...tls }, listener);
  }

  async start(): Promise<this> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    return this;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  url(protocol = 'http'): URL {
    return new URL(`${protocol}://localhost:${this.port}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
  }
}

async function registryBefore(
  url: URL,
  ca?: string,
  proxy: RelayOrigin['proxy'] = {},
  more: Partial<RelayOptions> = {},
): Promise<RegistryUnderTest> {
  const registry = new RegistryUnderTest({
    relay: {
      originOf: (host) =>
        host === 'registry.example.com'
          ? { url, proxy, ...(ca === undefined ? {} : { ca }) }
          : undefined,
      authorization: async () => 'Bearer pinnace-own-token',
      headersTimeoutMs: 200,
      idleTimeoutMs: 200,
      ...more,
    },
  });
  registry.pulls.leaveUnverified(NAME);
  return await registry.start();
}

/** A place that says what it was told. */
function recordedLease(): { readonly told: string[]; readonly admit: RelayOptions['admit'] } {
  const told: string[] = [];
  const admit: RelayOptions['admit'] = async () => ({
    succeeded: () => void told.push('succeeded'),
    failed: () => void told.push('failed'),
    leave: () => void told.push('leave'),
  });
  return { told, admit };
}

describe('a repository left unverified', () => {
  it('is relayed with Pinnace’s credentials and none of the client’s headers', async () => {
    await using upstream = await new Upstream((_request, response) => {
      response.writeHead(200, {
        'Content-Type': 'application/vnd.oci.image.manifest.v1+json',
        'Docker-Content-Digest': 'sha256:abc',
        'Set-Cookie': 'session=upstream-secret',
        Warning: '299 - "the registry moves"',
        'X-Internal': 'yes',
        Connection: 'X-Internal',
      });
      response.end('{"relayed":true}');
    }).start();
    await using registry = await registryBefore(upstream.url());
    const answer = await registry.get(`${PATH}/manifests/latest?ns=registry.example.com`, {
      headers: {
        Accept: 'application/vnd.oci.image.manifest.v1+json',
        Authorization: 'Basic Y2xpZW50OnNlY3JldA==',
        Cookie: 'client=secret',
        'X-Forwarded-For': '10.0.0.1',
        'Proxy-Authorization': 'Basic secret',
        'User-Agent': 'docker/28.5.2',
        Connection: 'X-Custom',
        'X-Custom': 'hop',
      },
    });
    assert.equal(answer.status, 200);
    assert.equal(answer.body.toString(), '{"relayed":true}');
    assert.equal(answer.headers['docker-content-digest'], 'sha256:abc');
    assert.match(
      String(answer.headers['warning']),
      /^299 - "pinnace has not verified this: .*", 299 - "the registry moves"$/,
    );
    assert.equal(answer.headers['set-cookie'], undefined);
    assert.equal(answer.headers['x-internal'], undefined);
    const [seen] = upstream.requests;
    assert.equal(seen?.url, '/v2/scratch/app/manifests/latest');
    assert.equal(seen?.headers.host, `localhost:${upstream.port}`);
    assert.equal(seen?.headers.authorization, 'Bearer pinnace-own-token');
    assert.deepEqual(Object.keys(seen?.headers ?? {}).toSorted(), [
      'accept',
      'accept-encoding',
      'authorization',
      'connection',
      'host',
      'user-agent',
    ]);
    const [line] = registry.logged('request');
    assert.equal(line?.['verdict'], 'passed_through');
    assert.equal(line?.['userAgent'], 'docker/28.5.2');
    assert.equal(line?.['bytes'], answer.body.length);
    assert.equal(await registry.metric('pinnace_relayed_requests_total{outcome="ok"}'), 1);
  });

  it('is relayed for HEAD, blobs with ranges, lists and referrers', async () => {
    await using upstream = await new Upstream((request, response) => {
      response.setHeader('Content-Length', 5);
      if (request.headers.range !== undefined) response.setHeader('Content-Range', 'bytes 0-4/9');
      response.statusCode = request.headers.range === undefined ? 200 : 206;
      const link = '</v2/scratch/app/tags/list?last=b&n=2>; rel="next"';
      if (request.url?.includes('tags/list')) response.setHeader('Link', link);
      response.end(request.method === 'HEAD' ? undefined : 'hello');
    }).start();
    await using registry = await registryBefore(upstream.url());
    const digest = `sha256:${'a'.repeat(64)}`;
    const head = await registry.head(`${PATH}/manifests/v1`);
    assert.equal(head.headers['content-length'], '5');
    assert.match(String(head.headers['warning']), /^299 - "pinnace has not verified this: [^,]*$/);
    const range = { headers: { Range: 'bytes=0-4' } };
    const blob = await registry.get(`${PATH}/blobs/${digest}`, range);
    assert.equal(blob.status, 206);
    assert.equal(blob.headers['content-range'], 'bytes 0-4/9');
    const tags = await registry.get(`${PATH}/tags/list?n=2&last=a`);
    assert.equal(tags.headers['link'], `</v2/${NAME}/tags/list?last=b&n=2>; rel="next"`);
    await registry.get(`${PATH}/referrers/${digest}`);
    await registry.get(`${PATH}/referrers/${digest}?artifactType=application%2Fspdx%2Bjson&x=1`);
    assert.deepEqual(
      upstream.requests.map((request) => `${request.method} ${request.url}`),
      [
        'HEAD /v2/scratch/app/manifests/v1',
        `GET /v2/scratch/app/blobs/${digest}`,
        'GET /v2/scratch/app/tags/list?n=2&last=a',
        `GET /v2/scratch/app/referrers/${digest}`,
        `GET /v2/scratch/app/referrers/${digest}?artifactType=application%2Fspdx%2Bjson`,
      ],
    );
  });

  it('takes no pushes, no trust metadata, and no body', async () => {
    await using upstream = await new Upstream((request, response) => {
      request.on('data', () => assert.fail('the body was passed on'));
      response.end('ok');
    }).start();
    await using registry = await registryBefore(upstream.url());
    assert.equal((await registry.get(`${PATH}/manifests/x`, { method: 'PUT' })).status, 405);
    assert.equal((await registry.get(`${PATH}/_trust/tuf/root.json`)).status, 404);
    assert.equal(upstream.requests.length, 0);
    const answer = await registry.get(`${PATH}/manifests/x`, {
      headers: { 'Content-Length': 8 },
      body: 'smuggled',
    });
    assert.equal(answer.status, 200);
  });

  it('is asked for once more with another login, and only where the registry itself refused the first', async () => {
    const refuse = (response: ServerResponse): void => {
      response.writeHead(401, { 'WWW-Authenticate': 'Bearer realm="http://a.example/t"' }).end();
    };
    await using storage = await new Upstream((_request, response) => refuse(response)).start();
    await using upstream = await new Upstream((request, response) => {
      if (request.url?.includes('blobs')) {
        response.writeHead(307, { Location: `http://127.0.0.1:${storage.port}/x` }).end();
      } else if (request.headers.authorization === 'Bearer second') response.end('{}');
      else refuse(response);
    }).start();
    const asked: unknown[] = [];
    const authorization: RelayOptions['authorization'] = async (_repository, refused) => {
      asked.push(refused);
      return refused === undefined ? 'Bearer first' : 'Bearer second';
    };
    await using registry = await registryBefore(upstream.url(), undefined, {}, { authorization });
    assert.equal((await registry.get(`${PATH}/manifests/x`)).body.toString(), '{}');
    const challenges = ['Bearer realm="http://a.example/t"'];
    assert.deepEqual(asked, [undefined, { authorization: 'Bearer first', challenges }]);
    asked.length = 0;
    const elsewhere = await registry.get(`${PATH}/blobs/sha256:${'a'.repeat(64)}`);
    assert.equal(elsewhere.headers['x-pinnace-reason'], 'upstream_denied');
    assert.deepEqual(asked, [undefined]);
  });

  const endings: readonly (readonly [string, RequestListener, readonly string[]])[] = [
    ['an answer', (_request, response) => response.end('{}'), ['succeeded', 'leave']],
    ['a refusal', (_request, response) => response.writeHead(404).end(), ['succeeded', 'leave']],
    ['an error', (_request, response) => response.writeHead(503).end(), ['failed', 'leave']],
    ['a reset', (request) => request.socket.resetAndDestroy(), ['failed', 'leave']],
    ['silence', () => undefined, ['failed', 'leave']],
  ];
  for (const [what, answer, expected] of endings) {
    it(`takes a place among the requests to its registry, and says how it went: ${what}`, async () => {
      await using upstream = await new Upstream(answer).start();
      const { told, admit } = recordedLease();
      await using registry = await registryBefore(upstream.url(), undefined, {}, { admit });
      await registry.get(`${PATH}/manifests/x`);
      await until(() => told.includes('leave'));
      assert.deepEqual(told, expected);
    });
  }

  it('says nothing of its registry when the client goes away', async () => {
    await using upstream = await new Upstream(() => undefined).start();
    const { told, admit } = recordedLease();
    await using registry = await registryBefore(upstream.url(), undefined, {}, { admit });
    const client = connect(registry.port, '127.0.0.1');
    client.write(`GET ${PATH}/manifests/x HTTP/1.1\r\nHost: x\r\n\r\n`);
    await until(() => upstream.requests.length === 1);
    client.destroy();
    await until(() => told.includes('leave'));
    assert.deepEqual(told, ['leave']);
  });

  it('follows redirects itself, without credentials for another host', async () => {
    await using storage = await new Upstream((_request, response) => response.end('blob')).start();
    await using upstream = await new Upstream((_request, response) => {
      response.writeHead(307, { Location: `http://127.0.0.1:${storage.port}/x?sig=secret` }).end();
    }).start();
    await using registry = await registryBefore(upstream.url());
    const answer = await registry.get(`${PATH}/blobs/sha256:${'a'.repeat(64)}`);
    assert.equal(answer.body.toString(), 'blob');
    assert.equal(answer.headers['location'], undefined);
    assert.equal(storage.requests[0]?.headers.authorization, undefined);
    assert.ok(!registry.lines.join('').includes('sig='));
  });

  it('is reached over TLS with a configured authority, and never redirected to plain text', async () => {
    const ca = makeTestCa();
    const { certPem, keyPem } = issueServerCertificate(ca, ['localhost']);
    await using plain = await new Upstream((_request, response) => response.end('plain')).start();
    await using upstream = await new Upstream(
      (request, response) => {
        if (request.url?.includes('blobs')) {
          response.writeHead(307, { Location: plain.url().href }).end();
        } else response.end('secure');
      },
      { cert: certPem, key: keyPem },
    ).start();
    await using registry = await registryBefore(upstream.url('https'), ca.certPem);
    assert.equal((await registry.get(`${PATH}/manifests/x`)).body.toString(), 'secure');
    assert.equal((await registry.get(`${PATH}/blobs/sha256:${'a'.repeat(64)}`)).status, 503);
    assert.equal(plain.requests.length, 0);
    await using untrusted = await registryBefore(upstream.url('https'));
    assert.equal((await untrusted.get(`${PATH}/manifests/x`)).status, 503);
  });

  it('goes through the configured HTTP proxy, and past it where noProxy says so', async () => {
    await using upstream = await new Upstream((_request, response) =>
      response.end('hello'),
    ).start();
    const seen: string[] = [];
    await using proxy = await new Upstream((request, response) => {
      seen.push(request.url ?? '');
      response.end('by proxy');
    }).start();
    const url = new URL(`http://registry.test:${upstream.port}`);
    const through = { httpProxy: proxy.url().href };
    await using registry = await registryBefore(url, undefined, through);
    assert.equal((await registry.get(`${PATH}/manifests/x`)).body.toString(), 'by proxy');
    assert.deepEqual(seen, [`${url.href}v2/scratch/app/manifests/x`]);
    const past = { ...through, noProxy: 'localhost' };
    await using direct = await registryBefore(upstream.url(), undefined, past);
    assert.equal((await direct.get(`${PATH}/manifests/x`)).body.toString(), 'hello');
  });

  const failures: readonly (readonly [string, RequestListener, number, string])[] = [
    ['hangs up', (request) => request.socket.destroy(), 503, 'upstream_unreachable'],
    ['is silent', () => undefined, 503, 'upstream_unreachable'],
    [
      'wants another login',
      (_request, response) =>
        response.writeHead(401, { 'WWW-Authenticate': 'Basic realm="x"' }).end(),
      403,
      'upstream_denied',
    ],
    [
      'redirects nowhere',
      (_request, response) => response.writeHead(302).end(),
      503,
      'upstream_unreachable',
    ],
  ];
  for (const [name, answer, status, reason] of failures) {
    it(`gets ${status} ${reason} when the upstream ${name}`, async () => {
      await using upstream = await new Upstream(answer).start();
      await using registry = await registryBefore(upstream.url());
      const refused = await registry.get(`${PATH}/manifests/latest`);
      assert.equal(refused.status, status);
      assert.equal(ociError(refused).detail['code'], reason);
      assert.equal(refused.headers['www-authenticate'], undefined);
      assert.equal(await registry.metric('pinnace_relayed_requests_total{outcome="failed"}'), 1);
    });
  }

  it('passes on what the upstream says of missing content and of rate limits', async () => {
    await using upstream = await new Upstream((request, response) => {
      const isLimited = request.url?.endsWith('limited') ?? false;
      response.writeHead(isLimited ? 429 : 404, isLimited ? { 'Retry-After': '9' } : {});
      response.end('{"errors":[]}');
    }).start();
    await using registry = await registryBefore(upstream.url());
    assert.equal((await registry.get(`${PATH}/manifests/missing`)).status, 404);
    const limited = await registry.get(`${PATH}/manifests/limited`);
    assert.equal(limited.status, 429);
    assert.equal(limited.headers['retry-after'], '9');
  });

  it('breaks off when the upstream breaks off or falls silent', async () => {
    for (const isSilent of [true, false]) {
      await using upstream = await new Upstream((_request, response) => {
        response.writeHead(200, { 'Content-Length': 100 });
        response.write('half', () => isSilent || response.destroy());
      }).start();
      await using registry = await registryBefore(upstream.url());
      await assert.rejects(registry.get(`${PATH}/manifests/latest`));
      await until(() => registry.logged('request').length > 0);
      assert.equal(registry.logged('request')[0]?.['verdict'], 'cut');
    }
  });

  it('gets 503 when its registry has no upstream', async () => {
    await using registry = await new RegistryUnderTest().start();
    registry.pulls.leaveUnverified('docker.io/library/scratch');
    const answer = await registry.get('/v2/library/scratch/manifests/latest');
    assert.equal(answer.status, 503);
  });
});
