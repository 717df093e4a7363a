import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { LoopTurns } from '../../../src/base/loop-turns.ts';
import { Collections } from '../../../src/metadata/collections.ts';
import { Scene } from './scene.ts';

class CountedTurns extends LoopTurns {
  taken = 0;

  override async next(): Promise<void> {
    this.taken += 1;
    await super.next();
  }
}

function open(scene: Scene, turns: LoopTurns): Collections {
  const { source, store, clock } = scene;
  return new Collections({
    sources: new Map([['test', { source, rulesFor: () => scene.rules }]]),
    ...{ store, clock, turns },
    events: { refreshed: () => undefined, firstUse: () => undefined, advanced: () => undefined },
  });
}

describe('verifying waits for its turn', () => {
  it('after each file that is fetched but the timestamp, and before a pin is looked for', async () => {
    const scene = new Scene({ rules: { maxAgeMs: 60_000 } });
    const turns = new CountedTurns();
    const collection = open(scene, turns).open(scene.key);
    assert.equal(await scene.pin('v1', collection), 1);
    const files = scene.source.takeAsked().filter((file) => file !== 'timestamp.json');
    // The next root in the chain was asked for, and is not there.
    assert.ok(files.includes('2.root.json'));
    assert.equal(turns.taken, files.length - 1 + 1);
  });

  it('not where nothing is verified: a pin at hand, a timestamp that is the one known', async () => {
    const scene = new Scene({ rules: { maxAgeMs: 60_000 } });
    const turns = new CountedTurns();
    const collection = open(scene, turns).open(scene.key);
    await scene.pin('v1', collection);
    turns.taken = 0;
    await scene.pin('v1', collection);
    scene.clock.advance(60_000);
    await scene.pin('v1', collection);
    assert.equal(turns.taken, 0);
  });

  it('before a record is verified again', async () => {
    const scene = new Scene({ rules: { maxAgeMs: 60_000 } });
    await scene.pin();
    const turns = new CountedTurns();
    await open(scene, turns).open(scene.key).loadOnly();
    assert.equal(turns.taken, 1);
  });

  it('however many ask at once', async () => {
    const scene = new Scene({
      rules: { maxAgeMs: 60_000 },
      repository: { rootCommonName: 'registry.example.test/*' },
    });
    const files = scene.publish();
    const collections = open(scene, new LoopTurns());
    const pinned = new Set<number>();
    const all = Array.from({ length: 30 }, async (_, at) => {
      const gun = `registry.example.test/team/app${at}`;
      scene.source.inner.serve(gun, files);
      await scene.pin('v1', collections.open({ source: 'test', gun }));
      pinned.add(at);
    });
    let most = 0;
    for (let before = 0; pinned.size < all.length; before = pinned.size) {
      await new Promise((resolve) => setImmediate(resolve));
      most = Math.max(most, pinned.size - before);
    }
    await Promise.all(all);
    assert.ok(most > 0 && most <= 2, `${most} in one turn`);
  });
});
