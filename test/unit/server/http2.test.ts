import assert from 'node:assert/strict';
import { EventEmitter, once } from 'node:events';
import { type ClientHttp2Session, type ClientHttp2Stream, connect, constants } from 'node:http2';
import { describe, it } from 'node:test';
import { connect as connectTls } from 'node:tls';
import { CertificateGate } from '../../../src/auth/certificate-gate.ts';
import { systemClock } from '../../../src/base/clock.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { refusalFor } from '../../support/fake-pull-service.ts';
import { LoopbackServer } from '../../support/loopback-server.ts';
import { RegistryUnderTest, until } from '../../support/registry-under-test.ts';
import { askTls } from '../../support/tls-ask.ts';
import { issueServerCertificate, makeCertificate, makeTestCa } from '../../support/x509.ts';

const CA = makeTestCa();
const SERVER = issueServerCertificate(CA, ['localhost']);
const APP = 'docker.io/team/app';

interface Got {
  readonly status: number;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly body: Buffer;
  /** How the stream was reset; 0 when it ended. */
  readonly reset: number;
}

async function start(options: ConstructorParameters<typeof RegistryUnderTest>[0] = {}) {
  const registry = await new RegistryUnderTest({
    tls: { cert: SERVER.certPem, key: SERVER.keyPem },
    ...options,
  }).start();
  registry.pulls.addTag(APP, '1', { body: '{"schemaVersion":2}' });
  return registry;
}

function open(registry: RegistryUnderTest, more: object = {}): ClientHttp2Session {
  const session = connect(`https://localhost:${registry.port}`, { ca: CA.certPem, ...more });
  session.on('error', () => undefined);
  return session;
}

async function read(stream: ClientHttp2Stream): Promise<Got> {
  const chunks: Buffer[] = [];
  let headers: Readonly<Record<string, unknown>> = {};
  stream.on('response', (received) => {
    headers = received;
  });
  stream.on('data', (chunk: Buffer) => chunks.push(chunk));
  stream.on('error', () => undefined);
  await new Promise((resolve) => {
    stream.once('close', resolve);
  });
  const status = Number(headers[':status'] ?? 0);
  return { status, headers, body: Buffer.concat(chunks), reset: stream.rstCode };
}

async function ask(
  session: ClientHttp2Session,
  path: string,
  headers: Readonly<Record<string, string>> = {},
): Promise<Got> {
  return await read(session.request({ ':path': path, ...headers }));
}

/** What has to be the same over both; the rest is of the connection or of the decision. */
function comparable(answer: Pick<Got, 'status' | 'headers'>): Readonly<Record<string, unknown>> {
  const apart = new Set([':status', 'date', 'connection', 'keep-alive', 'x-pinnace-decision']);
  const { headers, status } = answer;
  const shared = Object.entries(headers).filter(([name]) => !apart.has(name));
  const length = Number(headers['content-length'] ?? 0);
  // Ids of decisions may grow by a character.
  return { ...Object.fromEntries(shared), 'content-length': Math.round(length / 10), status };
}

