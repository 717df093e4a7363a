import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { describe, it } from 'node:test';
import { gzipSync } from 'node:zlib';
import { sha256Digest } from '../../../src/oci/digest.ts';
import { parseRegistryHost } from '../../../src/oci/names.ts';
import { UpstreamError } from '../../../src/resolve/errors.ts';
import { silentEvents, type UpstreamEvents } from '../../../src/upstream/events.ts';
import { rejectsWithCode } from '../../support/reject-with-code.ts';
import { HurryingClock } from './hurrying-clock.ts';
import { failing, type Handler, routes, serve } from './loopback.ts';
import {
  BLOB_PATH,
  CONTENT,
  DIGEST,
  LIMIT,
  MANIFEST_PATH,
  REGISTRY,
  REPOSITORY,
} from './registry-fixture.ts';
import { clientOf, drain } from './registry-setup.ts';

const OTHER_DIGEST = sha256Digest(Buffer.from('something else'));

const sendContent: Handler = (_request, response) => {
  response.writeHead(200, { 'content-type': 'Application/Vnd.Oci.Image.Manifest.v1+json; a=b' });
  response.end(CONTENT);
};
const content = routes({ [MANIFEST_PATH]: sendContent, [BLOB_PATH]: sendContent });

describe('RegistryClient: manifests', () => {
  it('asks for the four current media types by digest and gives back bytes and type', async (t) => {
    const server = await serve(t, content);
    const client = clientOf(t, { url: server.url });
    const manifest = await client.fetchManifest(REPOSITORY, DIGEST, LIMIT);
    assert.deepEqual(Buffer.from(manifest.bytes), CONTENT);
    assert.equal(manifest.mediaType, 'application/vnd.oci.image.manifest.v1+json');
    const [request] = server.requests;
    assert.equal(request?.url, MANIFEST_PATH);
    assert.equal(request?.headers['user-agent'], 'pinnace/1.2.3');
    assert.equal(request?.headers['accept-encoding'], 'identity');
    assert.equal(request?.headers['authorization'], undefined);
    const accepted = String(request?.headers['accept']).split(', ').sort();
    assert.deepEqual(accepted, [
      'application/vnd.docker.distribution.manifest.list.v2+json',
      'application/vnd.docker.distribution.manifest.v2+json',
      'application/vnd.oci.image.index.v1+json',
      'application/vnd.oci.image.manifest.v1+json',
    ]);
  });

  it('keeps a path prefix and drops a trailing slash', async (t) => {
    const server = await serve(t, routes({ [`/api/docker${MANIFEST_PATH}`]: sendContent }));
    const client = clientOf(t, { url: `${server.url}/api/docker//` });
    await client.fetchManifest(REPOSITORY, DIGEST, LIMIT);
    assert.deepEqual(client.originOf(REGISTRY), { url: `${server.url}/api/docker` });
  });

  const unusable: readonly (readonly [string, Handler])[] = [
    [
      'announces more than the limit',
      (_q, r) => void r.setHeader('content-length', 2000).write('x'),
    ],
    [
      'sends more than the limit unannounced',
      (_q, r) => void r.end('x'.repeat(1025)).flushHeaders(),
    ],
    ['drips without end', (_q, r) => endless(r)],
    ['compresses', (_q, r) => void r.setHeader('content-encoding', 'gzip').end(gzipSync(CONTENT))],
    ['answers 206', (_q, r) => void r.writeHead(206).end(CONTENT)],
    ['answers 204', (_q, r) => void r.writeHead(204).end()],
    ['answers 400', (_q, r) => void r.writeHead(400).end()],
    ['does not speak HTTP', (q) => void q.socket.end('SSH-2.0-x\r\n')],
    ['hangs up', (q) => void q.socket.destroy()],
    [
      'sends less than announced',
      (q, r) => {
        r.writeHead(200, { 'content-length': 500 }).write('x');
        setImmediate(() => q.socket.destroy());
      },
    ],
  ];
  for (const [name, handler] of unusable) {
    it(`cannot use an upstream that ${name}`, async (t) => {
      const server = await serve(t, handler);
      const client = clientOf(t, { url: server.url });
      const call = client.fetchManifest(REPOSITORY, DIGEST, LIMIT);
      await rejectsWithCode(call, UpstreamError, 'upstream_unreachable');
    });
  }

  const statuses = [
    [404, 'manifest_missing', 'blob_missing'],
    [401, 'upstream_denied', 'upstream_denied'],
    [403, 'upstream_denied', 'upstream_denied'],
    [429, 'upstream_rate_limited', 'upstream_rate_limited'],
  ] as const;
  for (const [status, ofManifest, ofBlob] of statuses) {
    it(`takes ${status} for ${ofManifest} or ${ofBlob} without asking again`, async (t) => {
      const server = await serve(t, (_request, response) => void response.writeHead(status).end());
      const client = clientOf(t, { url: server.url });
      const manifest = client.fetchManifest(REPOSITORY, DIGEST, LIMIT);
      const error = await rejectsWithCode(manifest, UpstreamError, ofManifest);
      assert.equal(error.detail['status'], status);
      await rejectsWithCode(client.fetchBlob(REPOSITORY, DIGEST), UpstreamError, ofBlob);
      assert.equal(server.requests.length, 2);
    });
  }

  it('knows only configured registries', async (t) => {
    const client = clientOf(t, { url: 'http://127.0.0.1:9' });
    const registry = parseRegistryHost('elsewhere.test');
    const elsewhere = { ...REPOSITORY, registry };
    const calls = [
      client.fetchManifest(elsewhere, DIGEST, LIMIT),
      client.fetchBlob(elsewhere, DIGEST),
      client.authorization(elsewhere),
      client.ping(registry),
    ];
    for (const call of calls) await rejectsWithCode(call, UpstreamError, 'upstream_denied');
    assert.throws(() => client.originOf(registry), UpstreamError);
  });
});

