import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { saysTheSame } from '../../../src/metadata/accepted-state.ts';
import type { TrustRecord } from '../../../src/metadata/ports.ts';
import { StateError } from '../../../src/store/errors.ts';
import { TrustError } from '../../../src/trust/errors.ts';
import { rejectsWithCode } from '../../support/reject-with-code.ts';
import { RELEASES, Scene } from './scene.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

describe('delegations learned on demand', () => {
  it('stay on record when a refresh was under way', async () => {
    const scene = new Scene({ rules: { maxAgeMs: MINUTE_MS } });
    await scene.collection.refreshNow();
    const held = scene.source.hold(/^timestamp/);
    const refreshing = scene.collection.refreshNow();
    await held.arrived;
    assert.equal(await scene.pin(), 1);
    assert.equal(await scene.versionOnRecord(RELEASES), 1);
    scene.source.takeAsked();
    held.letGo();
    await refreshing;
    assert.deepEqual(scene.source.takeAsked(), [], 'nothing is asked twice');
    assert.equal(await scene.versionOnRecord(RELEASES), 1);
    assert.ok(scene.collection.pinNow('v1', []) !== undefined);
  });

  it('are floors for a refresh that was under way and brings other files', async () => {
    const scene = new Scene({ rules: { maxAgeMs: MINUTE_MS } });
    const old = scene.repository.bytes(RELEASES);
    scene.sign('v1', 2);
    await scene.collection.refreshNow();
    const good = scene.publish();
    const bad = scene.publish({ [RELEASES]: { bytes: () => old } });
    const held = scene.source.hold(/^snapshot/);
    const refreshing = scene.collection.refreshNow();
    await held.arrived;
    scene.serve(good);
    assert.equal(await scene.pin(), 2, 'from what is trusted so far');
    scene.serve(bad);
    held.letGo();
    await refreshing;
    await rejectsWithCode(scene.pin(), TrustError, 'rollback');
    assert.equal(await scene.versionOnRecord(RELEASES), 2);
  });

  it('of metadata replaced meanwhile are no answer: the search begins again', async () => {
    const scene = new Scene({ rules: { maxAgeMs: MINUTE_MS } });
    await scene.collection.refreshNow();
    const held = scene.source.hold(/releases/);
    const pin = scene.pin();
    await held.arrived;
    scene.sign('v1', 2);
    await scene.collection.refreshNow();
    held.letGo();
    assert.equal(await pin, 2);
    assert.equal(await scene.versionOnRecord(RELEASES), 2);
  });

  it('are written down before the next answer when writing failed once', async () => {
    const scene = new Scene({ rules: { maxAgeMs: MINUTE_MS } });
    await scene.collection.refreshNow();
    scene.store.failing.add('save');
    for (let pull = 0; pull < 2; pull += 1) {
      await rejectsWithCode(scene.pin(), StateError, 'state_unreadable');
    }
    scene.store.failing.clear();
    assert.equal(await scene.pin(), 1);
    assert.equal(await scene.versionOnRecord(RELEASES), 1);
  });

  it('are on record before the answer when another process was faster', async () => {
    const scene = new Scene({ rules: { maxAgeMs: MINUTE_MS } });
    await scene.collection.refreshNow();
    const other = scene.another();
    scene.sign('plain', 9, 'targets');
    await other.refreshNow();
    assert.equal(await scene.pin(), 1);
    assert.equal(await scene.versionOnRecord(RELEASES), 1);
    assert.equal(await scene.versionOnRecord('targets'), 2, 'what the other one wrote stays');
  });

  it('are written down once for a crowd', async () => {
    const scene = new Scene();
    await Promise.all(Array.from({ length: 100 }, () => scene.pin()));
    assert.equal(scene.store.saves, 2);
  });

  it('that are on record are not written down again by another process', async () => {
    const scene = new Scene();
    const other = scene.another();
    await scene.pin();
    await scene.pin('v1', other);
    await scene.pin();
    const { saves } = scene.store;
    scene.source.takeAsked();
    for (const each of [scene.collection, other, scene.collection, other]) {
      await scene.pin('v1', each);
    }
    assert.equal(scene.store.saves, saves);
    assert.deepEqual(
      scene.source.takeAsked(),
      Array.from({ length: 4 }, () => 'timestamp.json'),
    );
  });

  it('give up, closed, when the record never stops changing', async () => {
    const scene = new Scene({ rules: { maxAgeMs: MINUTE_MS } });
    await scene.collection.refreshNow();
    scene.store.beforeSave = async () => {
      const stored = await scene.store.inner.load(scene.key);
      if (stored !== undefined) {
        await scene.store.inner.save(scene.key, stored.record, stored.revision);
      }
    };
    await assert.rejects(scene.pin());
    scene.store.beforeSave = async () => undefined;
    assert.equal(await scene.pin(), 1);
  });
});

