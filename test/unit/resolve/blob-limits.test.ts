import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseRegistryHost } from '../../../src/oci/names.ts';
import { ByteBudget } from '../../../src/resolve/byte-budget.ts';
import { type DownloadLimits, DownloadPlaces } from '../../../src/resolve/download-places.ts';
import { PullError, UpstreamError } from '../../../src/resolve/errors.ts';
import { DiskContentStore } from '../../../src/store/content-store.ts';
import {
  chunksOf,
  repositoryOf,
  ScriptedUpstream,
  sampleOf,
  TestSink,
  temporaryFolder,
} from '../../support/blob-doubles.ts';
import { fetchWhole, servesAtOnce, setUp, stored, TEAM } from '../../support/blob-setup.ts';
import { noDisk } from '../../support/failing-disk.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { until } from '../../support/registry-under-test.ts';

const KIB = 1024;
const WAIT_MS = 25_000;
const NOBODY = new AbortController().signal;

function placesFor(blobs: number, more: Partial<DownloadLimits> = {}, clock = new FakeClock()) {
  const waiting = { most: 10, waitMs: WAIT_MS };
  return new DownloadPlaces(clock, { blobs, waiting, hasOneUpstream: false, ...more });
}

function isOverloaded(error: unknown): boolean {
  return error instanceof PullError && error.code === 'overloaded';
}

async function quiet(): Promise<void> {
  for (let turn = 0; turn < 20; turn += 1) await new Promise(setImmediate);
}

describe('places of downloads', () => {
  const cases: readonly {
    readonly blobs: number;
    readonly alone: number;
    readonly second: number;
  }[] = [
    { blobs: 1, alone: 1, second: 0 },
    { blobs: 2, alone: 1, second: 1 },
    { blobs: 4, alone: 3, second: 1 },
    { blobs: 64, alone: 48, second: 12 },
  ];
  for (const { blobs, alone, second } of cases) {
    it(`of ${blobs}, one registry that hangs has ${alone}, and the next finds ${second}`, async () => {
      const places = placesFor(blobs, { waiting: { most: 0, waitMs: 0 } });
      for (const [registry, most] of [
        ['slow', alone],
        ['other', second],
      ] as const) {
        let taken = 0;
        for (;;) {
          try {
            await places.enter(registry, NOBODY);
          } catch (error) {
            assert.ok(isOverloaded(error));
            break;
          }
          taken += 1;
        }
        assert.equal(taken, most, registry);
      }
      assert.equal(places.turnedAway, 2);
    });
  }

  it('are all for one registry where there is no other', async () => {
    const places = placesFor(4, { hasOneUpstream: true });
    for (let count = 0; count < 4; count += 1) await places.enter('only', NOBODY);
    assert.equal(places.taken, 4);
  });

  it('are given in turn, past those whose registry has its share', async () => {
    const places = placesFor(4);
    const leave = [];
    for (let count = 0; count < 3; count += 1) leave.push(await places.enter('slow', NOBODY));
    const leaveOther = await places.enter('other', NOBODY);
    const order: string[] = [];
    const waits = ['slow', 'other'].map(async (registry) => {
      await places.enter(registry, NOBODY);
      order.push(registry);
    });
    assert.equal(places.waiting, 2);
    leaveOther();
    await quiet();
    assert.deepEqual(order, ['other']);
    for (const each of leave) each();
    await Promise.all(waits);
    assert.deepEqual(order, ['other', 'slow']);
    assert.equal(places.taken, 2);
  });

  it('are waited for so long and by so many, and not by who has gone', async () => {
    const clock = new FakeClock();
    const places = placesFor(1, { waiting: { most: 2, waitMs: WAIT_MS } }, clock);
    const leave = await places.enter('a', NOBODY);
    const gone = new AbortController();
    const one = assert.rejects(places.enter('a', NOBODY), isOverloaded);
    const two = assert.rejects(places.enter('a', gone.signal), { message: 'gone' });
    await assert.rejects(places.enter('a', NOBODY), isOverloaded);
    gone.abort(new Error('gone'));
    await two;
    clock.advance(WAIT_MS);
    await one;
    assert.deepEqual([places.taken, places.waiting, places.turnedAway], [1, 0, 2]);
    leave();
    assert.equal(places.taken, 0);
  });

  it('become more by a limit that is raised', async () => {
    const places = placesFor(1);
    await places.enter('a', NOBODY);
    const second = places.enter('a', NOBODY);
    const waiting = { most: 1, waitMs: WAIT_MS };
    places.configure({ blobs: 8, waiting, hasOneUpstream: false });
    await second;
    assert.equal(places.taken, 2);
  });
});

