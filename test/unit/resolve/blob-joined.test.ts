import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { sha256Digest } from '../../../src/oci/digest.ts';
import { BlobSendError } from '../../../src/resolve/blob-errors.ts';
import { JoinedBlobs, type JoinedBlobsOptions } from '../../../src/resolve/blob-joined.ts';
import { UpstreamError } from '../../../src/resolve/errors.ts';
import { DiskContentStore } from '../../../src/store/content-store.ts';
import {
  chunksOf,
  repositoryOf,
  type Sample,
  ScriptedUpstream,
  sampleOf,
  TestSink,
  temporaryFolder,
} from '../../support/blob-doubles.ts';
import { FakeClock } from '../../support/fake-clock.ts';

const TEAM = repositoryOf('team/app');
const OTHER = repositoryOf('other/app');
const HELD_BACK = 64 * 1024;

interface Setup {
  readonly blobs: JoinedBlobs;
  readonly store: DiskContentStore;
  readonly clock: FakeClock;
  readonly folder: string;
  readonly counts: { joined: number; reads: number; inFlight: number };
}

async function setUp(
  context: TestContext,
  upstream: ScriptedUpstream,
  options: Partial<JoinedBlobsOptions> = {},
): Promise<Setup> {
  const folder = await temporaryFolder(context);
  const clock = new FakeClock(new Date());
  const store = new DiskContentStore({ folder, maxBytes: 1e9, clock });
  await store.start();
  const counts = { joined: 0, reads: 0, inFlight: 0 };
  const blobs = new JoinedBlobs({
    ...{ store, upstream, clock },
    events: {
      joined: () => {
        counts.joined += 1;
      },
      upstreamRead: () => {
        counts.reads += 1;
      },
      inFlight: (count) => {
        counts.inFlight = count;
      },
    },
    ...options,
  });
  context.after(async () => {
    await blobs.stop();
    await store.close();
  });
  return { blobs, store, clock, folder, counts };
}

/** An upstream that answers every request with the whole of `sample` at once. */
function servesAtOnce(sample: Sample, chunkBytes = 16_384): ScriptedUpstream {
  return new ScriptedUpstream((reply) => reply.push(...chunksOf(sample.bytes, chunkBytes), 'end'));
}

async function fetchWhole(setup: Setup, sample: Sample, repository = TEAM): Promise<TestSink> {
  const content = await setup.blobs.open(repository, sample, {});
  const sink = new TestSink();
  try {
    await content.send(sink, { start: 0, end: content.size });
    await sink.received(content.size);
    return sink;
  } finally {
    content.close();
  }
}

async function stored(setup: Setup, sample: Sample): Promise<void> {
  // The commit follows the last byte by a moment; only the events of the disk are waited for.
  while (!setup.store.has(sample.digest)) await new Promise((resolve) => setImmediate(resolve));
}

function rejectsWith(promise: Promise<unknown>, code: UpstreamError['code']): Promise<void> {
  return assert.rejects(promise, (error) => error instanceof UpstreamError && error.code === code);
}

test('fifty engines at once cost one upstream read, and later ones none', async (t) => {
  const sample = sampleOf(1_500_000);
  const upstream = new ScriptedUpstream();
  const setup = await setUp(t, upstream);
  const sinks = Array.from({ length: 50 }, () => fetchWhole(setup, sample));
  const reply = await upstream.reply(0);
  for (const chunk of chunksOf(sample.bytes, 50_000)) {
    reply.push(chunk);
    await new Promise((resolve) => setImmediate(resolve));
  }
  reply.push('end');
  for (const sink of await Promise.all(sinks)) assert.equal(sink.digest(), sample.digest);
  assert.deepEqual([setup.counts.reads, setup.counts.joined], [1, 49]);
  await stored(setup, sample);
  assert.equal((await fetchWhole(setup, sample)).digest(), sample.digest);
  assert.equal(upstream.replies.length, 1);
  assert.equal(setup.counts.inFlight, 0);
});

for (const size of [0, 1, 1000, HELD_BACK]) {
  test(`a blob of ${size} bytes is wholly verified before the first byte may be sent`, async (t) => {
    const sample = sampleOf(size);
    const upstream = new ScriptedUpstream();
    const setup = await setUp(t, upstream);
    let isOpen = false;
    const opening = setup.blobs.open(TEAM, sample, {}).then((content) => {
      isOpen = true;
      return content;
    });
    const reply = await upstream.reply(0);
    reply.push(sample.bytes);
    while (reply.takenBytes < size) await new Promise((resolve) => setImmediate(resolve));
    assert.equal(isOpen, false);
    reply.push('end');
    const content = await opening;
    assert.equal(content.isVerified, true);
    const sink = new TestSink();
    await content.send(sink, { start: 0, end: size });
    await sink.received(size);
    assert.equal(sink.digest(), sample.digest);
    content.close();
  });
}

