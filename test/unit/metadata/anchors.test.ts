import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { RootAnchor } from '../../../src/trust/anchor.ts';
import { TrustError } from '../../../src/trust/errors.ts';
import { rejectsWithCode } from '../../support/reject-with-code.ts';
import { makeTestCa } from '../../support/x509.ts';
import { caOf } from '../trust/making.ts';
import { Scene } from './scene.ts';

const FIRST_USE: RootAnchor = { kind: 'first-use' };
const NONE: RootAnchor = { kind: 'none' };

function keys(ids: readonly string[]): RootAnchor {
  return { kind: 'keys', certificateKeyIds: new Set(ids), publicKeyIds: new Set() };
}

const STRANGER = keys(['ab'.repeat(32)]);

/** A scene whose root keys were rotated so many times, with the ids of the first ones and the last ones. */
function rotated(rotations: number, anchor: RootAnchor): { scene: Scene; ids: readonly string[] } {
  const scene = new Scene({ rules: { anchor } });
  const ids = [...scene.repository.rootKeyIds];
  for (let rotation = 0; rotation < rotations; rotation += 1) {
    scene.repository.rotateRoot();
    scene.publish();
    ids.push(...scene.repository.rootKeyIds);
  }
  return { scene, ids };
}

async function admission(scene: Scene): Promise<string | undefined> {
  return (await scene.store.inner.load(scene.key))?.record.admission;
}

describe('trust on first use', () => {
  it('is reported once, recorded, and from then on is the anchor', async () => {
    const scene = new Scene();
    await scene.pin();
    await scene.pin();
    const reported = scene.events.filter(({ kind }) => kind === 'firstUse');
    assert.deepEqual(reported, [{ kind: 'firstUse', rootKeyIds: scene.repository.rootKeyIds }]);
    assert.equal(await admission(scene), 'first-use');
    const stranger = new Scene();
    stranger.sign('v1', 66);
    scene.serve(stranger.publish());
    await rejectsWithCode(scene.pin(), TrustError, 'threshold_not_met');
    scene.restart();
    await rejectsWithCode(scene.pin(), TrustError, 'threshold_not_met');
    scene.publish();
    assert.equal(await scene.pin(), 1);
    assert.equal(scene.events.filter(({ kind }) => kind === 'firstUse').length, 1);
  });

  it('is reported although the rest of the first refresh failed', async () => {
    const scene = new Scene();
    scene.goDown(/^timestamp/);
    await assert.rejects(scene.pin());
    assert.equal(scene.events.filter(({ kind }) => kind === 'firstUse').length, 1);
    scene.comeBack();
    assert.equal(await scene.pin(), 1);
    assert.equal(scene.events.filter(({ kind }) => kind === 'firstUse').length, 1);
  });

  it('is not for a root that is not in force, and leaves nothing behind', async () => {
    const scene = new Scene({ repository: { expiresAfterDays: { root: -1 } } });
    await rejectsWithCode(scene.pin(), TrustError, 'root_expired');
    assert.equal(await scene.store.inner.load(scene.key), undefined);
    assert.equal(scene.collection.state, undefined);
  });

  it('is over for a collection made anew with other keys, until an operator resets it', async () => {
    const scene = new Scene();
    await scene.pin();
    const anew = new Scene();
    scene.serve(anew.sign('v1', 3));
    await rejectsWithCode(scene.pin(), TrustError, 'threshold_not_met');
    await scene.store.reset(scene.key, 'made anew');
    scene.restart();
    assert.equal(await scene.pin(), 3);
  });

  it('with a reset noticed while running starts over as well', async () => {
    const scene = new Scene();
    await scene.pin();
    await scene.store.reset(scene.key, 'made anew');
    const anew = new Scene();
    scene.serve(anew.sign('v1', 3));
    assert.equal(await scene.pin(), 3);
  });
});

describe('an anchor that changes between restarts', () => {
  for (const [row, before, after, verdict] of [
    ['first use, then the key', FIRST_USE, 'own', 'ok'],
    ['first use, then another key', FIRST_USE, STRANGER, 'pin_mismatch'],
    ['first use, then nothing', FIRST_USE, NONE, 'tofu_disabled'],
    ['first use, then a CA', FIRST_USE, caOf(makeTestCa().certPem), 'pin_mismatch'],
    ['the key, then first use', 'own', FIRST_USE, 'ok'],
    ['the key, then nothing', 'own', NONE, 'tofu_disabled'],
    ['the key, then another one', 'own', STRANGER, 'pin_mismatch'],
    ['the key, then the key again', 'own', 'own', 'ok'],
  ] as const) {
    it(`${row}: ${verdict}`, async () => {
      const scene = new Scene();
      const anchor = (each: RootAnchor | 'own'): RootAnchor =>
        each === 'own' ? keys(scene.repository.rootKeyIds) : each;
      scene.restart({ anchor: anchor(before) });
      assert.equal(await scene.pin(), 1);
      const recorded = await scene.store.inner.load(scene.key);
      scene.restart({ anchor: anchor(after) });
      for (let pull = 0; pull < 2; pull += 1) {
        if (verdict === 'ok') assert.equal(await scene.pin(), 1);
        else await rejectsWithCode(scene.pin(), TrustError, verdict);
      }
      if (verdict === 'ok') return;
      assert.deepEqual(await scene.store.inner.load(scene.key), recorded, 'the record stays');
      scene.restart({ anchor: anchor(before) });
      assert.equal(await scene.pin(), 1);
    });
  }

  for (const [row, named] of [
    ['the first root', 0],
    ['the newest root', 2],
  ] as const) {
    it(`from first use to the key of ${row} keeps what the chain led to`, async () => {
      const { scene, ids } = rotated(0, FIRST_USE);
      await scene.pin();
      const all = [...ids];
      for (let rotation = 0; rotation < 2; rotation += 1) {
        scene.repository.rotateRoot();
        scene.publish();
        all.push(...scene.repository.rootKeyIds);
      }
      await scene.pin();
      scene.restart({ anchor: keys(all.slice(named, named + 1)) });
      assert.equal(await scene.pin(), 1);
      assert.equal(await scene.versionOnRecord('root'), 3);
    });
  }

  it('to a key in the middle of the chain, which is not kept, refuses', async () => {
    const { scene } = rotated(0, FIRST_USE);
    await scene.pin();
    scene.repository.rotateRoot();
    scene.publish();
    const middle = scene.repository.rootKeyIds;
    scene.repository.rotateRoot();
    scene.publish();
    await scene.pin();
    scene.restart({ anchor: keys(middle) });
    await rejectsWithCode(scene.pin(), TrustError, 'pin_mismatch');
  });
});