describe('RegistryClient: retries', () => {
  it('tries again after 5xx, with growing pauses', async (t) => {
    const server = await serve(t, failing([503, 500], content));
    const clock = new HurryingClock();
    const client = clientOf(
      t,
      { url: server.url },
      { clock, retry: { tries: 3, baseDelayMs: 1000 } },
    );
    await client.fetchManifest(REPOSITORY, DIGEST, LIMIT);
    assert.equal(server.requests.length, 3);
    const [first = 0, second = 0] = clock.pausesMs.filter((pauseMs) => pauseMs < 5000);
    assert.ok(first >= 500 && first <= 1000, String(first));
    assert.ok(second >= 1000 && second <= 2000, String(second));
  });

  for (const status of [500, 502, 503, 504]) {
    it(`gives up after three answers of ${status}`, async (t) => {
      const server = await serve(t, (_request, response) => {
        response.writeHead(status, { 'retry-after': '7' }).end();
      });
      const client = clientOf(t, { url: server.url });
      const call = client.fetchBlob(REPOSITORY, DIGEST);
      const error = await rejectsWithCode(call, UpstreamError, 'upstream_unreachable');
      assert.equal(error.retryAfterSeconds, 7);
      assert.equal(server.requests.length, 3);
    });
  }

  it('does not try again after 501', async (t) => {
    const server = await serve(t, (_request, response) => void response.writeHead(501).end());
    const call = clientOf(t, { url: server.url }).fetchBlob(REPOSITORY, DIGEST);
    await rejectsWithCode(call, UpstreamError, 'upstream_unreachable');
    assert.equal(server.requests.length, 1);
  });

  it('tries again when the connection is cut before the reply or within a manifest', async (t) => {
    let count = 0;
    const server = await serve(t, (request, response) => {
      count += 1;
      if (count === 1) request.socket.destroy();
      else if (count === 2) {
        response.writeHead(200, { 'content-length': CONTENT.length }).write(CONTENT.subarray(0, 3));
        setImmediate(() => request.socket.destroy());
      } else sendContent(request, response);
    });
    const manifest = await clientOf(t, { url: server.url }).fetchManifest(
      REPOSITORY,
      DIGEST,
      LIMIT,
    );
    assert.deepEqual(Buffer.from(manifest.bytes), CONTENT);
  });

  it('reports a refused connection after its tries', async (t) => {
    const port = await freePort();
    const client = clientOf(t, { url: `http://127.0.0.1:${port}` });
    const call = client.fetchManifest(REPOSITORY, DIGEST, LIMIT);
    const error = await rejectsWithCode(call, UpstreamError, 'upstream_unreachable');
    assert.equal(error.detail['networkCode'], 'ECONNREFUSED');
  });

  it('passes on Retry-After of a 429 in seconds and as a date', async (t) => {
    const clock = new HurryingClock('2026-11-23T08:00:00Z');
    const values = ['30', 'Mon, 23 Nov 2026 08:02:00 GMT', 'soon'];
    const server = await serve(t, (_request, response) => {
      response.writeHead(429, { 'retry-after': values.shift() }).end();
    });
    const client = clientOf(t, { url: server.url }, { clock });
    for (const expected of [30, 120, undefined]) {
      const call = client.fetchManifest(REPOSITORY, DIGEST, LIMIT);
      const error = await rejectsWithCode(call, UpstreamError, 'upstream_rate_limited');
      assert.equal(error.retryAfterSeconds, expected);
    }
    assert.equal(server.requests.length, 3);
  });
});

