import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { gzipSync } from 'node:zlib';
import { TrustServerError } from '../../../src/metadata/errors.ts';
import { OciError } from '../../../src/oci/errors.ts';
import { TrustError } from '../../../src/trust/errors.ts';
import { tufLocation } from '../../../src/upstream/metadata-url.ts';
import { rejectsWithCode } from '../../support/reject-with-code.ts';
import { issueServerCertificate, makeTestCa } from '../../support/x509.ts';
import { failing, type Handler, json, routes, serve } from './loopback.ts';
import {
  authorised,
  BASIC,
  CONTENT,
  CREDENTIALS,
  FILE,
  GUN,
  LIMIT,
  PATH,
  sendContent,
  sourceOf,
} from './metadata-server-setup.ts';

describe('MetadataServer: files', () => {
  it('gives back the exact bytes of a file, and undefined when there is none', async (t) => {
    const server = await serve(t, routes({ [PATH]: sendContent }));
    const source = sourceOf(t, `${server.url}/`);
    const bytes = await source.fetch(GUN, FILE, LIMIT);
    assert.deepEqual(Buffer.from(bytes ?? []), CONTENT);
    assert.equal(await source.fetch(GUN, 'root.json', LIMIT), undefined);
    const [request] = server.requests;
    assert.equal(request?.url, PATH);
    assert.equal(request?.headers['user-agent'], 'pinnace/1.2.3');
    assert.equal(request?.headers['accept-encoding'], 'identity');
    assert.equal(request?.headers['cache-control'], undefined);
  });

  it('goes round caches when asked to, and keeps a path prefix', async (t) => {
    const server = await serve(t, routes({ [`/sub${PATH}`]: sendContent }));
    const source = sourceOf(t, `${server.url}/sub`);
    assert.ok(await source.fetch(GUN, FILE, { ...LIMIT, bypassCaches: true }));
    assert.equal(server.requests[0]?.headers['cache-control'], 'no-cache');
  });

  const hex = 'a'.repeat(64);
  const files = [
    'root.json',
    '2.root.json',
    `snapshot.${hex}.json`,
    'targets/releases.json',
    `targets/a-b/c_d.${hex}.json`,
  ];
  for (const file of files) {
    it(`asks for ${file} by that name`, async (t) => {
      const server = await serve(t, sendContent);
      await sourceOf(t, server.url).fetch(GUN, file, LIMIT);
      assert.equal(server.requests[0]?.url, `/v2/${GUN}/_trust/tuf/${file}`);
    });
  }

  const badFiles = [
    'timestamp.key',
    'snapshot.key',
    '',
    'x.json',
    '../root.json',
    'targets/../x.json',
    'targets//a.json',
    'targets/.json',
    'root.json?x',
    'root.json#',
    'targets/%2e.json',
    'targets/A.json',
    '0.root.json',
    `snapshot.${hex.toUpperCase()}.json`,
    'root.json\n',
    `targets/${'a'.repeat(500)}.json`,
  ];
  for (const file of badFiles) {
    it(`does not ask for ${JSON.stringify(file.slice(0, 40))}`, async (t) => {
      const server = await serve(t, sendContent);
      const call = sourceOf(t, server.url).fetch(GUN, file, LIMIT);
      await rejectsWithCode(call, TrustError, 'malformed');
      assert.equal(server.requests.length, 0);
    });
  }

  const badGuns = [
    '',
    '/a',
    'a/',
    'a//b',
    'a/./b',
    'a/../b',
    '..',
    'a?b',
    'a#b',
    'a%2fb',
    'a b',
    'a\\b',
    'a*b',
    'a\u0000',
    'ä',
    'a'.repeat(513),
  ];
  for (const gun of badGuns) {
    it(`does not ask about ${JSON.stringify(gun.slice(0, 40))}`, async (t) => {
      const server = await serve(t, sendContent);
      const call = sourceOf(t, server.url).fetch(gun, FILE, LIMIT);
      await rejectsWithCode(call, OciError, 'NAME_INVALID');
      assert.equal(server.requests.length, 0);
    });
  }
});

