import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { TrustServerReason } from '../../../src/base/reason-code.ts';
import { TrustServerError } from '../../../src/metadata/errors.ts';
import { TrustError } from '../../../src/trust/errors.ts';
import { rejectsWithCode } from '../../support/reject-with-code.ts';
import { content, RELEASES, Scene, type SceneOptions } from './scene.ts';

const SECOND_MS = 1_000;
const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

/** A scene that has seen the server once, just now. */
async function warm(
  rules: SceneOptions['rules'],
  repository: SceneOptions['repository'] = {},
): Promise<Scene> {
  const scene = new Scene({ rules: { maxAgeMs: MINUTE_MS, ...rules }, repository });
  assert.equal(await scene.pin(), 1);
  return scene;
}

function isUnreachable(scene: Scene, tag = 'v1'): Promise<TrustServerError> {
  return rejectsWithCode(scene.pin(tag), TrustServerError, 'trust_server_unreachable');
}

describe('an outage', () => {
  it('is not noticed within maxAge', async () => {
    const scene = await warm({});
    scene.goDown();
    scene.clock.advance(MINUTE_MS - 1);
    assert.equal(await scene.staleSeconds(), undefined);
  });

  it('without grace refuses at the end of maxAge', async () => {
    const scene = await warm({});
    scene.goDown();
    scene.clock.advance(MINUTE_MS + 1);
    await isUnreachable(scene);
  });

  for (const reason of [
    'trust_server_unreachable',
    'trust_server_unauthorized',
    'trust_server_error',
  ] as const satisfies readonly TrustServerReason[]) {
    it(`within the grace is bridged, and declared, and then refused: ${reason}`, async () => {
      const scene = await warm({ outageGraceMs: HOUR_MS });
      scene.source.inner.inject(/./, reason);
      for (const [advanceMs, staleSeconds] of [
        [MINUTE_MS, 60],
        [9_999, 69],
        [HOUR_MS - 9_999, 3660],
      ] as const) {
        scene.clock.advance(advanceMs);
        const { value, staleSeconds: declared } = await scene.collection.pin('v1', []);
        assert.equal(value.sha256, content(1).sha256);
        assert.equal(declared, staleSeconds);
        assert.equal(scene.collection.pinNow('v1', []), undefined, 'stale pins are not hot');
      }
      assert.deepEqual(await scene.collection.tags([]), { value: ['v1'], staleSeconds: 3660 });
      assert.deepEqual(await scene.collection.tagsOf(content(1).sha256, []), ['v1']);
      scene.clock.advance(1);
      await rejectsWithCode(scene.pin(), TrustServerError, reason);
      scene.comeBack();
      scene.clock.advance(5 * SECOND_MS);
      assert.equal(await scene.staleSeconds(), undefined);
      assert.ok(scene.collection.pinNow('v1', []) !== undefined);
    });
  }

  it('within the grace is told with what the answers at hand do not say', async () => {
    const scene = await warm({ outageGraceMs: HOUR_MS });
    const isUnsigned = async () =>
      await rejectsWithCode(scene.collection.pin('v2', []), TrustError, 'tag_not_signed');
    const known = await isUnsigned();
    assert.equal(known.detail['staleSeconds'], undefined);
    scene.goDown();
    scene.clock.advance(5 * MINUTE_MS);
    const { detail, message } = await isUnsigned();
    assert.deepEqual(
      { detail, message },
      {
        detail: { ...known.detail, staleSeconds: 300 },
        message: known.message,
      },
    );
  });

  it('is bridged when every pull asks, too', async () => {
    const scene = await warm({ maxAgeMs: 0, outageGraceMs: HOUR_MS });
    scene.goDown();
    scene.clock.advance(HOUR_MS);
    assert.equal(await scene.staleSeconds(), 3600);
    scene.clock.advance(1);
    await isUnreachable(scene);
  });

  it('is bridged for one refresh at a time', async () => {
    const scene = await warm({ outageGraceMs: HOUR_MS });
    scene.goDown();
    scene.clock.advance(MINUTE_MS);
    scene.source.takeAsked();
    await Promise.all(Array.from({ length: 50 }, () => scene.pin()));
    assert.deepEqual(scene.source.takeAsked(), ['timestamp.json']);
    await scene.pin();
    assert.deepEqual(scene.source.takeAsked(), [], 'the failure is remembered');
    scene.clock.advance(5 * SECOND_MS);
    await scene.pin();
    assert.deepEqual(scene.source.takeAsked(), ['timestamp.json']);
  });

  it('is bridged after a restart, from the record, with the age of the last check', async () => {
    const scene = await warm({ outageGraceMs: HOUR_MS });
    scene.goDown();
    scene.clock.advance(10 * MINUTE_MS);
    scene.restart();
    assert.equal(await scene.staleSeconds(), 600);
    scene.clock.advance(51 * MINUTE_MS + 1);
    scene.restart();
    await isUnreachable(scene);
  });

  it('from the beginning is a refusal', async () => {
    const scene = new Scene({ rules: { outageGraceMs: HOUR_MS } });
    scene.goDown();
    await isUnreachable(scene);
    assert.equal(scene.collection.state, undefined);
  });

  it('gives no answer that needs a file which was never fetched', async () => {
    const scene = new Scene({ rules: { maxAgeMs: MINUTE_MS, outageGraceMs: HOUR_MS } });
    scene.sign('plain', 5, 'targets');
    await scene.collection.refreshNow();
    scene.goDown();
    await isUnreachable(scene);
    scene.clock.advance(2 * MINUTE_MS);
    await isUnreachable(scene);
  });

  it('with the new timestamp already seen refuses the answer that it outdated', async () => {
    const scene = await warm({ outageGraceMs: HOUR_MS });
    scene.sign('v1', 2);
    scene.goDown(/^snapshot/);
    scene.clock.advance(MINUTE_MS);
    await isUnreachable(scene);
    scene.restart();
    await isUnreachable(scene);
    scene.comeBack();
    scene.clock.advance(5 * SECOND_MS);
    assert.equal(await scene.pin(), 2);
  });
});