test('the first bytes are sent while the rest is still coming, the last are held back', async (t) => {
  const sample = sampleOf(200_000);
  const upstream = new ScriptedUpstream();
  const setup = await setUp(t, upstream);
  const opening = setup.blobs.open(TEAM, sample, {});
  const reply = await upstream.reply(0);
  reply.push(sample.bytes.subarray(0, 10_000));
  const content = await opening;
  assert.equal(content.isVerified, false);
  const sink = new TestSink();
  const sending = content.send(sink, { start: 0, end: 200_000 });
  await sink.received(10_000);
  reply.push(sample.bytes.subarray(10_000));
  await sink.received(200_000 - HELD_BACK);
  while (reply.takenBytes < 200_000) await new Promise((resolve) => setImmediate(resolve));
  assert.equal(sink.receivedBytes, 200_000 - HELD_BACK);
  reply.push('end');
  await sending;
  await sink.received(200_000);
  assert.equal(sink.digest(), sample.digest);
  content.close();
});

test('a wrong last byte: nobody gets the tail, nothing is kept, and it is remembered for a minute', async (t) => {
  const sample = sampleOf(500_000);
  const wrong = Buffer.from(sample.bytes);
  wrong[499_999] = (wrong[499_999] ?? 0) ^ 1;
  const upstream = new ScriptedUpstream();
  const setup = await setUp(t, upstream);
  const openings = Array.from({ length: 5 }, () => setup.blobs.open(TEAM, sample, {}));
  const whole = setup.blobs.open(TEAM, sample, { wholeFirst: true });
  const refusedWhole = rejectsWith(whole, 'digest_mismatch');
  const first = await upstream.reply(0);
  first.push(wrong.subarray(0, 400_000));
  const contents = await Promise.all(openings);
  const sinks = contents.map(() => new TestSink());
  const sendings = contents.map((content, index) => {
    const sink = sinks[index];
    assert.ok(sink);
    return rejectsWith(content.send(sink, { start: 0, end: 500_000 }), 'digest_mismatch');
  });
  first.push(wrong.subarray(400_000), 'end');
  await Promise.all([...sendings, refusedWhole]);
  for (const sink of sinks) assert.ok(sink.receivedBytes <= 500_000 - HELD_BACK);
  for (const content of contents) content.close();
  assert.equal(setup.store.has(sample.digest), false);

  setup.clock.advance(59_999);
  await rejectsWith(setup.blobs.open(TEAM, sample, { wholeFirst: true }), 'digest_mismatch');
  assert.equal(upstream.replies.length, 1);
  setup.clock.advance(1);
  const again = fetchWhole(setup, sample);
  (await upstream.reply(1)).push(sample.bytes, 'end');
  assert.equal((await again).digest(), sample.digest);
  await setup.blobs.stop();
  assert.deepEqual(await readdir(join(setup.folder, 'tmp')), []);
});

test('bodies that are not what the descriptor says', async (t) => {
  const sample = sampleOf(100_000);
  const rows: readonly (readonly [
    string,
    (upstream: ScriptedUpstream) => void,
    UpstreamError['code'],
  ])[] = [
    [
      'another size announced',
      (u) => {
        u.announced = 99_999;
      },
      'digest_mismatch',
    ],
    [
      'a byte too many',
      (u) => u.replies.at(-1)?.push(sample.bytes, Buffer.of(1)),
      'digest_mismatch',
    ],
    [
      'a byte too few',
      (u) => u.replies.at(-1)?.push(sample.bytes.subarray(1), 'end'),
      'digest_mismatch',
    ],
    ['no byte', (u) => u.replies.at(-1)?.push('end'), 'digest_mismatch'],
    [
      'broken off',
      (u) =>
        u.replies
          .at(-1)
          ?.push(sample.bytes.subarray(1), new UpstreamError('upstream_unreachable', 'reset')),
      'upstream_unreachable',
    ],
    [
      'an error of unknown kind',
      (u) => u.replies.at(-1)?.push(new Error('what')),
      'upstream_unreachable',
    ],
  ];
  for (const [name, spoil, code] of rows) {
    await t.test(name, async (t) => {
      const upstream: ScriptedUpstream = new ScriptedUpstream(() => spoil(upstream));
      if (name === 'another size announced') spoil(upstream);
      const setup = await setUp(t, upstream);
      await rejectsWith(setup.blobs.open(TEAM, sample, { wholeFirst: true }), code);
      assert.equal(upstream.replies[0]?.signal?.aborted, true);
      const next = setup.blobs.open(TEAM, sample, { wholeFirst: true });
      await rejectsWith(next, code);
      assert.equal(upstream.replies.length, code === 'digest_mismatch' ? 1 : 2);
      await setup.blobs.stop();
      assert.deepEqual(await readdir(join(setup.folder, 'tmp')), []);
    });
  }
});

