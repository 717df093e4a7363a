import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Digest } from '../../../src/oci/digest.ts';
import { parseTag } from '../../../src/oci/names.ts';
import { StateError } from '../../../src/store/errors.ts';
import { buildImage, buildIndex, signedContentOf } from '../../support/images.ts';
import { PullBench, verdictOf } from './verified-pulls-setup.ts';

const IMAGE = buildImage({ message: 'verified pulls' });
const DIGEST = IMAGE.manifest.digest;
const LONGER = { sha256: DIGEST, length: IMAGE.manifest.bytes.length + 1 };

describe('VerifiedPulls: what is vouched for', () => {
  it('vouches for nothing of a manifest that is refused for its length', async () => {
    const bench = new PullBench();
    bench.release('1', IMAGE, LONGER);
    assert.equal(verdictOf(await bench.byTag('1')), 'length_mismatch');
    assert.equal(await bench.state.vouched(bench.repository, DIGEST as Digest), undefined);
    assert.equal(await bench.state.wasPinned(bench.repository, DIGEST as Digest), false);
    const config = IMAGE.config.digest as Digest;
    assert.equal(await bench.state.vouched(bench.repository, config), undefined);
    assert.equal(verdictOf(await bench.byDigest(DIGEST)), 'length_mismatch');
  });

  it('keeps refusing a child that does not have the size its index states', async () => {
    const bench = new PullBench();
    const index = buildIndex([IMAGE]);
    bench.release('1', { ...IMAGE, manifest: index.manifest });
    bench.upstream.manifests.set(DIGEST, IMAGE.manifest);
    await bench.state.recordClosure(
      bench.repository,
      { ...descriptorOf(index.manifest), kind: 'manifest' },
      [{ ...descriptorOf(IMAGE.manifest), size: 7, kind: 'manifest' }],
    );
    for (let turn = 0; turn < 2; turn += 1) {
      assert.equal(verdictOf(await bench.byDigest(DIGEST)), 'digest_mismatch');
    }
  });

  it('serves a manifest by tag only while the state can be written', async () => {
    const bench = new PullBench();
    bench.release('1', IMAGE);
    bench.state.recordClosure = () =>
      Promise.reject(new StateError('state_unreadable', 'the disk is full'));
    assert.equal(verdictOf(await bench.byTag('1')), 'state_unreadable');
    assert.equal(bench.pulls.manifestByTagNow(bench.repository, parseTag('1')), undefined);
  });

  it('does not believe its own store', async () => {
    const bench = new PullBench();
    bench.release('1', IMAGE);
    const bytes = Buffer.from(IMAGE.manifest.bytes);
    bytes.writeUInt8(bytes.readUInt8(40) ^ 1, 40);
    bench.manifests.kept.set(DIGEST as Digest, { ...IMAGE.manifest, bytes });
    assert.equal(verdictOf(await bench.byTag('1')), 'digest_mismatch');
  });

  it('gives a blob to nobody who asks for a manifest, nor the other way round', async () => {
    const bench = new PullBench();
    bench.release('1', IMAGE);
    await bench.byTag('1');
    assert.equal(verdictOf(await bench.byDigest(IMAGE.config.digest)), 'digest_not_vouched');
    const blob = await bench.pulls.blob(bench.repository, DIGEST as Digest, {});
    assert.equal(blob.verdict === 'pinned' ? 'served' : blob.reason, 'digest_not_vouched');
  });

  it('marks an earlier answer also when it is first asked for by digest', async () => {
    const bench = new PullBench();
    const other = buildImage({ message: 'other' });
    bench.release('other', other);
    bench.release('1', IMAGE);
    await bench.byTag('other');
    bench.source.inject(/./, 'trust_server_unreachable');
    bench.clock.advance(120_000);
    const answer = await bench.byDigest(DIGEST);
    assert.equal(answer.verdict === 'pinned' ? answer.staleSeconds : answer.reason, 120);
  });

  it('lists tags in the order of their bytes, and only those that can be asked for', async () => {
    const bench = new PullBench();
    for (const tag of ['b', 'A', 'a', '1.0', 'not a tag', '-x']) bench.release(tag, IMAGE);
    const answer = await bench.pulls.tags(bench.repository, {});
    assert.deepEqual(answer.verdict === 'pinned' ? answer.tags : answer.reason, [
      '1.0',
      'A',
      'a',
      'b',
    ]);
  });
});