describe('the grace', () => {
  for (const [role, code] of [
    ['timestamp', 'timestamp_expired'],
    ['snapshot', 'snapshot_expired'],
    ['targets', 'targets_expired'],
    ['root', 'root_expired'],
  ] as const) {
    it(`never outlasts the signature of ${role}`, async () => {
      const scene = await warm(
        { outageGraceMs: 90 * DAY_MS },
        { expiresAfterDays: { timestamp: 9, snapshot: 9, targets: 9, root: 9, [role]: 3 } },
      );
      scene.goDown();
      scene.clock.advance(3 * DAY_MS - 1);
      assert.equal(await scene.staleSeconds(), 3 * 86_400 - 1);
      scene.clock.advance(1);
      await rejectsWithCode(scene.pin(), TrustError, code);
      await rejectsWithCode(scene.collection.tags([]), TrustError, code);
      scene.restart();
      await rejectsWithCode(scene.pin(), TrustError, code);
    });
  }

  it('of a timestamp includes the skew of the clock', async () => {
    const scene = await warm(
      { outageGraceMs: 90 * DAY_MS, clockSkewMs: 30 * SECOND_MS },
      { expiresAfterDays: { timestamp: 3 } },
    );
    scene.goDown();
    scene.clock.advance(3 * DAY_MS + 29_999);
    assert.equal(await scene.staleSeconds(), 3 * 86_400 + 29);
    scene.restart();
    assert.equal(await scene.staleSeconds(), 3 * 86_400 + 29);
    scene.clock.advance(1);
    await rejectsWithCode(scene.pin(), TrustError, 'timestamp_expired');
  });

  it('is not for what was proved bad, also within maxAge', async () => {
    for (const advanceMs of [0, 48 * SECOND_MS, 2 * MINUTE_MS]) {
      const scene = await warm({ outageGraceMs: HOUR_MS });
      scene.clock.advance(advanceMs);
      scene.publish({ timestamp: { signatures: () => [] } });
      await rejectsWithCode(scene.collection.refreshNow(), TrustError, 'threshold_not_met');
      assert.equal(scene.collection.pinNow('v1', []), undefined);
      await rejectsWithCode(scene.pin(), TrustError, 'threshold_not_met');
      await rejectsWithCode(scene.collection.tags([]), TrustError, 'threshold_not_met');
      await rejectsWithCode(
        scene.collection.tagsOf(content(1).sha256, []),
        TrustError,
        'threshold_not_met',
      );
      scene.publish();
      scene.clock.advance(5 * SECOND_MS);
      assert.equal(await scene.pin(), 1);
    }
  });

  it('is not for trust data that has vanished', async () => {
    const scene = await warm({ outageGraceMs: HOUR_MS });
    const files = scene.publish();
    scene.serve(new Map());
    scene.clock.advance(MINUTE_MS);
    await rejectsWithCode(scene.pin(), TrustError, 'no_trust_data');
    scene.restart();
    await rejectsWithCode(scene.pin(), TrustError, 'no_trust_data');
    scene.serve(files);
    scene.clock.advance(5 * SECOND_MS);
    assert.equal(await scene.pin(), 1);
  });

  it('is not for a delegation that was proved bad', async () => {
    const scene = await warm({ outageGraceMs: HOUR_MS });
    scene.publish({ [RELEASES]: { signatures: () => [] } });
    scene.clock.advance(MINUTE_MS);
    await rejectsWithCode(scene.pin(), TrustError, 'threshold_not_met');
    scene.goDown();
    scene.clock.advance(MINUTE_MS);
    await assert.rejects(scene.pin());
  });

  it('does not let a delegation go back after a restart', async () => {
    const scene = new Scene({ rules: { outageGraceMs: HOUR_MS } });
    const old = scene.repository.bytes(RELEASES);
    scene.sign('v1', 2);
    assert.equal(await scene.pin(), 2);
    scene.publish({ [RELEASES]: { bytes: () => old } });
    await rejectsWithCode(scene.pin(), TrustError, 'rollback');
    scene.restart();
    scene.goDown(/^timestamp|root/);
    await rejectsWithCode(scene.pin(), TrustError, 'rollback');
  });

  it('does not let a delegation vanish after a restart', async () => {
    const scene = new Scene({ rules: { outageGraceMs: HOUR_MS } });
    scene.sign('v1', 9, 'targets');
    assert.equal(await scene.pin(), 1);
    scene.publish({
      snapshot: {
        signed: (signed) => {
          const meta = signed['meta'];
          if (!(meta instanceof Map)) throw new Error('snapshot is not a snapshot');
          const kept = [...meta].filter(([role]) => role !== RELEASES);
          return { ...signed, meta: new Map(kept) };
        },
      },
    });
    await rejectsWithCode(scene.pin(), TrustError, 'rollback');
    scene.restart();
    scene.goDown();
    await assert.rejects(scene.pin());
  });
});

