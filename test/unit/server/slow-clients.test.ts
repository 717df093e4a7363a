import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { connect as connectHttp2 } from 'node:http2';
import { connect, type Socket } from 'node:net';
import { describe, it } from 'node:test';
import { systemClock } from '../../../src/base/clock.ts';
import { ClientPace, type Taker, type Took } from '../../../src/server/client-pace.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { RegistryUnderTest, until } from '../../support/registry-under-test.ts';
import { issueServerCertificate, makeTestCa } from '../../support/x509.ts';

const NAME = 'library/alpine';
const REPOSITORY = `docker.io/${NAME}`;
const MIB = 2 ** 20;
const OVER_MS = 600_000;
const CA = makeTestCa();
const SERVER = issueServerCertificate(CA, ['localhost']);

const get = (path: string): string => `GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`;

/** Somebody to whom bytes are owed at certain times, and who takes so many a second. */
class FakeTaker implements Taker {
  owed = true;
  bytes = 0;
  took: Took | undefined;

  taken(): number {
    return this.bytes;
  }

  isOwed(): boolean {
    return this.owed;
  }

  cut(took: Took): void {
    this.took = took;
    this.owed = false;
  }
}

describe('ClientPace', () => {
  const RATE = 1024;
  const cases: readonly {
    readonly name: string;
    readonly minRate?: number;
    /** What happens in one minute. */
    readonly minute: (taker: FakeTaker, minute: number) => void;
    readonly isCut: boolean;
  }[] = [
    { name: 'takes nothing', minute: () => undefined, isCut: true },
    { name: 'takes a byte a minute', minute: (taker) => (taker.bytes += 1), isCut: true },
    {
      name: 'takes a little less than it has to',
      minute: (taker) => (taker.bytes += 60 * RATE - 1),
      isCut: true,
    },
    {
      name: 'takes as much as it has to',
      minute: (taker) => (taker.bytes += 60 * RATE),
      isCut: false,
    },
    {
      name: 'takes nothing for minutes, and then enough',
      minute: (taker, minute) => (taker.bytes += minute % 9 === 0 ? 10 * 60 * RATE : 0),
      isCut: false,
    },
    {
      name: 'takes all there is, and waits for more most of the time',
      minute: (taker, minute) => {
        taker.owed = minute % 5 === 0;
        taker.bytes += 1;
      },
      isCut: false,
    },
    {
      name: 'takes nothing, where nothing is demanded',
      minRate: 0,
      minute: () => undefined,
      isCut: false,
    },
  ];
  for (const { name, minRate = RATE, minute, isCut } of cases) {
    it(`${isCut ? 'cuts' : 'leaves'} one that ${name}`, () => {
      const clock = new FakeClock();
      const taker = new FakeTaker();
      const pace = new ClientPace(clock, { minRate, overMs: OVER_MS }, () => [taker]);
      pace.start();
      for (let count = 1; count <= 60 && taker.took === undefined; count += 1) {
        minute(taker, count);
        clock.advance(60_000);
      }
      pace.stop();
      assert.equal(taker.took !== undefined, isCut);
      if (taker.took !== undefined) assert.equal(taker.took.ms, OVER_MS);
    });
  }

  it('judges nobody after it was stopped', () => {
    const clock = new FakeClock();
    const taker = new FakeTaker();
    const pace = new ClientPace(clock, { minRate: RATE, overMs: OVER_MS }, () => [taker]);
    pace.start();
    pace.stop();
    clock.advance(2 * OVER_MS);
    assert.equal(taker.took, undefined);
  });
});

/** Begins a download and stops reading with its first bytes. */
async function stalled(port: number, path: string): Promise<Socket> {
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => undefined);
  socket.write(get(path));
  await once(socket, 'readable');
  return socket;
}

