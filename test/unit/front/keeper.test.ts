import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Gate } from '../../../src/auth/gate.ts';
import { FrontKeeper } from '../../../src/front/keeper.ts';
import { readMark } from '../../../src/front/kept-mark.ts';
import { sha256Digest } from '../../../src/oci/digest.ts';
import { parseRepositoryName, parseTag } from '../../../src/oci/names.ts';
import type { ByDigest } from '../../../src/policy/rule.ts';
import type { ServedManifest } from '../../../src/resolve/pull-service.ts';
import type { Keepable } from '../../../src/resolve/verified-pulls.ts';
import type { HttpResponse } from '../../../src/server/http-response.ts';
import type { ListenerProfile } from '../../../src/server/registry-context.ts';
import { StreamResponse } from '../../../src/server/stream-response.ts';
import { buildImage } from '../../support/images.ts';
import { PullBench } from '../resolve/verified-pulls-setup.ts';

const REPOSITORY = parseRepositoryName('registry.example.com/team/app');
const TAG = parseTag('1.0');
const BYTES = Buffer.from('{}');
const MANIFEST: ServedManifest = {
  ...{ verdict: 'pinned', digest: sha256Digest(BYTES), mediaType: 'application/json' },
  bytes: BYTES,
};
const KEEPABLE: Keepable = {
  ...{ forMs: 45_000, freshUntil: 2_000_000_000_000 },
  metadata: { source: 'corp', gun: 'registry.example.com/team/app' },
};
const GATE: Gate = {
  name: 'staff',
  admit: () => {
    throw new Error('not asked');
  },
  challenge: () => undefined,
};

interface Row {
  readonly name: string;
  readonly keepable?: Keepable;
  readonly isExempt?: boolean;
  readonly gate?: Gate;
  readonly isRetired?: boolean;
  readonly forMs?: number;
}

const ROWS: readonly Row[] = [
  { name: 'for as long as it holds', keepable: KEEPABLE, forMs: 45_000 },
  { name: 'for a minute at most', keepable: { ...KEEPABLE, forMs: 3_600_000 }, forMs: 60_000 },
  { name: 'not when it does not hold' },
  { name: 'not on a listener that asks who is calling', keepable: KEEPABLE, gate: GATE },
  { name: 'not where images are completed first', keepable: KEEPABLE, isExempt: true },
  { name: 'not by a configuration that is not in force', keepable: KEEPABLE, isRetired: true },
];

describe('an answer is marked to be kept', () => {
  for (const { name, keepable, isExempt = false, gate, isRetired, forMs } of ROWS) {
    it(name, () => {
      const keeper = new FrontKeeper({
        ...{ keepable: () => keepable, isExempt: () => isExempt, epoch: () => 3 },
        isBlobKeepable: () => false,
        witness: () => ({ newest: 5, resets: 1 }),
      });
      if (isRetired === true) keeper.retire();
      const headers = new Map<string, unknown>();
      const profile: ListenerProfile = { name: 'registry', refusal: 'deny', naming: {} };
      const listener = gate === undefined ? profile : { ...profile, gate };
      const about = { repository: REPOSITORY, tag: TAG };
      keeper.mark({ response: noting(headers), listener }, about, MANIFEST);
      const mark = readMark(String(headers.get('X-Pinnace-Front-Keep') ?? ''));
      assert.equal(mark?.forMs, forMs);
      if (mark !== undefined) assert.deepEqual([mark.epoch, mark.newest, mark.resets], [3, 5, 1]);
    });
  }
});