test('content in the store is not given out under another size', async (t) => {
  const sample = sampleOf(1000);
  const setup = await setUp(t, servesAtOnce(sample));
  await fetchWhole(setup, sample);
  await stored(setup, sample);
  const opening = setup.blobs.open(TEAM, { digest: sample.digest, size: 999 }, {});
  await rejectsWith(opening, 'digest_mismatch');
});

test('what one repository may not read, another one asks for itself', async (t) => {
  const sample = sampleOf(100_000);
  const upstream = new ScriptedUpstream();
  const setup = await setUp(t, upstream);
  const denied = rejectsWith(setup.blobs.open(TEAM, sample, {}), 'upstream_denied');
  const alsoDenied = rejectsWith(setup.blobs.open(TEAM, sample, {}), 'upstream_denied');
  const first = await upstream.reply(0);
  const others = [fetchWhole(setup, sample, OTHER), fetchWhole(setup, sample, OTHER)];
  while (setup.counts.joined < 3) await new Promise((resolve) => setImmediate(resolve));
  first.push(new UpstreamError('upstream_denied', 'no'));
  await Promise.all([denied, alsoDenied]);
  const second = await upstream.reply(1);
  assert.deepEqual(second.repository, OTHER);
  second.push(sample.bytes, 'end');
  for (const sink of await Promise.all(others)) assert.equal(sink.digest(), sample.digest);
  assert.equal(upstream.replies.length, 2);
});

test('a range of a blob not yet stored waits for the whole', async (t) => {
  const sample = sampleOf(3_000_000);
  const setup = await setUp(t, servesAtOnce(sample));
  const content = await setup.blobs.open(TEAM, sample, { wholeFirst: true });
  assert.equal(content.isVerified, true);
  for (const [start, end] of [
    [2_900_000, 3_000_000],
    [0, 1],
    [1_000_000, 2_500_000],
  ] as const) {
    const sink = new TestSink();
    await content.send(sink, { start, end });
    await sink.received(end - start);
    assert.equal(sink.digest(), sha256Digest(sample.bytes.subarray(start, end)));
  }
  content.close();
});

test('a range of content that is not verified is refused', async (t) => {
  const sample = sampleOf(300_000);
  const upstream = new ScriptedUpstream((reply) => reply.push(sample.bytes.subarray(0, 100_000)));
  const setup = await setUp(t, upstream);
  const content = await setup.blobs.open(TEAM, sample, {});
  const sending = content.send(new TestSink(), { start: 1, end: 300_000 });
  await assert.rejects(sending, (e) => e instanceof BlobSendError && e.code === 'content_lost');
  content.close();
});

test('a client that hangs up does not disturb the others', async (t) => {
  const sample = sampleOf(2_000_000);
  const upstream = new ScriptedUpstream();
  const setup = await setUp(t, upstream);
  const staying = fetchWhole(setup, sample);
  const opening = setup.blobs.open(TEAM, sample, {});
  const controller = new AbortController();
  const waiting = setup.blobs.open(TEAM, sample, { wholeFirst: true, signal: controller.signal });
  const reply = await upstream.reply(0);
  reply.push(...chunksOf(sample.bytes.subarray(0, 1_000_000), 16_384));
  const content = await opening;
  const sink = new TestSink();
  const sending = content.send(sink, { start: 0, end: 2_000_000 });
  await sink.received(100_000);
  sink.destroy();
  await assert.rejects(sending, (e) => e instanceof BlobSendError && e.code === 'client_gone');
  content.close();
  controller.abort();
  await assert.rejects(waiting, { name: 'AbortError' });
  reply.push(...chunksOf(sample.bytes.subarray(1_000_000), 16_384), 'end');
  assert.equal((await staying).digest(), sample.digest);
});

