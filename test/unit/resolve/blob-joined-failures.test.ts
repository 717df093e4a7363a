import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { BlobSendError } from '../../../src/resolve/blob-errors.ts';
import { UpstreamError } from '../../../src/resolve/errors.ts';
import {
  chunksOf,
  repositoryOf,
  ScriptedUpstream,
  sampleOf,
  TestSink,
} from '../../support/blob-doubles.ts';
import {
  fetchWhole,
  rejectsWith,
  servesAtOnce,
  setUp,
  stored,
  TEAM,
} from '../../support/blob-setup.ts';

const OTHER = repositoryOf('other/app');
const HELD_BACK = 64 * 1024;

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