describe('VerifiedPulls: waiting', () => {
  it('reads a manifest once for all who wait, and counts those who joined', async () => {
    const bench = new PullBench();
    bench.release('1', IMAGE);
    const answers = await Promise.all(Array.from({ length: 50 }, () => bench.byTag('1')));
    assert.deepEqual(new Set(answers.map(verdictOf)), new Set([DIGEST]));
    assert.equal(bench.upstream.asked.length, 1);
    assert.equal(bench.joined, 49);
    await bench.byTag('1');
    assert.equal(bench.joined, 49);
  });

  it('lets one who waits go without stopping the others', async () => {
    const bench = new PullBench();
    bench.release('1', IMAGE);
    const gate = Promise.withResolvers<void>();
    bench.upstream.gate = gate.promise;
    const leaving = new AbortController();
    const left = bench.byTag('1', leaving.signal);
    const stays = bench.byTag('1');
    while (bench.joined === 0) await new Promise(setImmediate);
    const gone = new Error('the client went away');
    leaving.abort(gone);
    // Neither a verdict nor an error of ours: the caller's own reason.
    await assert.rejects(left, gone);
    gate.resolve();
    assert.equal(verdictOf(await stays), DIGEST);
  });

  it('does not carry an answer past the moment until which it was signed', async () => {
    const bench = new PullBench();
    bench.release('1', IMAGE);
    const gate = Promise.withResolvers<void>();
    bench.upstream.gate = gate.promise;
    const answer = bench.byTag('1');
    while (bench.upstream.asked.length === 0) await new Promise(setImmediate);
    bench.clock.advance(15 * 86_400_000);
    gate.resolve();
    assert.equal(verdictOf(await answer), 'timestamp_expired');
    assert.equal(bench.pulls.manifestByTagNow(bench.repository, parseTag('1')), undefined);
  });

  it('gives the answer signed meanwhile when the first one ran out', async () => {
    const bench = new PullBench();
    bench.release('1', IMAGE);
    const gate = Promise.withResolvers<void>();
    bench.upstream.gate = gate.promise;
    const answer = bench.byTag('1');
    while (bench.upstream.asked.length === 0) await new Promise(setImmediate);
    bench.clock.advance(15 * 86_400_000);
    bench.publisher.now = new Date(bench.clock.now());
    const newer = buildImage({ message: 'newer' });
    bench.release('1', newer);
    gate.resolve();
    assert.equal(verdictOf(await answer), newer.manifest.digest);
  });

  it('says nothing about content when it fails itself', async () => {
    const bench = new PullBench();
    bench.release('1', IMAGE);
    await bench.byTag('1');
    const config = IMAGE.config.digest as Digest;
    await assert.rejects(bench.pulls.blob(bench.repository, config, {}), TypeError);
  });
});

describe('VerifiedPulls: the answer at hand', () => {
  it('is there after the first pull, while it is fresh and the clock is right', async () => {
    const bench = new PullBench();
    bench.release('1', IMAGE);
    const now = (): string | undefined =>
      bench.pulls.manifestByTagNow(bench.repository, parseTag('1'))?.digest;
    assert.equal(now(), undefined);
    await bench.byTag('1');
    assert.equal(now(), DIGEST);
    bench.clock.setWallTime(new Date(bench.clock.now() - 120_000));
    assert.equal(now(), undefined);
    assert.equal(verdictOf(await bench.byTag('1')), 'clock_went_back');
    bench.clock.setWallTime(new Date(bench.clock.now() + 120_000));
    assert.equal(now(), DIGEST);
    bench.clock.advance(60_001);
    assert.equal(now(), undefined);
  });

  it('is not there for repositories that are not verified', async () => {
    const match = 'registry.example.com/**';
    const bench = new PullBench([{ match, requirement: { kind: 'unverified', reason: 'a test' } }]);
    assert.equal(bench.pulls.treatment(bench.repository), 'unverified');
    assert.equal(bench.pulls.manifestByTagNow(bench.repository, parseTag('1')), undefined);
    assert.equal(verdictOf(await bench.byTag('1')), 'no_rule');
    const none = new PullBench([]);
    assert.equal(none.pulls.treatment(none.repository), 'no-rule');
    assert.equal(verdictOf(await none.byTag('1')), 'no_rule');
  });
});

function descriptorOf(content: typeof IMAGE.manifest): {
  readonly mediaType: string;
  readonly digest: Digest;
  readonly size: number;
} {
  const { length } = signedContentOf({ manifest: content });
  return { mediaType: content.mediaType, digest: content.digest as Digest, size: length };
}
