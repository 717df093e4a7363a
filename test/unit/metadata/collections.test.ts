import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Collections } from '../../../src/metadata/collections.ts';
import { Scene, type SceneOptions } from './scene.ts';

const SECOND_MS = 1_000;
const MINUTE_MS = 60_000;

interface Place {
  readonly scene: Scene;
  readonly collections: Collections;
}

function place(
  rules: SceneOptions['rules'] = {},
  maxCollections?: number,
  repository: SceneOptions['repository'] = {},
): Place {
  const scene = new Scene({ rules: { maxAgeMs: MINUTE_MS, ...rules }, repository });
  const { source, store, clock } = scene;
  const collections = new Collections({
    sources: new Map([['test', { source, rulesFor: () => scene.rules }]]),
    store,
    clock,
    events: {
      refreshed: () => undefined,
      firstUse: () => undefined,
      advanced: () => undefined,
    },
    ...(maxCollections === undefined ? {} : { maxCollections }),
  });
  return { scene, collections };
}

/** Lets background work that has begun come to its end. */
async function settle({ collections }: Place): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
  for (const collection of collections.list()) {
    if (collection.metadata.isRefreshing) await collection.refreshNow().catch(() => undefined);
  }
  await new Promise((resolve) => setImmediate(resolve));
}

/** Moves the clock in small steps, and lets background work happen in between. */
async function pass(where: Place, durationMs: number): Promise<void> {
  for (let at = 0; at < durationMs; at += SECOND_MS) {
    where.scene.clock.advance(Math.min(SECOND_MS, durationMs - at));
    await settle(where);
  }
}

describe('collections', () => {
  it('are one for each key', () => {
    const { collections } = place();
    const one = collections.open({ source: 'test', gun: 'a' });
    assert.equal(collections.open({ source: 'test', gun: 'a' }), one);
    assert.notEqual(collections.open({ source: 'test', gun: 'b' }), one);
    assert.deepEqual(
      collections.list().map(({ key }) => key.gun),
      ['a', 'b'],
    );
  });

  it('of a source that is not configured are a programmers error', () => {
    const { collections } = place();
    assert.throws(() => collections.open({ source: 'other', gun: 'a' }), Error);
    assert.throws(() => collections.open({ source: '__proto__', gun: 'a' }), Error);
  });

  it('in memory are bounded, the least recently used going first', () => {
    const { collections } = place({}, 2);
    const a = collections.open({ source: 'test', gun: 'a' });
    collections.open({ source: 'test', gun: 'b' });
    assert.equal(collections.open({ source: 'test', gun: 'a' }), a);
    collections.open({ source: 'test', gun: 'c' });
    assert.deepEqual(
      collections.list().map(({ key }) => key.gun),
      ['a', 'c'],
    );
  });
});

describe('background work', () => {
  it('refreshes a collection in use before its answer has aged', async () => {
    const where = place();
    const { scene, collections } = where;
    const collection = collections.open(scene.key);
    collections.start();
    assert.equal(await scene.pin('v1', collection), 1);
    scene.source.takeAsked();
    scene.sign('v1', 2);
    await pass(where, 47 * SECOND_MS);
    assert.deepEqual(scene.source.takeAsked(), []);
    await pass(where, 2 * SECOND_MS);
    assert.equal(scene.source.takeAsked()[0], 'timestamp.json');
    assert.equal(await scene.pin('v1', collection), 2, 'nobody had to wait');
    scene.source.takeAsked();
    await pass(where, 10 * SECOND_MS);
    assert.deepEqual(scene.source.takeAsked(), []);
    collections.stop();
  });

  it('ends ten minutes after the last question, and begins with the next', async () => {
    const where = place();
    const { scene, collections } = where;
    const collection = collections.open(scene.key);
    collections.start();
    await scene.pin('v1', collection);
    await pass(where, 10 * MINUTE_MS + 2 * SECOND_MS);
    scene.source.takeAsked();
    await pass(where, 3 * MINUTE_MS);
    assert.deepEqual(scene.source.takeAsked(), []);
    await scene.pin('v1', collection);
    assert.deepEqual(scene.source.takeAsked().at(-1), 'timestamp.json');
    await pass(where, 50 * SECOND_MS);
    assert.deepEqual(scene.source.takeAsked().length, 1);
    collections.stop();
  });

  it('counts a question to the hot path as use', async () => {
    const where = place();
    const { scene, collections } = where;
    const collection = collections.open(scene.key);
    collections.start();
    await scene.pin('v1', collection);
    for (let minute = 0; minute < 12; minute += 1) {
      collection.pinNow('v1', []);
      scene.source.takeAsked();
      await pass(where, MINUTE_MS);
      assert.ok(scene.source.takeAsked().includes('timestamp.json'), `minute ${minute}`);
    }
    collections.stop();
  });

  it('is not done for collections never asked, nor without maxAge, nor after stop', async () => {
    const idle = place();
    idle.collections.open(idle.scene.key);
    idle.collections.start();
    const each = place({ maxAgeMs: 0 });
    each.collections.start();
    await each.scene.pin('v1', each.collections.open(each.scene.key));
    const stopped = place();
    stopped.collections.start();
    await stopped.scene.pin('v1', stopped.collections.open(stopped.scene.key));
    stopped.collections.stop();
    stopped.collections.stop();
    for (const where of [idle, each, stopped]) {
      where.scene.source.takeAsked();
      await pass(where, 2 * MINUTE_MS);
      assert.deepEqual(where.scene.source.takeAsked(), []);
    }
  });

  it('tries again every five seconds while it fails', async () => {
    const where = place();
    const { scene, collections } = where;
    const collection = collections.open(scene.key);
    collections.start();
    await scene.pin('v1', collection);
    scene.goDown();
    await pass(where, 48 * SECOND_MS);
    scene.source.takeAsked();
    await pass(where, 20 * SECOND_MS);
    assert.equal(scene.source.takeAsked().length, 4);
    scene.comeBack();
    await pass(where, 5 * SECOND_MS);
    assert.equal(collection.failure, undefined);
    collections.stop();
  });

  it('makes what was proved bad count at once', async () => {
    const where = place();
    const { scene, collections } = where;
    const collection = collections.open(scene.key);
    collections.start();
    await scene.pin('v1', collection);
    scene.publish({ timestamp: { signatures: () => [] } });
    await pass(where, 50 * SECOND_MS);
    assert.equal(collection.pinNow('v1', []), undefined);
    await assert.rejects(scene.pin('v1', collection), { code: 'threshold_not_met' });
    collections.stop();
  });

  it('does sixteen at a time', async () => {
    const where = place({}, undefined, { rootCommonName: 'registry.example.test/*' });
    const { scene, collections } = where;
    const files = scene.publish();
    const all = Array.from({ length: 20 }, (_, at) => {
      const gun = `registry.example.test/team/app${at}`;
      scene.source.inner.serve(gun, files);
      return collections.open({ source: 'test', gun });
    });
    await Promise.all(all.map((each) => each.pin('v1', [])));
    collections.start();
    const held = scene.source.hold(/^timestamp/);
    scene.clock.advance(49 * SECOND_MS);
    await held.arrived;
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal(all.filter(({ metadata }) => metadata.isRefreshing).length, 16);
    scene.clock.advance(SECOND_MS);
    assert.equal(all.filter(({ metadata }) => metadata.isRefreshing).length, 16);
    held.letGo();
    await pass(where, 2 * SECOND_MS);
    assert.ok(all.every(({ metadata }) => (metadata.checkedAtMs ?? 0) >= 48 * SECOND_MS));
    collections.stop();
  });
});
