import assert from 'node:assert/strict';
import { once } from 'node:events';
import { rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { Agent, get as getHttp, type IncomingMessage, request } from 'node:http';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { buildImage, type Image } from '../support/images.ts';
import type { Ask } from '../support/registry-under-test.ts';
import { reasonOf, takeWhatComes } from '../support/running-pinnace.ts';
import { publisherNow, WorkerFleet } from '../support/worker-fleet.ts';

const APP = 'team/app';
const BIG_BYTES = 3_000_000;
/** More than the buffers of a connection take. */
const HUGE_BYTES = 32_000_000;

interface Scene extends AsyncDisposable {
  readonly fleet: WorkerFleet;
  readonly big: Image['config'];
  /** Of the largest layer. */
  readonly path: string;
  /** Where it is stored. */
  readonly file: string;
}

/** Two workers, and a large blob in the store. */
async function scene(bytesOfLayer = BIG_BYTES): Promise<Scene> {
  const image = buildImage({ message: 'stored', bigLayerBytes: bytesOfLayer });
  const [first] = image.layers;
  const big = image.layers.find(({ bytes }) => bytes.length > bytesOfLayer) ?? first;
  if (big === undefined) throw new Error('the image has no layer');
  const fleet = await WorkerFleet.start((around) => {
    publisherNow(around, APP).release('1.0', image);
  });
  const path = `${APP}/blobs/${big.digest}`;
  await fleet.get(`${APP}/manifests/1.0`);
  assert.deepEqual((await fleet.get(path)).body, big.bytes);
  const hex = big.digest.slice('sha256:'.length);
  const file = join(fleet.around.folder, 'data/content/v1/sha256', hex.slice(0, 2), hex);
  // The first pull was of what arrived; from here on it is of what is stored.
  assert.deepEqual((await fleet.get(path)).body, big.bytes);
  return { fleet, big, path, file, [Symbol.asyncDispose]: () => fleet[Symbol.asyncDispose]() };
}

/** Asks over one of the agent's connections. */
async function getOver(agent: Agent, port: number, path: string): Promise<Buffer> {
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  getHttp({ agent, host: '127.0.0.1', port, path: `/v2/${path}` }, resolve).on('error', reject);
  return Buffer.concat(await (await promise).toArray());
}

interface Row {
  readonly name: string;
  readonly ask: (digest: string) => Ask;
  readonly status: number;
  readonly range?: readonly [number, number];
}

const ROWS: readonly Row[] = [
  { name: 'the whole', ask: () => ({}), status: 200, range: [0, Number.POSITIVE_INFINITY] },
  {
    name: 'a part that is worth a file',
    ask: () => ({ headers: { range: 'bytes=1000-999999' } }),
    status: 206,
    range: [1000, 1_000_000],
  },
  {
    name: 'a part that is not',
    ask: () => ({ headers: { range: 'bytes=7-99' } }),
    status: 206,
    range: [7, 100],
  },
  { name: 'the end', ask: () => ({ headers: { range: 'bytes=-70000' } }), status: 206 },
  { name: 'what is not there', ask: () => ({ headers: { range: 'bytes=9999999-' } }), status: 416 },
  { name: 'the headers', ask: () => ({ method: 'HEAD' }), status: 200, range: [0, 0] },
  {
    name: 'what the client has',
    ask: (digest) => ({ headers: { 'if-none-match': `"${digest}"` } }),
    status: 304,
    range: [0, 0],
  },
];

describe('stored blobs and several workers', () => {
  it('sends what one process alone sends', async () => {
    await using at = await scene();
    for (const { name, status, range, ...row } of ROWS) {
      const answer = await at.fleet.get(at.path, row.ask(at.big.digest));
      assert.equal(answer.status, status, name);
      if (range !== undefined) assert.deepEqual(answer.body, at.big.bytes.subarray(...range), name);
    }
    // The manifest and the two pulls before, too.
    await at.fleet.process.untilLogged('request', ROWS.length + 3);
    const requests = at.fleet.process.logged('request').filter(({ kind }) => kind === 'blob');
    assert.equal(requests.length, ROWS.length + 2);
    assert.equal(await at.fleet.metric('pinnace_requests_total{kind="blob"'), ROWS.length + 2);
    const sent = requests.filter(({ bytes }) => bytes === at.big.bytes.length);
    assert.equal(sent.length, 3);
    for (const line of requests) assert.equal(line['digest'], at.big.digest);
  });

  it('never sends a file that has taken the place of the verified one', async () => {
    await using at = await scene();
    const before = await stat(at.file);
    const forged = Buffer.alloc(at.big.bytes.length, 'x');
    await writeFile(`${at.file}.new`, forged);
    await utimes(`${at.file}.new`, before.atime, before.mtime);
    await rename(`${at.file}.new`, at.file);
    for (let turn = 0; turn < 4; turn += 1) {
      assert.deepEqual((await at.fleet.get(at.path)).body, at.big.bytes);
    }
  });

  it('has the core send what is gone from its place', async () => {
    await using at = await scene();
    for (let turn = 0; turn < 3; turn += 1) {
      await rm(at.file);
      assert.deepEqual((await at.fleet.get(at.path)).body, at.big.bytes);
      assert.deepEqual((await at.fleet.get(at.path)).body, at.big.bytes);
    }
  });

  it('is sent by workers without the core, counted and logged once, until it is denied', async () => {
    await using at = await scene();
    const agent = new Agent({ keepAlive: true, maxSockets: 2 });
    const get = async (): Promise<Buffer> => await getOver(agent, at.fleet.process.port(), at.path);
    // Two connections are one for each worker.
    for (let turn = 0; turn < 4; turn += 1) await Promise.all([get(), get()]);
    const before = at.fleet.process.logged('request').length;
    at.fleet.process.kill('SIGSTOP');
    try {
      for (let turn = 0; turn < 3; turn += 1) {
        for (const body of await Promise.all([get(), get()])) assert.deepEqual(body, at.big.bytes);
      }
    } finally {
      at.fleet.process.kill('SIGCONT');
    }
    await at.fleet.process.untilLogged('request', before + 6);
    const lines = at.fleet.process.logged('request').slice(before);
    assert.deepEqual(
      lines.map(({ kind, digest, bytes }) => ({ kind, digest, bytes })),
      lines.map(() => ({ kind: 'blob', digest: at.big.digest, bytes: at.big.bytes.length })),
    );
    assert.equal(new Set(lines.map(({ requestId }) => requestId)).size, lines.length);
    await at.fleet.writeConfig({ more: { deny: { digests: [at.big.digest] } } });
    at.fleet.process.kill('SIGHUP');
    await at.fleet.process.untilLogged('config.reloaded');
    for (let turn = 0; turn < 6; turn += 1) {
      assert.equal(reasonOf(await at.fleet.get(at.path)), 'denied_by_rule');
    }
    agent.destroy();
  });

  it('notes a client that hangs up, and goes on for the others', async () => {
    await using at = await scene(HUGE_BYTES);
    const port = at.fleet.process.port();
    const outgoing = request({ host: '127.0.0.1', port, path: `/v2/${at.path}`, agent: false });
    outgoing.on('error', () => undefined);
    outgoing.end();
    const [incoming] = await once(outgoing, 'response');
    await once(incoming, 'data');
    outgoing.destroy();
    const isCut = (): boolean =>
      at.fleet.process.logged('request').some(({ verdict }) => verdict === 'cut');
    for (let turn = 0; turn < 200 && !isCut(); turn += 1) await at.fleet.get(at.path);
    const cut = at.fleet.process.logged('request').find(({ verdict }) => verdict === 'cut');
    assert.equal(cut?.['digest'], at.big.digest);
    assert.equal(cut?.['bytes'], 0);
  });

  it('breaks off what the core breaks off: a layer that turns out altered', async () => {
    await using fleet = await WorkerFleet.start(() => undefined);
    const image = buildImage({ message: 'altered', bigLayerBytes: BIG_BYTES });
    const publisher = publisherNow(fleet.around, APP);
    publisher.release('1.0', image);
    const layer = image.layers.find(({ bytes }) => bytes.length > BIG_BYTES);
    assert.ok(layer !== undefined);
    const altered = Buffer.from(layer.bytes);
    altered[altered.length - 10] = (altered.at(-10) ?? 0) ^ 1;
    fleet.around.registry.putBlob(APP, { ...layer, bytes: altered });
    await fleet.get(`${APP}/manifests/1.0`);
    for (let turn = 0; turn < 4; turn += 1) {
      const got = await takeWhatComes(
        fleet.process.port(),
        `/v2/${APP}/blobs/${layer.digest}`,
      ).catch(() => undefined);
      assert.ok(got === undefined || !got.isComplete || got.status >= 400);
    }
  });
});