describe('HTTP/2', () => {
  it('is spoken where the client chooses it, with the answers of HTTP/1.1', async () => {
    await using registry = await start();
    const blob = registry.pulls.addBlob(APP, Buffer.alloc(300_000, 'x'));
    registry.pulls.refuseTag(APP, 'bad', refusalFor('bad_signature'));
    const session = open(registry);
    const paths = [
      '/v2/',
      '/v2/team/app/manifests/1',
      '/v2/team/app/manifests/bad',
      `/v2/team/app/blobs/${blob}`,
      '/v2/team/app/tags/list',
      '/v2/%%',
      '/nonsense',
    ];
    for (const path of paths) {
      for (const method of ['GET', 'HEAD']) {
        const two = await ask(session, path, { ':method': method });
        const one = await askTls(path, { port: registry.port, ca: CA, method });
        assert.equal(two.reset, 0, path);
        assert.deepEqual(comparable(two), comparable(one), `${method} ${path}`);
        if (one.status === 200) assert.ok(two.body.equals(one.body), path);
      }
    }
    const line = registry.logged('request')[0];
    assert.equal(line?.['client'], '127.0.0.1');
    session.close();
  });

  it('gives ranges and unchanged answers', async () => {
    await using registry = await start();
    const blob = registry.pulls.addBlob(APP, Buffer.from('0123456789'));
    const session = open(registry);
    const part = await ask(session, `/v2/team/app/blobs/${blob}`, { range: 'bytes=2-4' });
    assert.equal(part.status, 206);
    assert.equal(part.body.toString(), '234');
    const same = await ask(session, `/v2/team/app/blobs/${blob}`, { 'if-none-match': `"${blob}"` });
    assert.equal(same.status, 304);
    session.close();
  });

  it('resets the stream of content that turns out altered, and never ends it', async () => {
    await using registry = await start();
    const bytes = Buffer.alloc(500_000, 'x');
    const error = new Error('altered');
    const blob = registry.pulls.addBlob(APP, bytes, { failAfter: 400_000, error });
    const session = open(registry);
    const cut = await ask(session, `/v2/team/app/blobs/${blob}`);
    assert.equal(cut.reset, constants.NGHTTP2_INTERNAL_ERROR);
    assert.ok(cut.body.length < bytes.length);
    const next = await ask(session, '/v2/team/app/manifests/1');
    assert.equal(next.status, 200, 'the connection goes on');
    session.close();
  });

  it('notices clients that break off, and lets go of what they asked for', async () => {
    await using registry = await start();
    const blob = registry.pulls.addBlob(APP, Buffer.from('slow'), { hangs: true });
    const session = open(registry);
    await ask(session, '/v2/');
    const stream = session.request({ ':path': `/v2/team/app/blobs/${blob}` });
    stream.on('error', () => undefined);
    await until(() => registry.pulls.blobOptions.length > 0);
    stream.close(constants.NGHTTP2_CANCEL);
    await once(registry.pulls.blobOptions[0]?.signal ?? new EventTarget(), 'abort');
    session.close();
  });

  it('refuses CONNECT, and does not wait for uploads', async () => {
    await using registry = await start();
    const session = open(registry);
    const tunnel = session.request({ ':method': 'CONNECT', ':authority': 'evil.example:443' });
    assert.equal((await read(tunnel)).status, 405);
    const upload = session.request({ ':path': '/v2/team/app/blobs/uploads/', ':method': 'POST' });
    upload.write('some of it');
    assert.equal((await read(upload)).status, 405);
    session.close();
  });

  it('ends in order: requests under way are finished, new ones go elsewhere', async () => {
    const registry = await start();
    const session = open(registry);
    await ask(session, '/v2/');
    const goaway = once(session, 'goaway');
    const stopped = registry.listener.stop({ drainMs: 60_000 });
    await goaway;
    await stopped;
    await registry[Symbol.asyncDispose]();
  });

  it('is cut when the time for that is over', async () => {
    const registry = await start({ clock: systemClock });
    const blob = registry.pulls.addBlob(APP, Buffer.from('slow'), { hangs: true });
    const session = open(registry);
    await ask(session, '/v2/');
    const hanging = ask(session, `/v2/team/app/blobs/${blob}`);
    await until(() => registry.pulls.blobOptions.length > 0);
    await registry.listener.stop({ drainMs: 50 });
    assert.notEqual((await hanging).reset, 0, 'it does not look whole');
    await registry[Symbol.asyncDispose]();
  });

  it('gives up connections that ask for nothing', async () => {
    const clock = new FakeClock();
    await using registry = await start({ clock });
    const session = open(registry);
    await ask(session, '/v2/');
    const closed = once(session, 'close');
    clock.advance(76_000);
    clock.advance(6_000);
    await closed;
  });

  it('gives up a body that does not end', async () => {
    const clock = new FakeClock();
    const endpoint = { answer: () => assert.fail('a body that never came was answered') };
    const gate = {
      name: 'people',
      admit: () => assert.fail('nobody asked'),
      challenge: () => undefined,
      endpoint,
    };
    await using registry = await start({ clock, gate });
    const session = open(registry);
    const stream = session.request({
      ':path': '/token',
      ':method': 'POST',
      'content-type': 'application/x-www-form-urlencoded',
    });
    stream.write('grant_type=');
    const answer = read(stream);
    await ask(session, '/v2/').catch(() => undefined);
    clock.advance(31_000);
    assert.equal((await answer).reset, constants.NGHTTP2_CANCEL);
    session.destroy();
  });

  it('puts up with no more headers than HTTP/1.1 does', async () => {
    await using registry = await start({ limits: { maxHeaderBytes: 4096 } });
    const session = open(registry);
    const headers = Object.fromEntries(
      Array.from({ length: 20 }, (_, index) => [`x-${index}`, 'y'.repeat(1000)]),
    );
    const got = await ask(session, '/v2/', headers);
    assert.equal(got.status, 431);
    session.destroy();
  });

  it('ends a connection that takes back one request after another', async () => {
    await using registry = await start();
    const blob = registry.pulls.addBlob(APP, Buffer.from('slow'), { hangs: true });
    const session = open(registry);
    let isEnded = false;
    session.on('goaway', () => {
      isEnded = true;
    });
    for (let turn = 0; turn < 200 && !isEnded && !session.destroyed; turn += 1) {
      const streams = Array.from({ length: 20 }, () =>
        session.request({ ':path': `/v2/team/app/blobs/${blob}` }),
      );
      for (const stream of streams) stream.on('error', () => undefined);
      await new Promise(setImmediate);
      for (const stream of streams) stream.close(constants.NGHTTP2_CANCEL);
      await new Promise(setImmediate);
    }
    assert.equal(isEnded || session.destroyed, true);
    session.destroy();
    // Node's own limit would be a thousand.
    assert.ok(registry.pulls.asked.length < 700, `${registry.pulls.asked.length} were looked at`);
  });

  it('survives what is no HTTP/2', async () => {
    await using registry = await start();
    const socket = connectTls({
      ...{ host: 'localhost', port: registry.port, ca: CA.certPem, ALPNProtocols: ['h2'] },
    });
    await once(socket, 'secureConnect');
    socket.on('error', () => undefined);
    socket.write(`GET / HTTP/1.1\r\n\r\n${'x'.repeat(1000)}`);
    socket.resume();
    await once(socket, 'close');
    const session = open(registry);
    assert.equal((await ask(session, '/v2/')).status, 200);
    session.close();
  });

  it('knows the client certificate, and ends its connections when the client CA changes', async () => {
    const clientCa = makeTestCa('clients');
    const client = makeCertificate({
      commonName: 'node-1',
      issuer: clientCa,
      extendedKeyUsages: ['clientAuth'],
    });
    const identity = { cert: SERVER.certPem, key: SERVER.keyPem };
    await using registry = await start({
      gate: new CertificateGate({ name: 'nodes', nameFrom: 'common-name', clock: systemClock }),
      tls: { ...identity, clientCa: clientCa.certPem },
    });
    const session = open(registry, { cert: client.certPem, key: client.keyPem });
    assert.equal((await ask(session, '/v2/team/app/manifests/1')).status, 200);
    assert.equal(registry.logged('request').at(-1)?.['caller'], 'nodes/node-1');
    const anonymous = open(registry);
    assert.equal((await ask(anonymous, '/v2/team/app/manifests/1')).status, 403);
    const goaway = once(session, 'goaway');
    registry.useTls({ ...identity, clientCa: makeTestCa('others').certPem });
    await goaway;
    anonymous.close();
  });

  it('is relayed like HTTP/1.1: whole, cut, and broken off by the client', async () => {
    let closed = 0;
    const upstream = new LoopbackServer(() => ({
      status: 200,
      headers: { connection: 'keep-alive' },
      body: Buffer.from('bytes'),
    }));
    await upstream.start();
    upstream.inject(/cut/, { kind: 'reset', afterBytes: 3 });
    upstream.inject(/hang/, { kind: 'hang' });
    const relay = {
      originOf: () => ({ url: new URL(upstream.url), proxy: {} }),
      admit: async () => ({
        leave: () => {
          closed += 1;
        },
        succeeded: () => undefined,
        failed: () => undefined,
      }),
    };
    await using registry = await start({ relay });
    registry.pulls.leaveUnverified(APP);
    const session = open(registry);
    const whole = await ask(session, '/v2/team/app/manifests/1');
    assert.equal(whole.status, 200);
    assert.equal(whole.body.toString(), 'bytes');
    assert.equal(whole.headers['x-pinnace-verification'], 'none');
    assert.match(String(whole.headers['warning']), /^299 - "pinnace has not verified this/);
    const broken = await ask(session, '/v2/team/app/manifests/cut');
    assert.equal(broken.reset, constants.NGHTTP2_INTERNAL_ERROR);
    const hanging = session.request({ ':path': '/v2/team/app/manifests/hang' });
    hanging.on('error', () => undefined);
    while (upstream.requests.length < 3) await new Promise(setImmediate);
    hanging.close(constants.NGHTTP2_CANCEL);
    while (closed < 3) await new Promise(setImmediate);
    session.close();
    await upstream.stop();
  });

  it('says by its authority which registry it means, where the listener has names', async () => {
    await using registry = await start({ hosts: { 'corp.pinnace.test': 'registry.example.com' } });
    registry.pulls.addTag('registry.example.com/team/app', '1', { body: '{"of":"corp"}' });
    const session = open(registry);
    const path = '/v2/team/app/manifests/1';
    const named = await ask(session, path, { ':authority': 'Corp.pinnace.test:443' });
    assert.deepEqual([named.status, named.body.toString()], [200, '{"of":"corp"}']);
    assert.equal((await ask(session, path)).body.toString(), '{"schemaVersion":2}');
    const authority = 'corp.pinnace.test';
    const twofold = await ask(session, path, { ':authority': authority, host: 'elsewhere.test' });
    assert.equal(twofold.status, 400);
    session.close();
  });

  it('is not offered without TLS', async () => {
    await using registry = await new RegistryUnderTest().start();
    const session = connect(`http://127.0.0.1:${registry.port}`);
    const failed = new EventEmitter();
    session.on('error', (error) => failed.emit('done', error));
    session.on('close', () => failed.emit('done'));
    await once(failed, 'done');
    assert.equal((await registry.get('/v2/')).status, 200);
  });
});