describe('a stored blob may be sent again', () => {
  const at = (isBlobKeepable: boolean): FrontKeeper =>
    new FrontKeeper({
      ...{ keepable: () => undefined, isExempt: () => false, epoch: () => 3 },
      isBlobKeepable: () => isBlobKeepable,
      witness: () => ({ newest: 5, resets: 1 }),
    });
  const profile: ListenerProfile = { name: 'registry', refusal: 'deny', naming: {} };

  it('for ten seconds, where nothing but other rules can end it', () => {
    const keep = { epoch: 3, forMs: 10_000, newest: 5, resets: 1 };
    assert.deepEqual(at(true).ofFile(profile, REPOSITORY), keep);
    assert.equal(at(false).ofFile(profile, REPOSITORY), undefined);
  });

  it('not where callers are asked who they are, nor by rules that are gone', () => {
    assert.equal(at(true).ofFile({ ...profile, gate: GATE }, REPOSITORY), undefined);
    const retired = at(true);
    retired.retire();
    assert.equal(retired.ofFile(profile, REPOSITORY), undefined);
  });

  it('where digests are vouched for without end, and the clock is right', () => {
    const requirement = { kind: 'verified', source: 'corp', signers: [] } as const;
    const keepable = (...byDigest: readonly (ByDigest | undefined)[]): boolean => {
      const rules = byDigest.map((each, index) => ({
        match: 'registry.example.com/**',
        ...(index === 0 ? {} : { tags: [`v${index}`] }),
        requirement: each === undefined ? requirement : { ...requirement, byDigest: each },
      }));
      const bench = new PullBench(rules);
      return bench.pulls.isBlobKeepable(bench.repository);
    };
    assert.equal(keepable(undefined), true);
    assert.equal(keepable({ kind: 'vouched' }), true);
    assert.equal(keepable({ kind: 'vouched', forMs: 0 }), false);
    assert.equal(keepable({ kind: 'vouched', forMs: 3_600_000 }), false);
    assert.equal(keepable({ kind: 'vouched', forMs: 0 }, undefined), true);
    const other = new PullBench();
    assert.equal(other.pulls.isBlobKeepable(parseRepositoryName('other.example.com/a')), false);
  });

  it('not while the clock cannot be relied on', async () => {
    const bench = new PullBench();
    bench.release('1.0', buildImage({ message: 'clock' }));
    await bench.byTag('1.0');
    assert.equal(bench.pulls.isBlobKeepable(bench.repository), true);
    bench.clock.setWallTime(new Date(bench.clock.now() - 3_600_000));
    assert.equal(bench.pulls.isBlobKeepable(bench.repository), false);
  });
});

describe('an answer holds for as long as', () => {
  const image = buildImage({ message: 'keepable' });

  async function answered(): Promise<{
    readonly bench: PullBench;
    readonly served: ServedManifest;
  }> {
    const bench = new PullBench();
    bench.release('1.0', image);
    const served = await bench.byTag('1.0');
    if (served.verdict !== 'pinned') throw new Error('not served');
    return { bench, served };
  }

  it('what is left of maxAge', async () => {
    const { bench, served } = await answered();
    bench.clock.advance(20_000);
    assert.equal(bench.pulls.keepable(bench.repository, TAG, served)?.forMs, 40_000);
    bench.clock.advance(40_000);
    assert.equal(bench.pulls.keepable(bench.repository, TAG, served), undefined);
  });

  it('it is the one of this tag, and not one that stands in', async () => {
    const { bench, served } = await answered();
    const ask = (answer: ServedManifest): unknown =>
      bench.pulls.keepable(bench.repository, TAG, answer);
    assert.ok(ask(served) !== undefined);
    assert.equal(ask({ ...served, digest: MANIFEST.digest }), undefined);
    assert.equal(ask({ ...served, staleSeconds: 5 }), undefined);
    assert.equal(bench.pulls.keepable(bench.repository, parseTag('2.0'), served), undefined);
  });

  it('it is at hand: what policy says of a pin is looked at when it is put there', async () => {
    const { bench, served } = await answered();
    bench.answers.clear();
    assert.equal(bench.pulls.keepable(bench.repository, TAG, served), undefined);
  });

  it('the clock can be relied on', async () => {
    const { bench, served } = await answered();
    bench.clock.setWallTime(new Date(bench.clock.now() - 60_001));
    assert.equal(bench.pulls.keepable(bench.repository, TAG, served), undefined);
  });
});

/** An answer of which nothing but its headers is looked at. */
function noting(headers: Map<string, unknown>): HttpResponse {
  const response: HttpResponse = Object.create(StreamResponse.prototype);
  Object.defineProperty(response, 'setHeader', {
    value: (name: string, value: unknown) => headers.set(name, value),
  });
  return response;
}
