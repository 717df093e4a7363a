import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { connect } from 'node:net';
import { describe, it, type TestContext } from 'node:test';
import type { TLSSocket } from 'node:tls';
import { UpstreamError } from '../../../src/resolve/errors.ts';
import { rejectsWithCode } from '../../support/reject-with-code.ts';
import { issueServerCertificate, makeCertificate, makeTestCa } from '../../support/x509.ts';
import { challenge, type Handler, json, type Loopback, serve } from './loopback.ts';
import { CONTENT, DIGEST, LIMIT, REPOSITORY } from './registry-fixture.ts';
import { clientOf, drain } from './registry-setup.ts';

const CA = makeTestCa();
const GOOD = issueServerCertificate(CA, ['127.0.0.1', 'localhost']);
const TLS = { cert: GOOD.certPem, key: GOOD.keyPem };
const sendContent: Handler = (_request, response) => void response.end(CONTENT);

describe('TLS', () => {
  it('trusts a certificate authority that was given, in addition to the usual ones', async (t) => {
    const server = await serve(t, sendContent, TLS);
    const client = clientOf(t, { url: server.url, ca: CA.certPem });
    await client.fetchManifest(REPOSITORY, DIGEST, LIMIT);
  });

  const expired = makeCertificate({
    commonName: 'expired',
    issuer: CA,
    ipAddresses: ['127.0.0.1'],
    notAfter: new Date(Date.now() - 1000),
  });
  const otherName = issueServerCertificate(CA, ['registry.example.com']);
  const bad = [
    {
      name: 'of an unknown authority',
      certificate: GOOD,
      ca: undefined,
      code: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
    },
    { name: 'that has expired', certificate: expired, ca: CA.certPem, code: 'CERT_HAS_EXPIRED' },
    {
      name: 'for another name',
      certificate: otherName,
      ca: CA.certPem,
      code: 'ERR_TLS_CERT_ALTNAME_INVALID',
    },
  ];
  for (const { name, certificate, ca, code } of bad) {
    it(`refuses a certificate ${name}, whatever the environment says`, async (t) => {
      withEnvironment(t, 'NODE_TLS_REJECT_UNAUTHORIZED', '0');
      const tls = { cert: certificate.certPem, key: certificate.keyPem };
      const server = await serve(t, sendContent, tls);
      const client = clientOf(t, { url: server.url, ...(ca === undefined ? {} : { ca }) });
      const call = client.fetchManifest(REPOSITORY, DIGEST, LIMIT);
      const error = await rejectsWithCode(call, UpstreamError, 'upstream_unreachable');
      assert.equal(error.detail['networkCode'], code);
      assert.equal(server.requests.length, 0);
    });
  }

  it('shows its own certificate to the upstream and to nobody else', async (t) => {
    const mine = makeCertificate({
      commonName: 'pinnace',
      issuer: CA,
      extendedKeyUsages: ['clientAuth'],
    });
    const shown: string[] = [];
    const note =
      (where: string, next: Handler): Handler =>
      (request, response) => {
        const subject = (request.socket as TLSSocket).getPeerCertificate().subject;
        shown.push(`${where} ${subject?.CN ?? 'nobody'}`);
        next(request, response);
      };
    const asking = { ...TLS, ca: CA.certPem, requestCert: true, rejectUnauthorized: false };
    const storage = await serve(t, note('storage', sendContent), asking);
    const redirect: Handler = (_request, response) =>
      void response.writeHead(307, { location: storage.url }).end();
    const server = await serve(t, note('registry', redirect), asking);
    const clientCertificate = { cert: mine.certPem, key: mine.keyPem };
    const client = clientOf(t, { url: server.url, ca: CA.certPem, clientCertificate });
    await drain((await client.fetchBlob(REPOSITORY, DIGEST)).body);
    assert.deepEqual(shown, ['registry pinnace', 'storage nobody']);
  });

  it('does not leave https for http, neither for content nor for a token', async (t) => {
    const plain = await serve(t, (_request, response) => json(response, { token: 't' }));
    const redirecting = await serve(
      t,
      (_request, response) => {
        response.writeHead(307, { location: plain.url }).end();
      },
      TLS,
    );
    const challenging = await serve(t, (_request, response) => challenge(response, plain.url), TLS);
    const expected = [
      [redirecting, 'upstream_unreachable'],
      [challenging, 'upstream_denied'],
    ] as const;
    for (const [server, code] of expected) {
      const client = clientOf(t, { url: server.url, ca: CA.certPem });
      await rejectsWithCode(client.fetchBlob(REPOSITORY, DIGEST), UpstreamError, code);
    }
    assert.equal(plain.requests.length, 0);
  });

  it('does not start with a certificate that cannot be used', (t) => {
    const clientCertificate = { cert: 'no PEM', key: 'no PEM' };
    assert.throws(() => clientOf(t, { url: 'https://127.0.0.1', clientCertificate }));
  });
});

