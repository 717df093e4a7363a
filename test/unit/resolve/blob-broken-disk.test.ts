import assert from 'node:assert/strict';
import { truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { sha256Digest } from '../../../src/oci/digest.ts';
import { BlobSendError } from '../../../src/resolve/blob-errors.ts';
import { JoinedBlobs } from '../../../src/resolve/blob-joined.ts';
import type { BlobContent } from '../../../src/resolve/ports.ts';
import {
  DiskContentStore,
  type DiskContentStoreOptions,
} from '../../../src/store/content-store.ts';
import {
  beforeRemoval,
  chunksOf,
  repositoryOf,
  type Sample,
  ScriptedUpstream,
  sampleOf,
  TestSink,
  temporaryFolder,
} from '../../support/blob-doubles.ts';
import { roomy } from '../../support/blob-setup.ts';
import { diskWithRoomFor, noDisk } from '../../support/failing-disk.ts';
import { FakeClock } from '../../support/fake-clock.ts';

const TEAM = repositoryOf('team/app');
const WINDOW = 256 * 1024;
const CHUNK = 16 * 1024;

type OpenTemporary = NonNullable<DiskContentStoreOptions['openTemporary']>;

interface Setup {
  readonly blobs: JoinedBlobs;
  readonly store: DiskContentStore;
  readonly clock: FakeClock;
  readonly folder: string;
  readonly upstream: ScriptedUpstream;
}

async function setUp(
  context: TestContext,
  sample: Sample,
  openTemporary?: OpenTemporary,
): Promise<Setup> {
  const folder = await temporaryFolder(context);
  const clock = new FakeClock(new Date());
  const disk = openTemporary === undefined ? {} : { openTemporary };
  const store = new DiskContentStore({ folder, maxBytes: 1e9, clock, ...disk });
  await store.start();
  const upstream = new ScriptedUpstream((reply) => {
    reply.push(...chunksOf(sample.bytes, CHUNK), 'end');
  });
  const blobs = new JoinedBlobs({
    ...{ store, upstream, clock, windowBytes: WINDOW },
    ...roomy(clock),
  });
  beforeRemoval(context, async () => {
    await blobs.stop();
    await store.close();
  });
  return { blobs, store, clock, folder, upstream };
}

async function drain(content: BlobContent, sink = new TestSink()): Promise<TestSink> {
  await content.send(sink, { start: 0, end: content.size });
  await sink.received(content.size);
  content.close();
  return sink;
}

/** Lets everything that can go on without the test go on. */
async function quiet(): Promise<void> {
  for (let turn = 0; turn < 50; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}

const DISKS: readonly (readonly [string, OpenTemporary])[] = [
  ['a disk that takes nothing', noDisk],
  ['a disk that is full at once', diskWithRoomFor(0)],
  ['a disk that gets full in the middle', diskWithRoomFor(700_001)],
  ['a disk that gets full in the last byte', diskWithRoomFor(1_999_999)],
];

for (const [name, openTemporary] of DISKS) {
  test(`${name}: all clients still get everything, from one upstream read`, async (t) => {
    const sample = sampleOf(2_000_000);
    const setup = await setUp(t, sample, openTemporary);
    const contents = await Promise.all([1, 2, 3].map(() => setup.blobs.open(TEAM, sample, {})));
    const sinks = await Promise.all(contents.map((content) => drain(content)));
    for (const sink of sinks) assert.equal(sink.digest(), sample.digest);
    assert.equal(setup.upstream.replies.length, 1);
    await quiet();
    assert.equal(setup.store.has(sample.digest), false);
  });

  test(`${name}: a range of a large blob cannot be had, the whole can`, async (t) => {
    const sample = sampleOf(2_000_000);
    const setup = await setUp(t, sample, openTemporary);
    const content = await setup.blobs.open(TEAM, sample, { wholeFirst: true });
    // With almost all of it on the disk the rest fits into memory.
    assert.equal(content.isVerified, name.includes('last byte'));
    assert.equal((await drain(content)).digest(), sample.digest);
  });

  test(`${name}: a range of a small blob can be had from memory`, async (t) => {
    const sample = sampleOf(WINDOW);
    const setup = await setUp(t, sample, openTemporary);
    const content = await setup.blobs.open(TEAM, sample, { wholeFirst: true });
    assert.equal(content.isVerified, true);
    const sink = new TestSink();
    await content.send(sink, { start: 150_000, end: 200_000 });
    await sink.received(50_000);
    assert.equal(sink.digest(), sha256Digest(sample.bytes.subarray(150_000, 200_000)));
    assert.equal((await drain(content)).digest(), sample.digest);
  });
}

test('without a disk the slowest client sets the pace, until it stalls for too long', async (t) => {
  const sample = sampleOf(3_000_000);
  const setup = await setUp(t, sample, noDisk);
  const [slow, fast] = await Promise.all([
    setup.blobs.open(TEAM, sample, {}),
    setup.blobs.open(TEAM, sample, {}),
  ]);
  const slowSink = new TestSink({ isOpen: false });
  const fastSink = new TestSink();
  const dropped = assert.rejects(
    slow.send(slowSink, { start: 0, end: 3_000_000 }),
    (error) => error instanceof BlobSendError && error.code === 'client_stalled',
  );
  const sending = fast.send(fastSink, { start: 0, end: 3_000_000 });
  await quiet();
  const reply = await setup.upstream.reply(0);
  assert.ok(reply.takenBytes <= WINDOW + 4 * CHUNK, `${reply.takenBytes} bytes taken`);
  setup.clock.advance(29_999);
  await quiet();
  assert.ok(fastSink.receivedBytes < 1_000_000);
  setup.clock.advance(30_000);
  await sending;
  await fastSink.received(3_000_000);
  assert.equal(fastSink.digest(), sample.digest);
  await dropped;
  slow.close();
  fast.close();
});

test('without a disk a late client that cannot be joined gets its own download', async (t) => {
  const sample = sampleOf(3_000_000);
  const setup = await setUp(t, sample, noDisk);
  const early = await setup.blobs.open(TEAM, sample, {});
  const sink = new TestSink();
  const sending = early.send(sink, { start: 0, end: 3_000_000 });
  await sink.received(1_000_000);
  const late = await setup.blobs.open(TEAM, sample, {});
  assert.equal((await drain(late)).digest(), sample.digest);
  await sending;
  await sink.received(3_000_000);
  assert.equal(sink.digest(), sample.digest);
  early.close();
  assert.equal(setup.upstream.replies.length, 2);
});

test('without a disk a download ends when its last client leaves', async (t) => {
  const sample = sampleOf(3_000_000);
  const setup = await setUp(t, sample, noDisk);
  const content = await setup.blobs.open(TEAM, sample, {});
  content.close();
  assert.equal(setup.upstream.replies[0]?.signal?.aborted, true);
});

test('a stored file cut short while it is sent ends the reply', async (t) => {
  const sample = sampleOf(4_000_000);
  const setup = await setUp(t, sample);
  await drain(await setup.blobs.open(TEAM, sample, {}));
  while (!setup.store.has(sample.digest)) await quiet();
  const content = await setup.blobs.open(TEAM, sample, {});
  const sink = new TestSink({ isOpen: false });
  const sending = assert.rejects(
    content.send(sink, { start: 0, end: 4_000_000 }),
    (error) => error instanceof BlobSendError && error.code === 'content_lost',
  );
  const hex = sample.digest.slice(7);
  await truncate(join(setup.folder, 'v1', 'sha256', hex.slice(0, 2), hex), 1_000_000);
  sink.open();
  await sending;
  content.close();
});
