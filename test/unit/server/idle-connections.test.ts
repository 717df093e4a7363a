import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect as connectHttp2 } from 'node:http2';
import { connect, type Socket } from 'node:net';
import { describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { connect as connectTls } from 'node:tls';
import { systemClock } from '../../../src/base/clock.ts';
import { DEFAULT_LIMITS } from '../../../src/server/http-limits.ts';
import { RegistryUnderTest, until } from '../../support/registry-under-test.ts';
import { issueServerCertificate, makeTestCa } from '../../support/x509.ts';

const NAME = 'library/alpine';
const REPOSITORY = `docker.io/${NAME}`;
const { keepAliveTimeoutMs: KEPT_MS, idleTimeoutMs: IDLE_MS } = DEFAULT_LIMITS;
/** Between two looks. */
const LOOK_MS = KEPT_MS / 10;
const CA = makeTestCa();
const { certPem: cert, keyPem: key } = issueServerCertificate(CA, ['localhost']);

const get = (path: string): string => `GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`;

function open(port: number, isTls = false): Socket {
  const socket = isTls
    ? connectTls({ host: 'localhost', port, ca: CA.certPem })
    : connect(port, '127.0.0.1');
  socket.on('error', () => undefined);
  return socket;
}

/** Asks by the connection and reads the first bytes of the answer. */
async function answerOn(socket: Socket, path: string): Promise<string> {
  socket.write(get(path));
  const [bytes] = await once(socket, 'data');
  return bytes.toString('latin1');
}

/** Gives whatever would be cut the time to be. */
async function turns(): Promise<void> {
  for (let turn = 0; turn < 20; turn += 1) await new Promise(setImmediate);
}

for (const isTls of [false, true]) {
  describe(`a connection that waits for the next request${isTls ? ', by TLS' : ''}`, () => {
    const options = isTls ? { tls: { cert, key } } : {};

    it('is closed after a while, and not before', async () => {
      await using registry = await new RegistryUnderTest(options).start();
      const { clock, connections } = registry;
      registry.pulls.addTag(REPOSITORY, '1', { body: '{}' });
      const socket = open(registry.port, isTls);
      assert.match(await answerOn(socket, `/v2/${NAME}/manifests/1`), /^HTTP\/1.1 200 /);
      await turns();
      const end = once(socket, 'end');
      clock.advance(KEPT_MS);
      await turns();
      assert.equal(connections.taken, 1);
      clock.advance(LOOK_MS);
      await end;
      await until(() => connections.taken === 0);
      assert.equal(connections.taken, 0);
    });

    it('is kept while requests come', async () => {
      await using registry = await new RegistryUnderTest(options).start();
      registry.pulls.addTag(REPOSITORY, '1', { body: '{}' });
      const socket = open(registry.port, isTls);
      for (let count = 0; count < 20; count += 1) {
        assert.match(await answerOn(socket, `/v2/${NAME}/manifests/1`), /^HTTP\/1.1 200 /);
        registry.clock.advance(KEPT_MS - LOOK_MS);
        await turns();
      }
      assert.equal(registry.connections.taken, 1);
      socket.destroy();
    });
  });
}

describe('a connection that waits for the next request', () => {
  it('answers one that is on its way when it would have been closed', async () => {
    await using registry = await new RegistryUnderTest().start();
    registry.pulls.addTag(REPOSITORY, '1', { body: '{}' });
    const socket = open(registry.port);
    await answerOn(socket, `/v2/${NAME}/manifests/1`);
    await turns();
    const blob = registry.pulls.addBlob(REPOSITORY, Buffer.from('slow'), { hangs: true });
    // Written at once: it waits in the system while the look is taken.
    const answer = answerOn(socket, `/v2/${NAME}/blobs/${blob}`);
    registry.clock.advance(KEPT_MS + LOOK_MS);
    assert.match(await answer, /^HTTP\/1.1 200 /);
    await turns();
    assert.equal(registry.connections.taken, 1);
    socket.destroy();
  });

  it('is looked at no more after the listener has stopped', async () => {
    const registry = await new RegistryUnderTest().start();
    const socket = open(registry.port);
    await answerOn(socket, '/v2/');
    await registry[Symbol.asyncDispose]();
    assert.equal(registry.clock.pendingTimers, 0);
  });
});

describe('a connection without a byte in either direction', () => {
  for (const [name, words] of [
    ['that says nothing', ''],
    ['whose answer does not come', get(`/v2/${NAME}/blobs/`)],
  ] as const) {
    it(`is cut, one ${name}`, async () => {
      await using registry = await new RegistryUnderTest({
        limits: { headersTimeoutMs: 600_000, requestTimeoutMs: 600_000 },
      }).start();
      const { clock, connections, places } = registry;
      const blob = registry.pulls.addBlob(REPOSITORY, Buffer.from('slow'), { hangs: true });
      const socket = open(registry.port);
      if (words !== '') socket.write(words.replace('/blobs/', `/blobs/${blob}`));
      socket.resume();
      await until(() => connections.taken === 1 && (words === '' || places.taken === 1));
      await turns();
      clock.advance(IDLE_MS - LOOK_MS);
      await turns();
      assert.equal(connections.taken, 1, 'not before its time');
      clock.advance(3 * LOOK_MS);
      await until(() => connections.taken === 0);
      assert.deepEqual([connections.taken, places.taken], [0, 0]);
    });
  }

  it('has its own limits by HTTP/2', async () => {
    await using registry = await new RegistryUnderTest({ tls: { cert, key } }).start();
    const blob = registry.pulls.addBlob(REPOSITORY, Buffer.from('slow'), { hangs: true });
    const session = connectHttp2(`https://localhost:${registry.port}`, { ca: CA.certPem });
    session.on('error', () => undefined);
    const stream = session.request({ ':path': `/v2/${NAME}/blobs/${blob}` });
    stream.on('error', () => undefined);
    await once(stream, 'response');
    registry.clock.advance(2 * IDLE_MS);
    await turns();
    assert.equal(registry.connections.taken, 1);
    session.destroy();
  });
});

describe('a client that takes a large write in small pieces, where no pace is demanded', () => {
  for (const takes of [true, false]) {
    it(takes ? 'is left alone' : 'is cut when it takes no more', async () => {
      const idleTimeoutMs = 600;
      await using registry = await new RegistryUnderTest({
        ...{ clock: systemClock, limits: { idleTimeoutMs, minRate: 0 } },
      }).start();
      const blob = registry.pulls.addBlob(REPOSITORY, Buffer.alloc(64 * 2 ** 20));
      const socket = open(registry.port);
      socket.pause();
      socket.write(get(`/v2/${NAME}/blobs/${blob}`));
      await until(() => registry.connections.taken === 1);
      const end = systemClock.monotonicMs() + (takes ? 4 : 40) * idleTimeoutMs;
      let closed = false;
      while (!closed && systemClock.monotonicMs() < end) {
        await delay(5);
        if (takes) socket.read(65_536);
        closed = registry.connections.taken === 0;
      }
      assert.equal(closed, !takes);
      socket.destroy();
    });
  }
});
