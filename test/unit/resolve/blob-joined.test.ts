import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sha256Digest } from '../../../src/oci/digest.ts';
import { BlobSendError } from '../../../src/resolve/blob-errors.ts';
import { chunksOf, ScriptedUpstream, sampleOf, TestSink } from '../../support/blob-doubles.ts';
import { fetchWhole, servesAtOnce, setUp, stored, TEAM } from '../../support/blob-setup.ts';

const HELD_BACK = 64 * 1024;

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