describe('blobs when as many as may be are being fetched', () => {
  it('wait, and are then fetched; who joins or reads the store does not count', async (t) => {
    const [first, second, third] = [sampleOf(100_000), sampleOf(100_001), sampleOf(100_002)];
    const upstream = new ScriptedUpstream();
    const places = placesFor(1);
    const setup = await setUp(t, upstream, { places });
    const old = fetchWhole(setup, third);
    (await upstream.reply(0)).push(third.bytes, 'end');
    await old;
    await stored(setup, third);
    await until(() => places.taken === 0);
    const reading = [fetchWhole(setup, first), fetchWhole(setup, first)];
    const reply = await upstream.reply(1);
    const waiting = [fetchWhole(setup, second), fetchWhole(setup, second)];
    await until(() => places.waiting === 1);
    assert.equal(places.waiting, 1, 'two readers of one blob wait for one place');
    assert.equal((await fetchWhole(setup, third)).receivedBytes, third.size);
    assert.deepEqual([places.taken, upstream.replies.length], [1, 2]);
    assert.equal(setup.counts.inFlight, 1, 'what waits is not being fetched');
    reply.push(first.bytes, 'end');
    for (const sink of await Promise.all(reading)) assert.equal(sink.digest(), first.digest);
    (await upstream.reply(2)).push(second.bytes, 'end');
    for (const sink of await Promise.all(waiting)) assert.equal(sink.digest(), second.digest);
    await stored(setup, second);
    await until(() => places.taken === 0);
    assert.deepEqual([places.taken, setup.counts.inFlight], [0, 0]);
  });

  it('are refused as overloaded when no place comes free, and asked anew the next time', async (t) => {
    const [first, second] = [sampleOf(100_000), sampleOf(100_001)];
    const upstream = new ScriptedUpstream();
    const clock = new FakeClock(new Date());
    const places = placesFor(1, {}, clock);
    const setup = await setUp(t, upstream, { places });
    const reading = fetchWhole(setup, first);
    const reply = await upstream.reply(0);
    const refused = assert.rejects(fetchWhole(setup, second), isOverloaded);
    await until(() => places.waiting === 1);
    clock.advance(WAIT_MS);
    await refused;
    reply.push(first.bytes, 'end');
    await reading;
    await stored(setup, first);
    const again = fetchWhole(setup, second);
    (await upstream.reply(1)).push(second.bytes, 'end');
    assert.equal((await again).digest(), second.digest);
  });

  it('are not fetched when all who wanted them have gone', async (t) => {
    const [first, second] = [sampleOf(100_000), sampleOf(100_001)];
    const upstream = new ScriptedUpstream();
    const places = placesFor(1);
    const setup = await setUp(t, upstream, { places });
    const reading = fetchWhole(setup, first);
    const reply = await upstream.reply(0);
    const gone = new AbortController();
    const refused = assert.rejects(setup.blobs.open(TEAM, second, { signal: gone.signal }));
    await until(() => places.waiting === 1);
    gone.abort();
    await refused;
    await until(() => places.waiting === 0);
    assert.equal(places.waiting, 0);
    reply.push(first.bytes, 'end');
    await reading;
    await stored(setup, first);
    await until(() => places.taken === 0);
    assert.deepEqual([places.taken, upstream.replies.length], [0, 1]);
  });

  it('of other registries are fetched beside one that hangs', async (t) => {
    const upstream = new ScriptedUpstream();
    const places = placesFor(4);
    const setup = await setUp(t, upstream, { places });
    const slow = repositoryOf('team/app');
    const elsewhere = { ...slow, registry: parseRegistryHost('other.example') };
    const hanging = Array.from({ length: 10 }, (_, index) =>
      setup.blobs.open(slow, sampleOf(50_000 + index), {}).catch((error: unknown) => error),
    );
    await until(() => places.waiting === 7);
    const wanted = sampleOf(70_000);
    const pull = fetchWhole(setup, wanted, elsewhere);
    (await upstream.reply(3)).push(wanted.bytes, 'end');
    assert.equal((await pull).digest(), wanted.digest);
    await stored(setup, wanted);
    await setup.blobs.stop();
    for (const each of await Promise.all(hanging)) assert.ok(each instanceof UpstreamError);
    await until(() => places.taken === 0);
    assert.deepEqual([places.taken, places.waiting], [0, 0]);
  });
});

