import assert from 'node:assert/strict';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { once } from 'node:events';
import { connect as connectHttp2 } from 'node:http2';
import { connect, Server, type Socket } from 'node:net';
import { describe, it } from 'node:test';
import { connect as connectTls } from 'node:tls';
import { askRaw, RegistryUnderTest, until } from '../../support/registry-under-test.ts';
import { issueServerCertificate, makeTestCa } from '../../support/x509.ts';

const NAME = 'library/alpine';
const REPOSITORY = `docker.io/${NAME}`;
const BODY = '{"one":1}';
const SURPLUS_MS = 5_000;
const MOST_SURPLUS = 128;
const CA = makeTestCa();
const SERVER = issueServerCertificate(CA, ['localhost']);
const TLS = { cert: SERVER.certPem, key: SERVER.keyPem };

const get = (path: string): string => `GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`;
const TAG = get(`/v2/${NAME}/manifests/1`);

type Options = ConstructorParameters<typeof RegistryUnderTest>[0];

/** A listener with one place for connections, which is taken. */
async function full(
  options: Options = {},
): Promise<{ readonly registry: RegistryUnderTest; readonly first: Socket }> {
  const registry = await new RegistryUnderTest({ connections: 1, ...options }).start();
  registry.pulls.addTag(REPOSITORY, '1', { body: BODY });
  const first = connect(registry.port, '127.0.0.1');
  await until(() => registry.connections.taken === 1);
  return { registry, first };
}

interface Talk {
  readonly socket: Socket;
  /** All that came. */
  readonly text: () => string;
  readonly closed: Promise<unknown>;
}

/** Connects and says something at once. */
function say(port: number, words: string, isTls = false): Talk {
  const socket = isTls
    ? connectTls({ host: 'localhost', port, ca: CA.certPem, servername: 'localhost' })
    : connect(port, '127.0.0.1');
  let text = '';
  socket.on('data', (chunk: Buffer) => {
    text += chunk.toString('latin1');
  });
  socket.on('error', () => undefined);
  const closed = new Promise((resolve) => socket.once('close', resolve));
  socket.write(words);
  return { socket, text: () => text, closed };
}

/** Waits for what a server does in its own time; more patient than `until`. */
async function eventually(isSo: () => boolean): Promise<void> {
  for (let turn = 0; turn < 50 && !isSo(); turn += 1) await until(isSo);
  assert.ok(isSo(), String(isSo));
}

describe('connections without a place on a deny listener', () => {
  it('hear that there are too many, and are closed', async () => {
    const { registry, first } = await full();
    const told = await askRaw(registry.port, TAG);
    assert.match(told, /^HTTP\/1\.1 503 /);
    assert.match(told, /\r\nretry-after: 5\r\n/i);
    assert.match(told, /\r\nconnection: close\r\n/i);
    assert.match(told, /limits\.connections is 1/);
    assert.match(told, /pinnace refused docker\.io\/library\/alpine:1/);
    assert.match(
      await askRaw(registry.port, get('/v2/')),
      /^HTTP\/1\.1 200 [\s\S]*connection: close/i,
    );
    assert.equal(registry.connections.turnedAway, 2);
    assert.equal(registry.logged('overload.turned_away').length, 1);
    first.destroy();
    await eventually(() => registry.connections.taken === 0);
    const next = say(registry.port, TAG);
    await eventually(() => next.text().endsWith(BODY));
    assert.equal(registry.connections.taken, 1);
    next.socket.destroy();
    await eventually(() => registry.connections.taken === 0);
    await registry[Symbol.asyncDispose]();
  });

  it('cost next to nothing in a flood: a few may listen for a while, the others are closed at once', async () => {
    const { registry, first } = await full();
    const flood = Array.from({ length: MOST_SURPLUS + 20 }, () => say(registry.port, ''));
    let closed = 0;
    for (const each of flood) each.closed.then(() => (closed += 1)).catch(() => undefined);
    await eventually(() => closed === 20);
    assert.equal(registry.connections.turnedAway, MOST_SURPLUS + 20);
    registry.clock.advance(SURPLUS_MS);
    await eventually(() => closed === flood.length);
    assert.match(await askRaw(registry.port, TAG), /^HTTP\/1\.1 503 /, 'there is room again');
    first.destroy();
    await registry[Symbol.asyncDispose]();
  });

  it('hear so by TLS and by HTTP/2 as well', async () => {
    const { registry, first } = await full({ tls: TLS });
    const one = say(registry.port, TAG, true);
    await one.closed;
    assert.match(one.text(), /^HTTP\/1\.1 503 [\s\S]*limits\.connections/);
    const session = connectHttp2(`https://localhost:${registry.port}`, { ca: CA.certPem });
    session.on('error', () => undefined);
    const stream = session.request({ ':path': `/v2/${NAME}/manifests/1` });
    const [headers] = await once(stream, 'response');
    assert.equal(headers[':status'], 503);
    assert.equal(headers['retry-after'], '5');
    const gone = once(session, 'close');
    registry.clock.advance(SURPLUS_MS);
    await gone;
    first.destroy();
    await registry[Symbol.asyncDispose]();
  });
});

