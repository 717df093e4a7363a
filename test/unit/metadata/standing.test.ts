import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Collections } from '../../../src/metadata/collections.ts';
import { TrustServerError } from '../../../src/metadata/errors.ts';
import { Standing } from '../../../src/metadata/standing.ts';
import { TrustError } from '../../../src/trust/errors.ts';
import { Scene, type SceneOptions } from './scene.ts';

const MINUTE_MS = 60_000;
const OUTAGE = new TrustServerError('trust_server_unreachable', 'no answer');
const BAD = new TrustError('rollback', 'an older one');

/** Collections of one configuration after another, with the same record and the same trust server. */
class Configurations {
  readonly scene: Scene;
  readonly told: string[] = [];
  readonly all: Collections[] = [];

  constructor(rules: SceneOptions['rules'] = {}) {
    this.scene = new Scene({ rules: { maxAgeMs: MINUTE_MS, ...rules } });
    this.add();
  }

  get newest(): Collections {
    const newest = this.all.at(-1);
    assert.ok(newest !== undefined);
    return newest;
  }

  add(): Collections {
    const { source, store, clock } = this.scene;
    const name = `configuration ${this.all.length + 1}`;
    const collections = new Collections({
      sources: new Map([['test', { source, rulesFor: () => this.scene.rules }]]),
      ...{ store, clock },
      events: {
        refreshed: () => undefined,
        firstUse: () => undefined,
        advanced: () => undefined,
        superseded: () => this.told.push(name),
      },
    });
    this.all.push(collections);
    return collections;
  }

  /** Another configuration comes into force. */
  reload(isSame: (source: string) => boolean = () => true): Collections {
    const earlier = this.newest;
    const next = this.add();
    next.inherit(earlier, isSame);
    return next;
  }

  async pin(collections: Collections = this.newest): Promise<number> {
    return await this.scene.pin('v1', collections.open(this.scene.key));
  }
}

describe('collections that inherit', () => {
  it('go on with what is fresh, without a request, and ask when it has aged', async () => {
    const site = new Configurations();
    assert.equal(await site.pin(), 1);
    site.scene.sign('v1', 2);
    site.scene.source.takeAsked();
    site.scene.clock.advance(MINUTE_MS - 1);
    site.reload();
    assert.equal(await site.pin(), 1);
    assert.deepEqual(site.scene.source.takeAsked(), []);
    site.scene.clock.advance(1);
    assert.equal(await site.pin(), 2);
    assert.equal(site.scene.source.takeAsked()[0], 'timestamp.json');
  });

  it('inherit what an earlier one had and nobody asked the one between for', async () => {
    const site = new Configurations();
    await site.pin();
    site.reload();
    site.reload();
    site.scene.source.takeAsked();
    assert.equal(await site.pin(), 1);
    assert.deepEqual(site.scene.source.takeAsked(), []);
  });

  it('ask at once for a source that is not the same', async () => {
    const site = new Configurations();
    await site.pin();
    site.scene.sign('v1', 2);
    site.reload((source) => source !== 'test');
    assert.equal(await site.pin(), 2);
  });

  it('ask at once for what had aged, and for what was proved bad', async () => {
    const aged = new Configurations();
    await aged.pin();
    aged.scene.clock.advance(MINUTE_MS);
    aged.reload();
    aged.scene.sign('v1', 2);
    assert.equal(await aged.pin(), 2);

    const bad = new Configurations();
    await bad.pin();
    bad.scene.publish({ timestamp: { signatures: () => [] } });
    await assert.rejects(bad.newest.open(bad.scene.key).refreshNow(), {
      code: 'threshold_not_met',
    });
    bad.reload();
    await assert.rejects(bad.pin(), { code: 'threshold_not_met' });
    bad.reload();
    bad.scene.sign('v1', 2);
    assert.equal(await bad.pin(), 2);
  });

  it('give nothing that a request of before has meanwhile found to be outdated, or bad', async () => {
    const site = new Configurations();
    await site.pin();
    const before = site.newest.open(site.scene.key);
    site.reload();
    assert.equal(await site.pin(), 1);
    site.scene.sign('v1', 2);
    await before.refreshNow();
    assert.equal(await site.pin(), 2);
    assert.deepEqual(site.told, ['configuration 2'], 'who is in force hears of it');
    site.scene.publish({ timestamp: { signatures: () => [] } });
    await assert.rejects(before.refreshNow(), { code: 'threshold_not_met' });
    await assert.rejects(site.pin(), { code: 'threshold_not_met' });
    assert.deepEqual(site.told, ['configuration 2', 'configuration 2']);
  });

  it('tell nobody of before of what nobody has asked for since', async () => {
    const site = new Configurations();
    await site.pin();
    const before = site.newest.open(site.scene.key);
    site.reload();
    site.scene.sign('v1', 2);
    await before.refreshNow();
    assert.deepEqual(site.told, []);
  });

  it('put on record what a search has them learn, also when both learn it', async () => {
    const site = new Configurations();
    const before = site.newest.open(site.scene.key);
    await before.refreshNow();
    assert.equal(await site.scene.versionOnRecord('targets/releases'), undefined);
    const next = site.reload().open(site.scene.key);
    const both = await Promise.all([site.scene.pin('v1', before), site.scene.pin('v1', next)]);
    assert.deepEqual(both, [1, 1]);
    assert.equal(await site.scene.versionOnRecord('targets/releases'), 1);
  });

  it('inherit no more than they may hold', async () => {
    const site = new Configurations();
    const { source, store, clock } = site.scene;
    await site.pin();
    const next = new Collections({
      sources: new Map([['test', { source, rulesFor: () => site.scene.rules }]]),
      ...{ store, clock, maxCollections: 0 },
      events: {
        refreshed: () => undefined,
        firstUse: () => undefined,
        advanced: () => undefined,
      },
    });
    next.inherit(site.newest, () => true);
    site.scene.sign('v1', 2);
    assert.equal(await site.pin(next), 2);
  });
});

describe('a standing that two configurations refresh', () => {
  function standing(): { readonly scene: Scene; readonly of: Standing } {
    const scene = new Scene({ rules: { maxAgeMs: MINUTE_MS } });
    const { key, rules, store, clock } = scene;
    return { scene, of: new Standing({ key, rules, store, clock }) };
  }

  it('is not good again by an attempt that began before the one that proved it bad', () => {
    const { of } = standing();
    const slow = of.begin();
    const quick = of.begin();
    assert.equal(of.fail(quick, BAD), BAD);
    of.succeed(slow);
    assert.equal(of.failure, BAD);
    assert.equal(of.freshForMs, 0);
    of.succeed(of.begin());
    assert.equal(of.failure, undefined);
    assert.equal(of.freshForMs, MINUTE_MS);
  });

  it('is neither older nor worse by an attempt that began before the last good one', () => {
    const { scene, of } = standing();
    const slow = of.begin();
    const slower = of.begin();
    scene.clock.advance(1_000);
    of.succeed(of.begin());
    assert.equal(of.fail(slow, OUTAGE), OUTAGE, 'whoever asked hears of it');
    assert.equal(of.failure, undefined);
    of.succeed(slower);
    assert.equal(of.freshForMs, MINUTE_MS);
  });

  it('counts freshness from before the request', () => {
    const { scene, of } = standing();
    const attempt = of.begin();
    scene.clock.advance(10_000);
    of.succeed(attempt);
    assert.equal(of.freshForMs, MINUTE_MS - 10_000);
    assert.equal(of.attemptedAtMs, of.checkedAtMs);
  });
});
