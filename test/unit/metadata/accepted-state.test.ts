import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { filesOf, restore, toRecord } from '../../../src/metadata/accepted-state.ts';
import type { TrustRecord } from '../../../src/metadata/ports.ts';
import { TrustError } from '../../../src/trust/errors.ts';
import { makeRoleKey } from '../../support/notary-keys.ts';
import { rejectsWithCode, throwsWithCode } from '../../support/reject-with-code.ts';
import { content, RELEASES, Scene } from './scene.ts';

async function recordOf(scene: Scene): Promise<TrustRecord> {
  const stored = await scene.store.inner.load(scene.key);
  assert.ok(stored !== undefined);
  return stored.record;
}

/** A record as values that can be compared. */
function comparable(record: TrustRecord): unknown {
  const { anchorRoot, root, timestamp, snapshot, targets, ...rest } = record;
  const text = (bytes: Uint8Array | undefined): string =>
    Buffer.from(bytes ?? Buffer.of()).toString();
  const files = [...targets].sort().map(([role, bytes]) => [role, text(bytes)]);
  return { ...rest, files: [anchorRoot, root, timestamp, snapshot].map(text), targets: files };
}

describe('a state on record', () => {
  it('comes back as it was', async () => {
    const scene = new Scene();
    scene.repository.rotateRoot();
    scene.publish();
    await scene.pin();
    const record = await recordOf(scene);
    const state = restore(record, scene.key.gun, scene.rules);
    assert.deepEqual(comparable(toRecord(state)), comparable(record));
    assert.equal(state.set?.timestamp.body.version, scene.repository.version('timestamp'));
    assert.equal(state.rootCheckedAt, 0, 'the root chain is to be looked at first');
    assert.equal(record.admittedAt, scene.clock.now());
    assert.equal(record.checkedAt, scene.clock.now());
  });

  it('names the root that was admitted and the one it led to', async () => {
    const scene = new Scene();
    const first = scene.repository.bytes('root');
    await scene.pin();
    scene.clock.advance(5_000);
    scene.repository.rotateRoot();
    scene.publish();
    await scene.pin();
    const record = await recordOf(scene);
    assert.ok(first.equals(record.anchorRoot));
    assert.ok(scene.repository.bytes('root').equals(record.root));
    assert.equal(record.admittedAt, scene.clock.now() - 5_000);
  });

  it('with a newer timestamp than snapshot gives floors but no answers', async () => {
    const scene = new Scene();
    await scene.pin();
    scene.sign('v1', 2);
    const newest = scene.repository.bytes('timestamp');
    const record = { ...(await recordOf(scene)), timestamp: newest };
    const state = restore(record, scene.key.gun, scene.rules);
    assert.equal(state.set, undefined);
    assert.equal(state.files.timestamp, newest);
  });

  it('that expired comes back; whoever uses it looks at the dates', async () => {
    const scene = new Scene();
    await scene.pin();
    scene.clock.advance(40 * 365 * 86_400_000);
    const state = restore(await recordOf(scene), scene.key.gun, scene.rules);
    assert.ok(state.set !== undefined);
    scene.restart();
    await rejectsWithCode(scene.pin(), TrustError, 'root_cert_invalid');
  });

  it('is bound to its collection', async () => {
    const scene = new Scene();
    await scene.pin();
    const record = await recordOf(scene);
    const act = (): unknown => restore(record, 'registry.example.test/other', scene.rules);
    throwsWithCode(act, TrustError, 'root_cert_invalid');
  });
});

describe('floors left for the next refresh', () => {
  it('of roles that nobody asked for are kept while they are delegated', async () => {
    const scene = new Scene();
    await scene.pin();
    scene.repository.sign('plain', content(3));
    scene.publish();
    await scene.collection.refreshNow();
    assert.equal(await scene.versionOnRecord(RELEASES), 1);
    assert.equal(scene.collection.state?.set?.targets.has(RELEASES), false);
  });

  it('end with the delegation, so that it may begin again', async () => {
    const scene = new Scene();
    scene.sign('v1', 2);
    await scene.pin();
    assert.equal(await scene.versionOnRecord(RELEASES), 2);
    scene.repository.removeDelegation(RELEASES);
    scene.sign('v1', 3, 'targets');
    assert.equal(await scene.pin(), 3);
    assert.equal(await scene.versionOnRecord(RELEASES), undefined);
    scene.repository.addDelegation(RELEASES, { keys: [makeRoleKey('ecdsa')] });
    scene.sign('v1', 4);
    assert.equal(await scene.pin(), 4);
  });

  it('of nested roles are kept while the parent is not known to have dropped them', async () => {
    const nested = 'targets/releases/eu';
    const scene = new Scene();
    scene.repository.addDelegation(nested);
    scene.sign('eu', 5, nested);
    await rejectsWithCode(scene.pin('eu'), TrustError, 'tag_not_released');
    assert.equal(await scene.versionOnRecord(nested), 1);
    scene.sign('plain', 6, 'targets');
    await scene.collection.refreshNow();
    assert.equal(await scene.versionOnRecord(nested), 1, 'the parent was not looked at');
    scene.repository.removeDelegation(nested);
    scene.sign('v1', 7);
    await scene.pin();
    scene.sign('plain', 8, 'targets');
    assert.equal(await scene.pin(), 7);
    const set = scene.collection.state?.set;
    assert.ok(set !== undefined);
    const files = filesOf(set, scene.collection.state?.files ?? assert.fail('no files'));
    assert.equal(files.targets.has(nested), false);
  });

  it('make a delegation that was pushed up usable again once its key is new', async () => {
    const scene = new Scene();
    await scene.pin();
    scene.publish({ [RELEASES]: { signed: (signed) => ({ ...signed, version: 1_000_000 }) } });
    await scene.pin();
    scene.sign('v1', 2);
    await rejectsWithCode(scene.pin(), TrustError, 'rollback');
    scene.repository.rotateKey(RELEASES);
    scene.sign('v1', 3);
    assert.equal(await scene.pin(), 3);
  });
});