describe('HTTP proxies', () => {
  it('forwards http and tunnels https, each through its own proxy', async (t) => {
    const plain = await serve(t, sendContent);
    const secure = await serve(t, sendContent, TLS);
    const proxy = await startProxy(t, plain);
    const options = { httpProxy: proxy.url, httpsProxy: proxy.url };
    await clientOf(t, { url: plain.url, proxy: options }).fetchManifest(REPOSITORY, DIGEST, LIMIT);
    const overTls = clientOf(t, { url: secure.url, proxy: options, ca: CA.certPem });
    await overTls.fetchManifest(REPOSITORY, DIGEST, LIMIT);
    assert.deepEqual(proxy.seen, [`forward ${plain.url}`, `tunnel ${secure.host}`]);
    assert.equal(plain.requests.length + secure.requests.length, 2);
  });

  it('reaches directly what is exempt, what has no proxy for its scheme, and everything else', async (t) => {
    withEnvironment(t, 'http_proxy', 'http://127.0.0.1:9');
    withEnvironment(t, 'HTTPS_PROXY', 'http://127.0.0.1:9');
    const server = await serve(t, sendContent);
    const dead = 'http://127.0.0.1:9';
    const options = [{ httpProxy: dead, noProxy: 'x.test,127.0.0.1' }, { httpsProxy: dead }, {}];
    for (const proxy of options) {
      await clientOf(t, { url: server.url, proxy }).fetchManifest(REPOSITORY, DIGEST, LIMIT);
    }
    await clientOf(t, { url: server.url }).fetchManifest(REPOSITORY, DIGEST, LIMIT);
  });

  it('reports a proxy that refuses', async (t) => {
    const proxy = await serve(t, (_request, response) => void response.writeHead(407).end());
    for (const scheme of ['http', 'https']) {
      const options = { httpProxy: proxy.url, httpsProxy: proxy.url };
      const client = clientOf(t, { url: `${scheme}://127.0.0.1:9`, proxy: options });
      const call = client.fetchManifest(REPOSITORY, DIGEST, LIMIT);
      await rejectsWithCode(call, UpstreamError, 'upstream_unreachable');
    }
  });
});

interface Proxy {
  readonly url: string;
  readonly seen: string[];
}

/** A proxy that forwards plain requests to one server and tunnels to wherever it is told. */
async function startProxy(context: TestContext, plain: Loopback): Promise<Proxy> {
  const seen: string[] = [];
  const server = createServer((request, response) => {
    seen.push(`forward ${new URL(request.url ?? '').origin}`);
    const path = new URL(request.url ?? '').pathname;
    void fetch(`${plain.url}${path}`).then(async (reply) => {
      response.end(Buffer.from(await reply.arrayBuffer()));
    });
  });
  server.on('connect', (request, socket) => {
    seen.push(`tunnel ${request.url}`);
    const target = connect(Number(request.url?.split(':')[1]), '127.0.0.1', () => {
      socket.write('HTTP/1.1 200 OK\r\n\r\n');
      target.pipe(socket).pipe(target);
    });
    for (const end of [socket, target]) end.on('error', () => target.destroy());
    context.after(() => void target.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  context.after(() => {
    server.close();
    server.closeAllConnections();
  });
  const address = server.address();
  assert.ok(typeof address === 'object' && address !== null);
  return { url: `http://127.0.0.1:${address.port}`, seen };
}

function withEnvironment(context: TestContext, name: string, value: string): void {
  const before = process.env[name];
  process.env[name] = value;
  context.after(() => {
    if (before === undefined) delete process.env[name];
    else process.env[name] = before;
  });
}