describe('memory for content on its way', () => {
  function budgetOf(bytes: number, clock = new FakeClock()): ByteBudget {
    return new ByteBudget(clock, {
      bufferedBytes: bytes,
      waiting: { most: 10, waitMs: WAIT_MS },
    });
  }

  it('is given in turn, and nobody goes past one who waits for more', async () => {
    const budget = budgetOf(100);
    await budget.takeInTurn(80, undefined);
    const order: number[] = [];
    const waits = [50, 10].map(async (bytes) => {
      await budget.takeInTurn(bytes, undefined);
      order.push(bytes);
    });
    await quiet();
    assert.deepEqual(order, []);
    budget.giveBack(80);
    await Promise.all(waits);
    assert.deepEqual(order, [50, 10]);
    assert.equal(budget.taken, 60);
  });

  it('is given to one that wants more than all, when nobody has any', async () => {
    const budget = budgetOf(100);
    await budget.takeInTurn(1_000, undefined);
    const second = budget.takeInTurn(1_000, undefined);
    await quiet();
    assert.equal(budget.waiting, 1);
    budget.giveBack(1_000);
    await second;
  });

  it('ends in overloaded with nothing sent when clients take nothing, and comes back when they hang up', async (t) => {
    const sample = sampleOf(300_000);
    const clock = new FakeClock(new Date());
    const budget = budgetOf(64 * KIB, clock);
    const setup = await setUp(t, servesAtOnce(sample), { budget });
    await fetchWhole(setup, sample);
    await stored(setup, sample);
    await until(() => budget.taken === 0);
    assert.equal(budget.taken, 0);
    const stuck = Array.from({ length: 4 }, () => new TestSink({ isOpen: false }));
    const whole = { start: 0, end: sample.size };
    const sends = await Promise.all(
      stuck.map(async (sink) => {
        const content = await setup.blobs.open(TEAM, sample, {});
        return { sent: content.send(sink, whole).catch((error: unknown) => error), content };
      }),
    );
    await until(() => budget.taken === 64 * KIB);
    assert.equal(budget.taken, 64 * KIB, 'the smallest buffers, and as many as there are');
    const late = new TestSink();
    const waiting = await setup.blobs.open(TEAM, sample, {});
    const refused = assert.rejects(waiting.send(late, whole), isOverloaded);
    await until(() => budget.waiting === 1);
    clock.advance(WAIT_MS);
    await refused;
    assert.equal(late.receivedBytes, 0);
    assert.equal(budget.turnedAway, 1);
    const next = fetchWhole(setup, sample);
    await until(() => budget.waiting === 1);
    stuck[0]?.destroy();
    assert.equal((await next).digest(), sample.digest);
    for (const sink of stuck) sink.destroy();
    for (const { sent, content } of sends) {
      assert.ok((await sent) instanceof Error);
      content.close();
    }
    waiting.close();
    await until(() => budget.taken === 0);
    assert.equal(budget.taken, 0);
  });

  it('comes back from clients that hang up while a blob arrives', async (t) => {
    const sample = sampleOf(2_000_000);
    const upstream = new ScriptedUpstream();
    const budget = budgetOf(2 ** 24);
    const setup = await setUp(t, upstream, { budget });
    const opening = [0, 1, 2].map(() => setup.blobs.open(TEAM, sample, {}));
    const reply = await upstream.reply(0);
    reply.push(...chunksOf(sample.bytes.subarray(0, 1_000_000), 50_000));
    const contents = await Promise.all(opening);
    const sinks = contents.map(() => new TestSink({ isOpen: false }));
    const sends = contents.map((content, index) =>
      content.send(sinks[index] ?? new TestSink(), { start: 0, end: sample.size }),
    );
    await until(() => budget.taken > 0);
    assert.ok(budget.taken > 0);
    for (const sink of sinks) sink.destroy();
    for (const send of sends) await assert.rejects(send);
    for (const content of contents) content.close();
    await setup.blobs.stop();
    await until(() => budget.taken === 0);
    assert.equal(budget.taken, 0);
  });

  it('is little for each download when it is short', async (t) => {
    const sample = sampleOf(4_000_000);
    const budget = budgetOf(2 ** 20);
    budget.take(2 ** 20);
    const folder = await temporaryFolder(t);
    const clock = new FakeClock(new Date());
    const store = new DiskContentStore({ folder, maxBytes: 1e9, clock, openTemporary: noDisk });
    await store.start();
    const upstream = servesAtOnce(sample);
    const setup = await setUp(t, upstream, { budget, store });
    const content = await setup.blobs.open(TEAM, sample, {});
    const reply = await upstream.reply(0);
    await quiet();
    assert.ok(reply.takenBytes <= 300 * KIB, `${reply.takenBytes}`);
    budget.giveBack(2 ** 20);
    const sink = new TestSink();
    await content.send(sink, { start: 0, end: sample.size });
    await sink.received(sample.size);
    assert.equal(sink.digest(), sample.digest);
    content.close();
    await store.close();
  });
});
