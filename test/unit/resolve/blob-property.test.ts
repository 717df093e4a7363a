import assert from 'node:assert/strict';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { HOLD_BACK_BYTES } from '../../../src/resolve/blob-download.ts';
import { JoinedBlobs } from '../../../src/resolve/blob-joined.ts';
import { UpstreamError } from '../../../src/resolve/errors.ts';
import { DiskContentStore } from '../../../src/store/content-store.ts';
import {
  repositoryOf,
  type Sample,
  type ScriptedReply,
  ScriptedUpstream,
  sampleOf,
  TestSink,
} from '../../support/blob-doubles.ts';
import { roomy } from '../../support/blob-setup.ts';
import { diskWithRoomFor } from '../../support/failing-disk.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { until } from '../../support/registry-under-test.ts';

interface Client {
  readonly wholeFirst: boolean;
  /** Hangs up after this many bytes; undefined: stays. */
  readonly leavesAfter: number | undefined;
  readonly highWaterMark: number;
  /** How many turns of the event loop it comes after the first. */
  readonly joinsAfter: number;
}

interface Scenario {
  readonly size: number;
  readonly cuts: readonly number[];
  readonly clients: readonly Client[];
  readonly diskRoom: number | undefined;
  readonly damage: 'none' | 'last byte' | 'cut short' | 'broken off';
}

interface Outcome {
  readonly sink: TestSink;
  readonly leftEarly: boolean;
  readonly error: unknown;
}

const client: fc.Arbitrary<Client> = fc.record({
  wholeFirst: fc.boolean(),
  leavesAfter: fc.option(fc.nat(600_000), { nil: undefined }),
  highWaterMark: fc.constantFrom(1, 16_384, 1_000_000),
  joinsAfter: fc.nat(30),
});

const scenario: fc.Arbitrary<Scenario> = fc.record({
  size: fc.oneof(fc.integer({ min: 1, max: 200 }), fc.integer({ min: 60_000, max: 600_000 })),
  cuts: fc.array(fc.nat(600_000), { maxLength: 30 }),
  clients: fc.array(client, { minLength: 1, maxLength: 6 }),
  diskRoom: fc.option(fc.nat(700_000), { nil: undefined }),
  damage: fc.constantFrom('none', 'none', 'last byte', 'cut short', 'broken off'),
});

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

function sentBytes(sample: Sample, damage: Scenario['damage']): Buffer {
  if (damage === 'none') return sample.bytes;
  if (damage !== 'last byte') return sample.bytes.subarray(0, sample.size - 1);
  const bytes = Buffer.from(sample.bytes);
  bytes[sample.size - 1] = (bytes[sample.size - 1] ?? 0) ^ 1;
  return bytes;
}

/** Feeds one reply, a chunk per turn of the event loop. */
async function feed(script: Scenario, sample: Sample, reply: ScriptedReply): Promise<void> {
  const bytes = sentBytes(sample, script.damage);
  const inside = script.cuts.filter((cut) => cut > 0 && cut < bytes.length);
  const places = [0, ...inside.sort((one, other) => one - other), bytes.length];
  for (const [index, end] of places.slice(1).entries()) {
    reply.push(bytes.subarray(places[index], end));
    await turn();
  }
  reply.push(
    script.damage === 'broken off' ? new UpstreamError('upstream_unreachable', 'reset') : 'end',
  );
}

async function runClient(blobs: JoinedBlobs, sample: Sample, wish: Client): Promise<Outcome> {
  const sink = new TestSink({ highWaterMark: wish.highWaterMark });
  const leavesAfter = wish.leavesAfter ?? Number.POSITIVE_INFINITY;
  const leftEarly = leavesAfter < sample.size;
  if (leftEarly) void sink.received(leavesAfter).then(() => sink.destroy());
  for (let waited = 0; waited < wish.joinsAfter; waited += 1) await turn();
  try {
    const content = await blobs.open(repositoryOf('team/app'), sample, wish);
    try {
      await content.send(sink, { start: 0, end: sample.size });
      if (!leftEarly) await sink.received(sample.size);
    } finally {
      content.close();
    }
    return { sink, leftEarly, error: undefined };
  } catch (error) {
    return { sink, leftEarly, error };
  }
}

function judge(script: Scenario, sample: Sample, outcome: Outcome): void {
  const isDamaged = script.damage !== 'none';
  if (isDamaged) {
    const most = Math.max(0, sample.size - HOLD_BACK_BYTES);
    assert.ok(outcome.sink.receivedBytes <= most, 'a client got held-back bytes');
    assert.ok(outcome.error instanceof Error);
    if (!outcome.leftEarly) assert.ok(outcome.error instanceof UpstreamError);
    return;
  }
  if (outcome.leftEarly) return;
  assert.equal(outcome.error, undefined);
  assert.equal(outcome.sink.digest(), sample.digest);
}

async function play(script: Scenario, folder: string): Promise<void> {
  const sample = sampleOf(script.size);
  const clock = new FakeClock(new Date());
  const disk =
    script.diskRoom === undefined ? {} : { openTemporary: diskWithRoomFor(script.diskRoom) };
  const store = new DiskContentStore({ folder, maxBytes: 1e9, clock, ...disk });
  await store.start();
  const upstream = new ScriptedUpstream((reply) => void feed(script, sample, reply));
  const limits = roomy(clock);
  const blobs = new JoinedBlobs({
    ...{ store, upstream, clock, windowBytes: 256 * 1024 },
    ...limits,
  });
  try {
    const runs = script.clients.map((wish) => runClient(blobs, sample, wish));
    for (const outcome of await Promise.all(runs)) judge(script, sample, outcome);
  } finally {
    await blobs.stop();
    await store.close();
    await until(() => limits.budget.taken === 0);
    assert.deepEqual([limits.budget.taken, limits.places.taken], [0, 0], 'something was kept');
  }
  assert.deepEqual(await readdir(join(folder, 'tmp')), []);
  if (script.damage !== 'none') assert.equal(store.has(sample.digest), false);
}

test('whatever clients, chunks, disk and upstream do, nobody gets wrong bytes and nothing wrong is kept', async () => {
  await fc.assert(
    fc.asyncProperty(scenario, async (script) => {
      const folder = await mkdtemp(join(tmpdir(), 'pinnace-test-'));
      try {
        await play(script, folder);
      } finally {
        await rm(folder, { recursive: true, force: true });
      }
    }),
    { numRuns: 120, timeout: 10_000 },
  );
});