describe('MetadataServer: failures', () => {
  const redirect: Handler = (_request, response) => {
    response.writeHead(301, { location: '/other' }).end();
  };
  const failures: readonly (readonly [string, Handler, TrustServerError['code'], number])[] = [
    ['redirects', redirect, 'trust_server_error', 1],
    ['answers 400', status(400), 'trust_server_error', 1],
    ['answers 429', status(429), 'trust_server_error', 1],
    ['answers 500', status(500), 'trust_server_error', 1],
    ['answers 502', status(502), 'trust_server_error', 2],
    ['answers 503', status(503), 'trust_server_error', 2],
    ['answers 206', status(206), 'trust_server_error', 1],
    ['answers 403', status(403), 'trust_server_unauthorized', 1],
    ['answers 401 without a challenge', status(401), 'trust_server_unauthorized', 1],
    [
      'compresses',
      (_q, r) => void r.setHeader('content-encoding', 'gzip').end(gzipSync(CONTENT)),
      'trust_server_error',
      1,
    ],
    ['hangs up', (q) => void q.socket.destroy(), 'trust_server_unreachable', 2],
  ];
  for (const [name, handler, code, tries] of failures) {
    it(`reports ${code} when the server ${name}`, async (t) => {
      const server = await serve(t, handler);
      const call = sourceOf(t, server.url).fetch(GUN, FILE, LIMIT);
      await rejectsWithCode(call, TrustServerError, code);
      assert.equal(server.requests.length, tries);
    });
  }

  it('bears with one failure that passes', async (t) => {
    const server = await serve(t, failing([503], sendContent));
    assert.ok(await sourceOf(t, server.url).fetch(GUN, FILE, LIMIT));
  });

  it('reports a server that is not there, or is not who it should be, as unreachable', async (t) => {
    const ca = makeTestCa();
    const { certPem, keyPem } = issueServerCertificate(ca, ['127.0.0.1']);
    const server = await serve(t, sendContent, { cert: certPem, key: keyPem });
    for (const url of ['http://127.0.0.1:9', server.url]) {
      const call = sourceOf(t, url).fetch(GUN, FILE, LIMIT);
      await rejectsWithCode(call, TrustServerError, 'trust_server_unreachable');
    }
    assert.ok(await sourceOf(t, server.url, { ca: ca.certPem }).fetch(GUN, FILE, LIMIT));
  });

  const lengths: readonly (readonly [string, Handler])[] = [
    ['announced', (_q, r) => void r.setHeader('content-length', 5000).write('x')],
    [
      'not announced',
      (_q, r) => {
        r.flushHeaders();
        r.end('x'.repeat(1001));
      },
    ],
  ];
  for (const [name, handler] of lengths) {
    it(`stops at the limit when the length is ${name}`, async (t) => {
      const server = await serve(t, handler);
      const call = sourceOf(t, server.url).fetch(GUN, 'targets/releases.json', LIMIT);
      const error = await rejectsWithCode(call, TrustError, 'length_exceeded');
      assert.equal(error.detail['role'], 'targets/releases');
    });
  }

  it('accepts exactly the limit', async (t) => {
    const server = await serve(t, (_request, response) => void response.end('x'.repeat(1000)));
    assert.equal((await sourceOf(t, server.url).fetch(GUN, FILE, LIMIT))?.length, 1000);
  });

  it('ends within its time limit, or when the signal fires', async (t) => {
    const server = await serve(t, (_request, response) => {
      const timer = setInterval(() => response.write('x'), 20);
      response.on('close', () => clearInterval(timer));
    });
    const hasty = sourceOf(t, server.url, { timeouts: { totalMs: 150 } });
    await rejectsWithCode(
      hasty.fetch(GUN, FILE, LIMIT),
      TrustServerError,
      'trust_server_unreachable',
    );
    const reason = new Error('enough');
    const controller = new AbortController();
    setTimeout(() => controller.abort(reason), 50);
    const call = sourceOf(t, server.url).fetch(GUN, FILE, { ...LIMIT, signal: controller.signal });
    await assert.rejects(call, (error) => error === reason);
  });
});

describe('MetadataServer: TUF 1.0', () => {
  const files = [
    'timestamp.json',
    '12.root.json',
    '3.targets.json',
    'snapshot.json',
    '1.team%2Fapp.json',
    '4.%C3%A9~a_b-c.d.json',
    '...json',
  ];
  for (const file of files) {
    it(`asks for ${file} below the URL, whatever the collection`, async (t) => {
      const server = await serve(t, sendContent);
      const source = sourceOf(t, `${server.url}/sub/`, { locate: tufLocation });
      assert.deepEqual(Buffer.from((await source.fetch('*', file, LIMIT)) ?? []), CONTENT);
      assert.equal(server.requests[0]?.url, `/sub/${file}`);
    });
  }

  const badFiles = [
    '',
    '.json',
    'timestamp',
    '../1.root.json',
    'a/b.json',
    'a\\b.json',
    'a%2fb.json',
    'a%2.json',
    'timestamp.json?x',
    'timestamp.json#',
    'timestamp.json\n',
    'a b.json',
    'é.json',
    `${'a'.repeat(1300)}.json`,
  ];
  for (const file of badFiles) {
    it(`does not ask for ${JSON.stringify(file.slice(0, 40))}`, async (t) => {
      const server = await serve(t, sendContent);
      const call = sourceOf(t, server.url, { locate: tufLocation }).fetch('*', file, LIMIT);
      await rejectsWithCode(call, TrustError, 'malformed');
      assert.equal(server.requests.length, 0);
    });
  }

  it('takes 403 for "no such root", as object stores mean it, and for nothing else', async (t) => {
    const server = await serve(t, status(403));
    const source = sourceOf(t, server.url, { locate: tufLocation });
    assert.equal(await source.fetch('*', '2.root.json', LIMIT), undefined);
    for (const file of ['timestamp.json', '1.snapshot.json', '1.root-team.json']) {
      await rejectsWithCode(
        source.fetch('*', file, LIMIT),
        TrustServerError,
        'trust_server_unauthorized',
      );
    }
  });

  it('logs in by name and password, and with a token for no scope', async (t) => {
    const plain = await serve(t, (request, response) => {
      if (request.headers.authorization === BASIC) response.end(CONTENT);
      else response.writeHead(401, { 'www-authenticate': 'Basic realm="tuf"' }).end();
    });
    const source = sourceOf(t, plain.url, { locate: tufLocation, credentials: CREDENTIALS });
    assert.ok(await source.fetch('*', 'timestamp.json', LIMIT));
    const server = await serve(t, (request, response) => {
      if (request.url?.startsWith('/token')) json(response, { token: 'good' });
      else authorised(() => `${server.url}/token`, sendContent)(request, response);
    });
    const other = sourceOf(t, server.url, { locate: tufLocation, credentials: CREDENTIALS });
    assert.ok(await other.fetch('*', 'timestamp.json', LIMIT));
    const asked = new URL(server.requests[1]?.url ?? '', server.url).searchParams;
    assert.equal(asked.get('scope'), '');
  });
});

function status(code: number): Handler {
  return (_request, response) => void response.writeHead(code).end();
}