test('when the last client leaves, the download goes on for the store', async (t) => {
  const sample = sampleOf(400_000);
  const upstream = new ScriptedUpstream();
  const setup = await setUp(t, upstream);
  const opening = setup.blobs.open(TEAM, sample, {});
  const reply = await upstream.reply(0);
  reply.push(sample.bytes.subarray(0, 100_000));
  (await opening).close();
  setup.clock.advance(59_999);
  // Somebody who comes back starts the deadline anew.
  (await setup.blobs.open(TEAM, sample, {})).close();
  setup.clock.advance(59_999);
  reply.push(sample.bytes.subarray(100_000), 'end');
  await stored(setup, sample);
  assert.equal((await fetchWhole(setup, sample)).digest(), sample.digest);
  assert.equal(upstream.replies.length, 1);
});

test('a download nobody waits for is given up at its deadline, without a trace', async (t) => {
  const sample = sampleOf(400_000);
  const upstream = new ScriptedUpstream();
  const setup = await setUp(t, upstream);
  const opening = setup.blobs.open(TEAM, sample, {});
  const reply = await upstream.reply(0);
  reply.push(sample.bytes.subarray(0, 100_000));
  (await opening).close();
  setup.clock.advance(60_000);
  assert.equal(reply.signal?.aborted, true);
  assert.equal(setup.counts.inFlight, 0);
  while ((await readdir(join(setup.folder, 'tmp'))).length > 0);
  const again = fetchWhole(setup, sample);
  (await upstream.reply(1)).push(sample.bytes, 'end');
  assert.equal((await again).digest(), sample.digest);
});

test('a slow client does not slow the others', async (t) => {
  const sample = sampleOf(5_000_000);
  const setup = await setUp(t, servesAtOnce(sample));
  const slow = await setup.blobs.open(TEAM, sample, {});
  const slowSink = new TestSink({ isOpen: false });
  const sending = slow.send(slowSink, { start: 0, end: 5_000_000 });
  assert.equal((await fetchWhole(setup, sample)).digest(), sample.digest);
  await stored(setup, sample);
  slowSink.open();
  await sending;
  await slowSink.received(5_000_000);
  assert.equal(slowSink.digest(), sample.digest);
  slow.close();
});

test('sending leaves no listeners behind', async (t) => {
  const sample = sampleOf(300_000);
  const setup = await setUp(t, servesAtOnce(sample));
  const sink = new TestSink();
  const before = sink.eventNames().map((name) => [name, sink.listenerCount(name)]);
  const signal = new AbortController().signal;
  for (let round = 0; round < 3; round += 1) {
    const content = await setup.blobs.open(TEAM, sample, { signal });
    await content.send(sink, { start: 0, end: 300_000 }, signal);
    content.close();
  }
  assert.deepEqual(
    sink.eventNames().map((name) => [name, sink.listenerCount(name)]),
    before,
  );
});

test('the signal ends sending', async (t) => {
  const sample = sampleOf(3_000_000);
  const setup = await setUp(t, servesAtOnce(sample));
  for (const round of ['arriving', 'stored']) {
    const content = await setup.blobs.open(TEAM, sample, {});
    const controller = new AbortController();
    const sink = new TestSink({ isOpen: false });
    const sending = content.send(sink, { start: 0, end: 3_000_000 }, controller.signal);
    controller.abort();
    await assert.rejects(sending, { name: 'AbortError' }, round);
    content.close();
    await stored(setup, sample);
  }
  await assert.rejects(setup.blobs.open(TEAM, sample, { signal: AbortSignal.abort() }), {
    name: 'AbortError',
  });
});

test('stopping ends downloads and refuses new ones', async (t) => {
  const sample = sampleOf(300_000);
  const upstream = new ScriptedUpstream((reply) => reply.push(sample.bytes.subarray(0, 100_000)));
  const setup = await setUp(t, upstream);
  const content = await setup.blobs.open(TEAM, sample, {});
  const sending = content.send(new TestSink(), { start: 0, end: 300_000 });
  const refused = rejectsWith(sending, 'upstream_unreachable');
  await setup.blobs.stop();
  await refused;
  content.close();
  assert.equal(upstream.replies[0]?.signal?.aborted, true);
  assert.deepEqual(await readdir(join(setup.folder, 'tmp')), []);
  await rejectsWith(setup.blobs.open(TEAM, sample, {}), 'upstream_unreachable');
});