describe('what was proved bad', () => {
  it('stays so when the server goes down behind it', async () => {
    const scene = new Scene({ rules: { maxAgeMs: 10_000, outageGraceMs: HOUR_MS } });
    const old = scene.publish();
    scene.sign('v1', 2);
    assert.equal(await scene.pin(), 2);
    scene.clock.advance(11_000);
    scene.serve(old);
    await rejectsWithCode(scene.pin(), TrustError, 'rollback');
    scene.goDown();
    for (let pull = 0; pull < 3; pull += 1) {
      scene.clock.advance(6_000);
      await rejectsWithCode(scene.pin(), TrustError, 'rollback');
      assert.equal(scene.collection.pinNow('v1', []), undefined);
    }
    scene.comeBack();
    scene.sign('v1', 3);
    scene.clock.advance(6_000);
    assert.equal(await scene.pin(), 3);
    scene.goDown();
    scene.clock.advance(20_000);
    assert.equal(await scene.staleSeconds(), 20, 'and is over with a good answer');
  });

  it('stays so within maxAge', async () => {
    const scene = new Scene({ rules: { maxAgeMs: MINUTE_MS, outageGraceMs: HOUR_MS } });
    await scene.pin();
    scene.publish({ timestamp: { signatures: () => [] } });
    await rejectsWithCode(scene.collection.refreshNow(), TrustError, 'threshold_not_met');
    scene.goDown();
    scene.clock.advance(5_000);
    await rejectsWithCode(scene.pin(), TrustError, 'threshold_not_met');
    assert.equal(scene.collection.pinNow('v1', []), undefined);
  });

  it('gives way to an outage when there is no earlier answer to bring back', async () => {
    const scene = new Scene({ rules: { outageGraceMs: HOUR_MS } });
    const files = scene.publish();
    scene.serve(new Map([...files, ['root.json', Buffer.from('<html>')]]));
    await rejectsWithCode(scene.pin(), TrustError, 'malformed');
    scene.goDown();
    await assert.rejects(scene.pin(), { code: 'trust_server_unreachable' });
  });

  it('includes a state that could not be written', async () => {
    const scene = new Scene({ rules: { outageGraceMs: HOUR_MS } });
    await scene.pin();
    scene.sign('v1', 2);
    scene.store.failing.add('save');
    await rejectsWithCode(scene.pin(), StateError, 'state_unreadable');
    scene.goDown();
    await rejectsWithCode(scene.pin(), StateError, 'state_unreadable');
  });
});

describe('two records', () => {
  const file = (text: string): Uint8Array => Buffer.from(text);
  const record: TrustRecord = {
    anchorRoot: file('a'),
    admission: 'anchor',
    admittedAt: 1,
    root: file('r'),
    timestamp: file('t'),
    snapshot: file('s'),
    targets: new Map([
      ['targets', file('1')],
      [RELEASES, file('2')],
    ]),
    checkedAt: 5,
  };

  it('say the same whatever the time of the last check', () => {
    const targets = new Map([...record.targets].toReversed());
    assert.equal(saysTheSame(record, { ...record, targets, checkedAt: 9 }), true);
    const bare = { ...record, timestamp: undefined, snapshot: undefined };
    assert.equal(saysTheSame(bare, { ...bare }), true);
  });

  for (const [row, change] of [
    ['anchor root', { anchorRoot: file('x') }],
    ['admission', { admission: 'first-use' }],
    ['time of admission', { admittedAt: 2 }],
    ['root', { root: file('x') }],
    ['timestamp', { timestamp: file('x') }],
    ['no timestamp', { timestamp: undefined }],
    ['snapshot', { snapshot: file('x') }],
    ['one more role', { targets: new Map([...record.targets, ['targets/x', file('3')]]) }],
    ['one role less', { targets: new Map([...record.targets].slice(1)) }],
    ['another role', { targets: new Map([...record.targets].slice(1)).set('x', file('1')) }],
    ['another file of one role', { targets: new Map(record.targets).set(RELEASES, file('x')) }],
  ] as const) {
    it(`differ by ${row}`, () => {
      assert.equal(saysTheSame(record, { ...record, ...change }), false);
      assert.equal(saysTheSame({ ...record, ...change }, record), false);
    });
  }
});