describe('a first root by an anchor', () => {
  it('may be an older one, from which the chain leads on', async () => {
    for (const named of [0, 1, 2, 3]) {
      const { scene, ids } = rotated(3, FIRST_USE);
      scene.restart({ anchor: keys(ids.slice(named, named + 1)) });
      assert.equal(await scene.pin(), 1);
      assert.equal(await scene.versionOnRecord('root'), 4);
      assert.equal(await admission(scene), 'anchor');
      const asked = scene.source.takeAsked().filter((file) => file.endsWith('root.json'));
      const search =
        named === 3 ? [] : Array.from({ length: named + 1 }, (_, at) => `${at + 1}.root.json`);
      const walked = Array.from({ length: 4 - named }, (_, at) => `${named + 2 + at}.root.json`);
      assert.deepEqual(asked, ['root.json', ...search, ...walked]);
      scene.restart();
      assert.equal(await scene.pin(), 1);
    }
  });

  it('that nobody serves is a mismatch', async () => {
    const { scene, ids } = rotated(2, STRANGER);
    await rejectsWithCode(scene.pin(), TrustError, 'pin_mismatch');
    scene.restart({ anchor: keys(ids.slice(0, 1)) });
    const files = new Map(scene.publish());
    files.delete('1.root.json');
    scene.serve(files);
    await rejectsWithCode(scene.pin(), TrustError, 'pin_mismatch');
    assert.equal(await scene.store.inner.load(scene.key), undefined);
  });

  it('may come after older ones that are damaged', async () => {
    const { scene, ids } = rotated(2, FIRST_USE);
    scene.restart({ anchor: keys(ids.slice(1, 2)) });
    scene.serve(new Map([...scene.publish(), ['1.root.json', Buffer.from('junk')]]));
    assert.equal(await scene.pin(), 1);
  });

  it('leads nowhere over a gap or a damaged link', async () => {
    for (const [replacement, code] of [
      [undefined, 'checksum_mismatch'],
      [Buffer.from('junk'), 'malformed'],
    ] as const) {
      const { scene, ids } = rotated(3, FIRST_USE);
      scene.restart({ anchor: keys(ids.slice(0, 1)) });
      const files = new Map(scene.publish());
      files.delete('3.root.json');
      if (replacement !== undefined) files.set('3.root.json', replacement);
      // Without the link, the server's newest files are not those of the newest root in reach.
      scene.serve(files);
      const expected = replacement === undefined ? 'checksum_mismatch' : code;
      await rejectsWithCode(scene.pin(), TrustError, expected);
    }
  });

  it('is not asked for when an outage comes in between', async () => {
    const { scene, ids } = rotated(2, FIRST_USE);
    scene.restart({ anchor: keys(ids.slice(0, 1)) });
    scene.goDown(/^1\.root/);
    await assert.rejects(scene.pin(), { code: 'trust_server_unreachable' });
    scene.comeBack();
    assert.equal(await scene.pin(), 1);
  });

  it('may be any that is admitted, but its successors must be in order', async () => {
    const { scene, ids } = rotated(1, FIRST_USE);
    scene.restart({ anchor: keys(ids.slice(0, 1)) });
    const files = new Map(scene.publish());
    const stranger = new Scene().publish();
    files.set('2.root.json', stranger.get('root.json') ?? Buffer.of());
    scene.serve(files);
    await rejectsWithCode(scene.pin(), TrustError, 'root_rotation_invalid');
    assert.equal(await scene.store.inner.load(scene.key), undefined);
  });
});

describe('a chain of roots', () => {
  it('longer than one walk is finished by the next one', { timeout: 60_000 }, async () => {
    const scene = new Scene();
    await scene.pin();
    const now = scene.clock.now();
    let files: ReadonlyMap<string, Uint8Array> = new Map();
    for (let root = 0; root < 1030; root += 1) {
      files = scene.repository.publish(new Map([['root', {}]]));
    }
    scene.serve(files);
    scene.source.takeAsked();
    assert.equal(scene.clock.now(), now);
    assert.equal(await scene.pin(), 1);
    assert.equal(await scene.versionOnRecord('root'), 1031);
    const roots = scene.source.takeAsked().filter((file) => file.endsWith('.root.json'));
    assert.equal(roots[0], '2.root.json');
    assert.equal(roots[1023], '1025.root.json');
    assert.equal(new Set(roots).size, roots.length, 'each is fetched once');
  });
});