describe('a server that does not answer', () => {
  it('is waited for three seconds when an earlier answer may stand in', async () => {
    const scene = await warm({ outageGraceMs: HOUR_MS });
    scene.clock.advance(MINUTE_MS);
    scene.sign('v1', 2);
    const held = scene.source.hold(/^timestamp/);
    const pin = scene.collection.pin('v1', []);
    await held.arrived;
    scene.clock.advance(3 * SECOND_MS);
    const { value, staleSeconds } = await pin;
    assert.equal(value.sha256, content(1).sha256);
    assert.equal(staleSeconds, 63);
    const second = scene.collection.pin('v1', []);
    await Promise.resolve();
    scene.clock.advance(3 * SECOND_MS);
    assert.equal((await second).staleSeconds, 66);
    held.letGo();
    await scene.collection.refreshNow();
    assert.equal(await scene.pin(), 2, 'the refresh went on meanwhile');
  });

  it('is waited for longer when nothing may stand in', async () => {
    for (const scene of [new Scene(), await warm({ maxAgeMs: 0 })]) {
      const held = scene.source.hold(/^timestamp/);
      scene.clock.advance(1);
      const pin = scene.pin();
      await held.arrived;
      scene.clock.advance(19 * SECOND_MS);
      held.letGo();
      assert.equal(await pin, 1);
    }
  });

  it('just short of three seconds is waited for', async () => {
    const scene = await warm({ outageGraceMs: HOUR_MS });
    scene.clock.advance(MINUTE_MS);
    const held = scene.source.hold(/^timestamp/);
    const pin = scene.collection.pin('v1', []);
    await held.arrived;
    scene.clock.advance(3 * SECOND_MS - 1);
    held.letGo();
    assert.equal((await pin).staleSeconds, undefined);
  });
});