describe('connections that the system cannot hand over', () => {
  it('are counted, logged once a second, and no reason to end', async () => {
    const bound: unknown[] = [];
    const note = (message: unknown): unknown => bound.push(message);
    // Node tells here of every server that is bound; what fails behind it cannot be had from outside.
    subscribe('tracing:net.server.listen:asyncEnd', note);
    await using registry = await new RegistryUnderTest().start();
    unsubscribe('tracing:net.server.listen:asyncEnd', note);
    const [told] = bound;
    assert.ok(typeof told === 'object' && told !== null && 'server' in told);
    assert.ok(told.server instanceof Server);
    const error = Object.assign(new Error('accept EMFILE'), { code: 'EMFILE' });
    for (let index = 0; index < 3; index += 1) told.server.emit('error', error);
    assert.equal(await registry.metric('pinnace_accept_errors_total'), 3);
    const lines = registry.logged('listener.accept_failed');
    assert.deepEqual(
      lines.map(({ code, connections }) => [code, connections]),
      [['EMFILE', 1]],
    );
    assert.equal((await registry.get('/v2/')).status, 200);
  });
});

describe('connections without a place on a hard-stop listener', () => {
  for (const isTls of [false, true]) {
    const over = isTls ? 'TLS' : 'plain HTTP';
    it(`wait unread for one, and are then answered (${over})`, async () => {
      const { registry, first } = await full({
        refusal: 'hard-stop',
        ...(isTls ? { tls: TLS } : {}),
      });
      const waiting = say(registry.port, TAG, isTls);
      await eventually(() => registry.connections.waiting === 1);
      assert.equal(registry.pulls.asked.length, 0);
      first.destroy();
      await eventually(() => waiting.text().endsWith(BODY));
      assert.match(waiting.text(), /^HTTP\/1\.1 200 /);
      waiting.socket.write(TAG);
      await eventually(() => waiting.text().split(BODY).length === 3);
      assert.equal(registry.connections.turnedAway, 0);
      waiting.socket.destroy();
      await eventually(() => registry.connections.taken === 0);
      await registry[Symbol.asyncDispose]();
    });
  }

  it('are stopped hard and closed when the wait is over, and when the line is full', async () => {
    const { registry, first } = await full({ refusal: 'hard-stop', places: { queue: 1 } });
    const late = say(registry.port, TAG);
    await eventually(() => registry.connections.waiting === 1);
    const told = await askRaw(registry.port, TAG);
    for (const text of [told]) {
      assert.match(text, /^HTTP\/1\.1 200 [\s\S]*x-pinnace-reason: overloaded/i);
      assert.doesNotMatch(text, /"one":1/);
    }
    registry.clock.advance(4_000);
    await late.closed;
    assert.match(late.text(), /^HTTP\/1\.1 200 [\s\S]*x-pinnace-reason: overloaded/i);
    assert.equal(registry.connections.waiting, 0);
    assert.equal(registry.connections.turnedAway, 2);
    first.destroy();
    await registry[Symbol.asyncDispose]();
  });

  it('leave the line when they go', async () => {
    const { registry, first } = await full({ refusal: 'hard-stop' });
    const gone = say(registry.port, TAG);
    await eventually(() => registry.connections.waiting === 1);
    gone.socket.resetAndDestroy();
    await eventually(() => registry.connections.waiting === 0);
    first.destroy();
    await eventually(() => registry.connections.taken === 0);
    await registry[Symbol.asyncDispose]();
  });

  it('are closed when the listener stops', async () => {
    const { registry, first } = await full({ refusal: 'hard-stop' });
    const waiting = say(registry.port, TAG);
    await eventually(() => registry.connections.waiting === 1);
    first.destroy();
    const silent = say(registry.port, '');
    const stopped = registry.listener.stop({ drainMs: 60_000 });
    silent.socket.destroy();
    await waiting.closed;
    await stopped;
    await registry[Symbol.asyncDispose]();
  });

  it('are let in at once by a limit that has been raised', async () => {
    const { registry, first } = await full({ refusal: 'hard-stop' });
    const waiting = say(registry.port, TAG);
    await eventually(() => registry.connections.waiting === 1);
    registry.connections.configure({ connections: 2, queue: 1, queueTimeoutMs: 1_000 });
    await eventually(() => waiting.text().endsWith(BODY));
    for (const socket of [first, waiting.socket]) socket.destroy();
    await registry[Symbol.asyncDispose]();
  });
});