describe('RegistryClient: blobs', () => {
  it('streams with the announced size, or without one', async (t) => {
    const large = Buffer.alloc(3_000_000, 'pinnace');
    const server = await serve(t, (request, response) => {
      if (request.url === BLOB_PATH) response.setHeader('content-length', large.length);
      else response.flushHeaders();
      response.end(large);
    });
    const client = clientOf(t, { url: server.url });
    const sized = await client.fetchBlob(REPOSITORY, DIGEST);
    assert.equal(sized.size, large.length);
    assert.ok((await drain(sized.body)).equals(large));
    const unsized = await client.fetchBlob(REPOSITORY, OTHER_DIGEST);
    assert.equal(unsized.size, undefined);
    assert.ok((await drain(unsized.body)).equals(large));
    assert.ok((await server.openConnections()) <= 2, 'connections are kept and used again');
  });

  it('fails the iteration when the body breaks off, and is over then', async (t) => {
    const server = await serve(t, (request, response) => {
      response.writeHead(200, { 'content-length': 100 }).write('some');
      setTimeout(() => request.socket.destroy(), 20);
    });
    const { body } = await clientOf(t, { url: server.url }).fetchBlob(REPOSITORY, DIGEST);
    const iterator = body[Symbol.asyncIterator]();
    assert.equal(Buffer.from((await iterator.next()).value ?? []).toString(), 'some');
    await rejectsWithCode(iterator.next(), UpstreamError, 'upstream_unreachable');
    assert.equal((await iterator.next()).done, true);
    assert.equal(server.requests.length, 1);
  });

  it('fails the iteration when the body stalls', async (t) => {
    const server = await serve(
      t,
      (_request, response) => void response.writeHead(200).write('some'),
    );
    const client = clientOf(t, { url: server.url, timeouts: { bodyIdleMs: 100 } });
    const { body } = await client.fetchBlob(REPOSITORY, DIGEST);
    const error = await rejectsWithCode(drain(body), UpstreamError, 'upstream_unreachable');
    assert.equal(error.detail['networkCode'], 'UND_ERR_BODY_TIMEOUT');
  });

  for (const steps of [0, 1]) {
    it(`closes the connection when the iteration ends after ${steps} steps`, async (t) => {
      let closed: Promise<unknown> = Promise.resolve();
      const server = await serve(t, (request, response) => {
        closed = new Promise((resolve) => request.socket.once('close', resolve));
        endless(response);
      });
      const { body } = await clientOf(t, { url: server.url }).fetchBlob(REPOSITORY, DIGEST);
      const iterator = body[Symbol.asyncIterator]();
      for (let step = 0; step < steps; step += 1) await iterator.next();
      await iterator.return?.();
      await closed;
      assert.equal((await iterator.next()).done, true);
    });
  }

  it('stops with the reason of the signal, before, while waiting and within the body', async (t) => {
    const reason = new Error('enough');
    const server = await serve(t, (request, response) => {
      if (request.url === BLOB_PATH) endless(response);
    });
    const client = clientOf(t, { url: server.url });
    const isReason = (error: unknown): boolean => error === reason;
    await assert.rejects(
      client.fetchBlob(REPOSITORY, DIGEST, { signal: AbortSignal.abort(reason) }),
      isReason,
    );
    const waiting = new AbortController();
    const call = client.fetchBlob(REPOSITORY, OTHER_DIGEST, { signal: waiting.signal });
    setTimeout(() => waiting.abort(reason), 20);
    await assert.rejects(call, isReason);
    const streaming = new AbortController();
    const { body } = await client.fetchBlob(REPOSITORY, DIGEST, { signal: streaming.signal });
    setTimeout(() => streaming.abort(reason), 20);
    await assert.rejects(drain(body), isReason);
  });
});

