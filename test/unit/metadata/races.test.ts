import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { TrustError } from '../../../src/trust/errors.ts';
import { rejectsWithCode } from '../../support/reject-with-code.ts';
import { RELEASES, Scene } from './scene.ts';

describe('two processes with one state', () => {
  it('see what the other one accepted', async () => {
    const scene = new Scene();
    const other = scene.another();
    const old = scene.publish();
    assert.equal(await scene.pin('v1'), 1);
    assert.equal(await scene.pin('v1', other), 1);
    scene.sign('v1', 2);
    assert.equal(await scene.pin('v1', other), 2);
    scene.serve(old);
    await rejectsWithCode(scene.pin('v1'), TrustError, 'rollback');
    await rejectsWithCode(scene.pin('v1', other), TrustError, 'rollback');
  });

  it('do not let a delegation go back that only the other one has seen', async () => {
    const scene = new Scene();
    const other = scene.another();
    const old = scene.repository.bytes(RELEASES);
    await scene.collection.refreshNow();
    scene.sign('v1', 2);
    assert.equal(await scene.pin('v1', other), 2);
    scene.publish({ [RELEASES]: { bytes: () => old } });
    await rejectsWithCode(scene.pin('v1'), TrustError, 'rollback');
  });

  it('cost one more request when the other one was faster, and the newest wins', async () => {
    const scene = new Scene();
    const other = scene.another();
    assert.equal(await scene.pin(), 1);
    assert.equal(await scene.pin('v1', other), 1);
    const held = scene.source.hold(/^timestamp/);
    const behind = scene.pin();
    await held.arrived;
    const stale = scene.publish();
    scene.sign('v1', 2);
    held.letGo();
    assert.equal(await scene.pin('v1', other), 2);
    assert.ok([1, 2].includes(await behind));
    assert.equal(await scene.pin(), 2);
    scene.serve(stale);
    await rejectsWithCode(scene.pin(), TrustError, 'rollback');
  });

  it('who lose the race to write begin again from what the other one wrote', async () => {
    const scene = new Scene();
    const other = scene.another();
    assert.equal(await scene.pin(), 1);
    scene.sign('v1', 2);
    const older = scene.publish();
    const newer = scene.sign('v1', 3);
    scene.serve(older);
    scene.store.beforeSave = async () => {
      scene.store.beforeSave = async () => undefined;
      scene.serve(newer);
      assert.equal(await scene.pin('v1', other), 3);
      scene.serve(older);
    };
    await rejectsWithCode(scene.pin(), TrustError, 'rollback');
    assert.equal(await scene.versionOnRecord('timestamp'), scene.repository.version('timestamp'));
    scene.serve(newer);
    assert.equal(await scene.pin(), 3);
  });

  it('who lose it to a first record of the other one do so too', async () => {
    const scene = new Scene();
    const other = scene.another();
    const older = scene.publish();
    const newer = scene.sign('v1', 2);
    scene.serve(older);
    scene.store.beforeSave = async () => {
      scene.store.beforeSave = async () => undefined;
      scene.serve(newer);
      assert.equal(await scene.pin('v1', other), 2);
      scene.serve(older);
    };
    await rejectsWithCode(scene.pin(), TrustError, 'rollback');
  });

  it('give up, closed, when the state never stops changing', async () => {
    const scene = new Scene();
    await scene.pin();
    scene.sign('v1', 2);
    const stored = await scene.store.inner.load(scene.key);
    assert.ok(stored !== undefined);
    let rounds = 0;
    scene.store.beforeSave = async () => {
      rounds += 1;
      const revision = await scene.store.inner.revision(scene.key);
      await scene.store.inner.save(scene.key, stored.record, revision);
    };
    await assert.rejects(scene.pin());
    assert.equal(rounds, 5);
    scene.store.beforeSave = async () => undefined;
    assert.equal(await scene.pin(), 2);
  });

  it('notice a faster one although they have nothing to write', async () => {
    const scene = new Scene();
    const other = scene.another();
    await scene.pin();
    await scene.pin('v1', other);
    await scene.pin();
    const held = scene.source.hold(/^timestamp/, { once: true });
    const pin = scene.pin();
    await held.arrived;
    scene.sign('v1', 2);
    assert.equal(await scene.pin('v1', other), 2);
    held.letGo();
    assert.equal(await pin, 2, 'what was asked before is out of date');
    assert.equal(await scene.versionOnRecord('timestamp'), scene.repository.version('timestamp'));
  });

  it('do not write over a record that they cannot accept', async () => {
    const scene = new Scene();
    const anchor = {
      kind: 'keys',
      certificateKeyIds: new Set(scene.repository.rootKeyIds),
      publicKeyIds: new Set<string>(),
    } as const;
    scene.restart({ anchor });
    assert.equal(await scene.pin(), 1);
    const stranger = new Scene();
    await stranger.pin();
    const theirs = await stranger.store.inner.load(stranger.key);
    assert.ok(theirs !== undefined);
    const revision = await scene.store.inner.revision(scene.key);
    await scene.store.inner.save(scene.key, theirs.record, revision);
    for (let pull = 0; pull < 3; pull += 1) {
      await rejectsWithCode(scene.pin(), TrustError, 'pin_mismatch');
    }
    assert.deepEqual((await scene.store.inner.load(scene.key))?.record, theirs.record);
  });
});

describe('events', () => {
  it('tell of each version that is new, once, in the process that found it', async () => {
    const scene = new Scene();
    await scene.pin();
    await scene.pin();
    scene.sign('v1', 2);
    await scene.pin();
    const advanced = scene.events.flatMap((event) =>
      event.kind === 'advanced' ? [Object.fromEntries(event.versions)] : [],
    );
    assert.deepEqual(advanced, [
      { root: 1, timestamp: 1, snapshot: 1, targets: 1 },
      { root: 1, timestamp: 2, snapshot: 2, targets: 1 },
    ]);
  });

  it('tell how each refresh ended', async () => {
    const scene = new Scene();
    await scene.pin();
    scene.goDown();
    scene.clock.advance(1);
    await assert.rejects(scene.pin());
    const ends = scene.events.flatMap((event) =>
      event.kind === 'refreshed' ? [event.failure] : [],
    );
    assert.equal(ends.length, 2);
    assert.equal(ends[0], undefined);
    assert.equal(ends[1], scene.collection.failure);
  });
});