describe('a client that takes nothing of its answer', () => {
  it('is cut off after a while, logged and counted, and its place is free', async () => {
    await using registry = await new RegistryUnderTest().start();
    const blob = registry.pulls.addBlob(REPOSITORY, Buffer.alloc(64 * MIB));
    const socket = await stalled(registry.port, `/v2/${NAME}/blobs/${blob}`);
    assert.equal(registry.places.taken, 1);
    registry.clock.advance(OVER_MS);
    assert.equal(registry.places.taken, 1, 'not before its time');
    registry.clock.advance(OVER_MS / 10);
    await until(() => registry.places.taken === 0);
    assert.equal(registry.places.taken, 0);
    await until(() => registry.connections.taken === 0);
    assert.equal(registry.connections.taken, 0);
    assert.equal(await registry.metric('pinnace_slow_clients_cut_total'), 1);
    const [line] = registry.logged('client.cut');
    assert.equal(line?.['client'], '127.0.0.1');
    assert.equal(line?.['ms'], OVER_MS);
    assert.equal(registry.pulls.closedBlobs, 1);
    socket.destroy();
  });

  it('is cut off one stream at a time over HTTP/2', async () => {
    const tls = { cert: SERVER.certPem, key: SERVER.keyPem };
    await using registry = await new RegistryUnderTest({ tls }).start();
    registry.pulls.addTag(REPOSITORY, '1', { body: '{}' });
    const blob = registry.pulls.addBlob(REPOSITORY, Buffer.alloc(8 * MIB));
    const session = connectHttp2(`https://localhost:${registry.port}`, { ca: CA.certPem });
    session.on('error', () => undefined);
    const slow = session.request({ ':path': `/v2/${NAME}/blobs/${blob}` });
    slow.on('error', () => undefined);
    await once(slow, 'response');
    const gone = new Promise((resolve) => slow.once('close', resolve));
    registry.clock.advance(OVER_MS + OVER_MS / 10);
    await gone;
    assert.notEqual(slow.rstCode, 0);
    assert.equal(await registry.metric('pinnace_slow_clients_cut_total'), 1);
    assert.equal(registry.places.taken, 0);
    const other = session.request({ ':path': `/v2/${NAME}/manifests/1` });
    const [headers] = await once(other, 'response');
    assert.equal(headers[':status'], 200, 'the connection itself was not slow');
    session.destroy();
  });
});

describe('connections that say too little', () => {
  const limits = { headersTimeoutMs: 200 };
  const cases: readonly { readonly name: string; readonly words: string; readonly tls?: true }[] = [
    { name: 'nothing', words: '' },
    { name: 'half a request', words: 'GET /v2/ HTTP/1.1\r\nHost: x\r\nX-Slow: ' },
    { name: 'nothing where TLS is expected', words: '', tls: true },
    { name: 'half a record where TLS is expected', words: '\x16\x03\x01\x02\x00\x01', tls: true },
  ];
  for (const { name, words, tls } of cases) {
    it(`are closed, many at a time: ${name}`, async () => {
      const identity = { tls: { cert: SERVER.certPem, key: SERVER.keyPem } };
      await using registry = await new RegistryUnderTest({
        ...{ limits, clock: systemClock },
        ...(tls === undefined ? {} : identity),
      }).start();
      const sockets = Array.from({ length: 100 }, () => connect(registry.port, '127.0.0.1'));
      const closed = sockets.map(async (socket) => {
        socket.on('error', () => undefined);
        socket.resume();
        socket.write(words, 'latin1');
        await once(socket, 'close');
      });
      await Promise.all(closed);
      await until(() => registry.connections.taken === 0);
      assert.equal(registry.connections.taken, 0);
    });
  }
});

describe('a peer that may vanish without a word', () => {
  const skip = process.platform !== 'linux' && 'only Linux shows the timers of connections';
  it('is probed by the system', { skip }, async () => {
    await using registry = await new RegistryUnderTest().start();
    const socket = connect(registry.port, '127.0.0.1');
    await until(() => registry.connections.taken === 1);
    const hex = (port: number): string => port.toString(16).toUpperCase().padStart(4, '0');
    const row = (await readFile('/proc/net/tcp', 'utf8'))
      .split('\n')
      .find((line) =>
        line.includes(`:${hex(registry.port)} 0100007F:${hex(socket.localPort ?? 0)} `),
      );
    // proc(5): the timer's kind, 02 being that of probes.
    assert.match(row ?? '', / 02:[0-9A-F]{8} /);
    socket.destroy();
  });
});