describe('RegistryClient: time limits', () => {
  it('ends a manifest that drips within the total limit', async (t) => {
    const server = await serve(t, (_request, response) => {
      const timer = setInterval(() => response.write('x'), 20);
      response.on('close', () => clearInterval(timer));
    });
    const client = clientOf(t, { url: server.url, timeouts: { totalMs: 200 } });
    const call = client.fetchManifest(REPOSITORY, DIGEST, LIMIT);
    const error = await rejectsWithCode(call, UpstreamError, 'upstream_unreachable');
    assert.equal(error.detail['timeoutSeconds'], 0.2);
  });

  it('ends a call to a server that accepts and never answers within the headers limit', async (t) => {
    const server = await serve(t, () => undefined);
    const client = clientOf(t, { url: server.url, timeouts: { headersMs: 100 } });
    const call = client.fetchBlob(REPOSITORY, DIGEST);
    const error = await rejectsWithCode(call, UpstreamError, 'upstream_unreachable');
    assert.equal(error.detail['networkCode'], 'UND_ERR_HEADERS_TIMEOUT');
    assert.equal(server.requests.length, 1);
  });

  it('lets a blob take longer than the total limit once its headers are there', async (t) => {
    const server = await serve(t, (_request, response) => {
      response.write('a');
      setTimeout(() => response.end('b'), 300);
    });
    const client = clientOf(t, { url: server.url, timeouts: { totalMs: 100 } });
    const { body } = await client.fetchBlob(REPOSITORY, DIGEST);
    assert.equal((await drain(body)).toString(), 'ab');
  });

  it('ends within the total limit although the connection never comes about', async (t) => {
    // TLS is spoken to a server that accepts and says nothing.
    const silent = createServer().listen(0, '127.0.0.1');
    await once(silent, 'listening');
    silent.on('connection', (socket) => {
      socket.on('error', () => undefined);
      t.after(() => socket.destroy());
    });
    t.after(() => silent.close());
    const address = silent.address();
    assert.ok(typeof address === 'object' && address !== null);
    const url = `https://127.0.0.1:${address.port}`;
    const client = clientOf(t, { url, timeouts: { totalMs: 150 } });
    const call = client.fetchManifest(REPOSITORY, DIGEST, LIMIT);
    const error = await rejectsWithCode(call, UpstreamError, 'upstream_unreachable');
    assert.equal(error.detail['timeoutSeconds'], 0.15);
  });
});

describe('RegistryClient: events', () => {
  it('tells of requests, bytes and the remaining rate under the configured name', async (t) => {
    const server = await serve(t, (request, response) => {
      response.setHeader('ratelimit-remaining', '97;w=21600');
      content(request, response);
    });
    const seen: unknown[] = [];
    const events: UpstreamEvents = {
      ...silentEvents,
      request: (host, outcome) => void seen.push([host, outcome]),
      bytes: (host, count) => void seen.push([host, count]),
      rateLimitRemaining: (host, count) => void seen.push([host, `left ${count}`]),
    };
    const client = clientOf(t, { url: server.url }, { events });
    await client.fetchManifest(REPOSITORY, DIGEST, LIMIT);
    await client.fetchBlob(REPOSITORY, OTHER_DIGEST).catch(() => undefined);
    assert.deepEqual(seen, [
      [REGISTRY, 'ok'],
      [REGISTRY, 'left 97'],
      [REGISTRY, CONTENT.length],
      [REGISTRY, 'missing'],
      [REGISTRY, 'left 97'],
    ]);
  });
});

/** Sends without end, as fast as it is read. */
function endless(response: Parameters<Handler>[1]): void {
  const chunk = Buffer.alloc(16_384);
  const push = (): void => {
    while (!response.destroyed && response.write(chunk));
  };
  response.on('drain', push);
  push();
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  assert.ok(typeof address === 'object' && address !== null);
  return address.port;
}
