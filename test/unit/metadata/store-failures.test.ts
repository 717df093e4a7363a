import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { StateError } from '../../../src/store/errors.ts';
import { TrustError } from '../../../src/trust/errors.ts';
import { rejectsWithCode } from '../../support/reject-with-code.ts';
import { Scene } from './scene.ts';

const HOUR_MS = 3_600_000;

describe('a state that cannot be read or written', () => {
  for (const operation of ['load', 'save', 'revision'] as const) {
    it(`fails a first pull closed: ${operation}`, async () => {
      const scene = new Scene({ rules: { outageGraceMs: HOUR_MS } });
      scene.store.failing.add(operation);
      if (operation === 'revision') {
        assert.equal(await scene.pin(), 1, 'nothing to compare with yet');
      } else {
        await rejectsWithCode(scene.pin(), StateError, 'state_unreadable');
        assert.equal(scene.collection.pinNow('v1', []), undefined);
        await rejectsWithCode(scene.pin(), StateError, 'state_unreadable');
        scene.store.failing.clear();
        assert.equal(await scene.pin(), 1);
      }
    });

    it(`fails a later pull closed, grace or not: ${operation}`, async () => {
      const scene = new Scene({ rules: { outageGraceMs: HOUR_MS } });
      await scene.pin();
      scene.sign('v1', 2);
      scene.store.failing.add(operation);
      if (operation === 'load') {
        assert.equal(await scene.pin(), 2, 'nothing to load');
        scene.restart();
      }
      await rejectsWithCode(scene.pin(), StateError, 'state_unreadable');
      assert.equal(scene.collection.pinNow('v1', []), undefined);
      scene.store.failing.clear();
      assert.equal(await scene.pin(), 2);
    });
  }

  it('is remembered like any failure, and told to who asks', async () => {
    const scene = new Scene({ rules: { maxAgeMs: 60_000 } });
    scene.store.failing.add('load');
    await rejectsWithCode(scene.pin(), StateError, 'state_unreadable');
    scene.store.failing.clear();
    await rejectsWithCode(scene.pin(), StateError, 'state_unreadable');
    assert.ok(scene.collection.failure instanceof StateError);
    scene.clock.advance(5_000);
    assert.equal(await scene.pin(), 1);
  });

  it('refuses a pin whose delegation could not be written down', async () => {
    const scene = new Scene({ rules: { maxAgeMs: 60_000 } });
    await scene.collection.refreshNow();
    scene.store.failing.add('save');
    await rejectsWithCode(scene.pin(), StateError, 'state_unreadable');
    assert.equal(scene.collection.pinNow('v1', []), undefined);
  });

  it('is looked at without asking the server by loadOnly', async () => {
    const scene = new Scene();
    await scene.pin();
    scene.source.takeAsked();
    const other = scene.another();
    await other.loadOnly();
    assert.deepEqual(scene.source.takeAsked(), []);
    assert.equal(other.state?.root.body.version, 1);
    assert.equal(other.metadata.checkedAtMs, undefined);
    scene.store.failing.add('load');
    await rejectsWithCode(scene.another().loadOnly(), StateError, 'state_unreadable');
  });
});

describe('a record that was tampered with', () => {
  const junk = Buffer.from('junk');

  for (const [row, change, code] of [
    ['the root', { root: junk }, 'malformed'],
    ['the anchor root', { anchorRoot: junk }, 'malformed'],
  ] as const) {
    it(`is refused: ${row}`, async () => {
      const scene = new Scene();
      await scene.pin();
      const stored = await scene.store.inner.load(scene.key);
      assert.ok(stored !== undefined);
      await scene.store.inner.save(scene.key, { ...stored.record, ...change }, stored.revision);
      scene.restart();
      await rejectsWithCode(scene.pin(), TrustError, code);
      await rejectsWithCode(scene.pin(), TrustError, code);
    });
  }

  it('gives no answers from files that do not verify', async () => {
    for (const change of [
      { timestamp: junk },
      { snapshot: junk },
      { targets: new Map([['targets', junk]]) },
      { timestamp: undefined },
      { snapshot: undefined },
      { targets: new Map() },
    ]) {
      const scene = new Scene({ rules: { outageGraceMs: HOUR_MS } });
      await scene.pin();
      const stored = await scene.store.inner.load(scene.key);
      assert.ok(stored !== undefined);
      await scene.store.inner.save(scene.key, { ...stored.record, ...change }, stored.revision);
      scene.restart();
      scene.goDown();
      await assert.rejects(scene.pin(), { code: 'trust_server_unreachable' });
      scene.comeBack();
      assert.equal(await scene.pin(), 1);
    }
  });
});
