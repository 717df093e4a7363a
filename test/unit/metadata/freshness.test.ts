import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { TrustError } from '../../../src/trust/errors.ts';
import { rejectsWithCode } from '../../support/reject-with-code.ts';
import { content, RELEASES, Scene } from './scene.ts';

const MINUTE_MS = 60_000;

/** File names with their hashes left out. */
function shapes(asked: readonly string[]): readonly string[] {
  return asked.map((file) => file.replace(/\.[0-9a-f]{64}\./, '.HASH.'));
}

describe('requests', () => {
  it('of a first pull are six', async () => {
    const scene = new Scene();
    assert.equal(await scene.pin(), 1);
    assert.deepEqual(shapes(scene.source.takeAsked()), [
      'root.json',
      '2.root.json',
      'timestamp.json',
      'snapshot.HASH.json',
      'targets.HASH.json',
      'targets/releases.HASH.json',
    ]);
  });

  it('of every later pull are one, when nothing may be kept', async () => {
    const scene = new Scene();
    await scene.pin();
    scene.source.takeAsked();
    for (let pull = 0; pull < 3; pull += 1) {
      assert.equal(await scene.pin(), 1);
      assert.deepEqual(scene.source.takeAsked(), ['timestamp.json']);
    }
  });

  it('are none within maxAge, and one at its end', async () => {
    const scene = new Scene({ rules: { maxAgeMs: MINUTE_MS } });
    await scene.pin();
    scene.source.takeAsked();
    scene.clock.advance(MINUTE_MS - 1);
    assert.equal(await scene.pin(), 1);
    assert.equal(scene.collection.pinNow('v1', [])?.sha256, content(1).sha256);
    assert.deepEqual(scene.source.takeAsked(), []);
    scene.clock.advance(1);
    assert.equal(scene.collection.pinNow('v1', []), undefined);
    assert.equal(await scene.pin(), 1);
    assert.deepEqual(scene.source.takeAsked(), ['timestamp.json']);
  });

  it('after a publication are for what has changed', async () => {
    const scene = new Scene();
    scene.sign('plain', 9, 'targets');
    await scene.pin();
    scene.source.takeAsked();
    scene.sign('v1', 2);
    assert.equal(await scene.pin(), 2);
    assert.deepEqual(shapes(scene.source.takeAsked()), [
      'timestamp.json',
      '2.root.json',
      'snapshot.HASH.json',
      'targets/releases.HASH.json',
    ]);
  });

  it('after a restart are for the root chain and the timestamp', async () => {
    const scene = new Scene();
    await scene.pin();
    scene.source.takeAsked();
    scene.restart();
    assert.equal(await scene.pin(), 1);
    assert.deepEqual(scene.source.takeAsked(), ['2.root.json', 'timestamp.json']);
    assert.equal(await scene.pin(), 1);
    assert.deepEqual(scene.source.takeAsked(), ['timestamp.json']);
  });

  it('go past caches for what may change, and are bounded in size', async () => {
    const scene = new Scene();
    await scene.pin();
    const sizes = new Map(
      scene.source.asked.map((file, index) => [
        file.split('.')[0],
        [scene.source.options[index]?.maxBytes, scene.source.options[index]?.bypassCaches],
      ]),
    );
    assert.deepEqual(Object.fromEntries(sizes), {
      root: [1024 * 1024, true],
      2: [1024 * 1024, true],
      timestamp: [64 * 1024, true],
      snapshot: [scene.repository.bytes('snapshot').length, undefined],
      targets: [scene.repository.bytes('targets').length, undefined],
      [RELEASES]: [scene.repository.bytes(RELEASES).length, undefined],
    });
    assert.ok(scene.source.options.every(({ signal }) => signal !== undefined));
  });

  it('are bounded in size however long a file claims to be', async () => {
    const scene = new Scene();
    const changed = scene.repository.bytes(RELEASES).length + 100 * 1024 * 1024;
    scene.publish({
      snapshot: {
        bytes: (bytes) => bytes,
        signed: (signed) => {
          const meta = signed['meta'];
          if (!(meta instanceof Map)) throw new Error('snapshot is not a snapshot');
          const entry = { ...meta.get('targets'), length: changed };
          return { ...signed, meta: new Map([...meta, ['targets', entry]]) };
        },
      },
    });
    await rejectsWithCode(scene.pin(), TrustError, 'length_mismatch');
    assert.equal(scene.source.options.at(-1)?.maxBytes, 32 * 1024 * 1024);
  });
});

describe('news', () => {
  it('are seen at once without maxAge, and at its end with it', async () => {
    for (const maxAgeMs of [0, MINUTE_MS]) {
      const scene = new Scene({ rules: { maxAgeMs } });
      assert.equal(await scene.pin(), 1);
      scene.sign('v1', 2);
      scene.sign('v2', 3);
      assert.equal(await scene.pin(), maxAgeMs === 0 ? 2 : 1);
      if (maxAgeMs > 0) await rejectsWithCode(scene.pin('v2'), TrustError, 'tag_not_signed');
      scene.clock.advance(maxAgeMs);
      assert.equal(await scene.pin(), 2);
      assert.equal(await scene.pin('v2'), 3);
      assert.deepEqual((await scene.collection.tags([])).value.toSorted(), ['v1', 'v2']);
    }
  });

  it('are seen at once after refreshAnew, even if a refresh was under way', async () => {
    const scene = new Scene({ rules: { maxAgeMs: MINUTE_MS } });
    await scene.pin();
    const held = scene.source.hold(/^timestamp/);
    const underWay = scene.collection.refreshNow();
    await held.arrived;
    assert.equal(scene.collection.metadata.isRefreshing, true);
    scene.sign('v1', 2);
    const anew = scene.collection.refreshAnew();
    held.letGo();
    await Promise.all([underWay, anew]);
    assert.equal(scene.collection.metadata.isRefreshing, false);
    assert.equal(await scene.pin(), 2);
    scene.sign('v1', 3);
    await scene.collection.refreshAnew();
    assert.equal(scene.collection.pinNow('v1', []), undefined, 'the old pin is gone');
    assert.equal(await scene.pin(), 3);
    assert.equal(scene.collection.pinNow('v1', [])?.sha256, content(3).sha256);
  });

  it('are asked for anew even if the refresh under way fails', async () => {
    const scene = new Scene({ rules: { maxAgeMs: MINUTE_MS } });
    scene.goDown();
    const failing = scene.collection.refreshNow();
    const anew = scene.collection.refreshAnew();
    await assert.rejects(failing);
    scene.comeBack();
    await anew;
    assert.equal(await scene.pin(), 1);
  });

  it('published while a refresh ran count as unseen', async () => {
    const scene = new Scene({ rules: { maxAgeMs: MINUTE_MS } });
    const held = scene.source.hold(/^snapshot/);
    const pin = scene.pin();
    await held.arrived;
    scene.clock.advance(2_000);
    scene.sign('v1', 2);
    held.letGo();
    assert.equal(await pin, 1);
    scene.clock.advance(MINUTE_MS - 2_000);
    assert.equal(await scene.pin(), 2, 'the age counts from the beginning of the refresh');
  });

  it('of a removed tag take effect, and a tag signed anew counts', async () => {
    const scene = new Scene();
    await scene.pin();
    scene.repository.removeTag('v1', RELEASES);
    scene.publish();
    await rejectsWithCode(scene.pin(), TrustError, 'tag_not_signed');
    assert.deepEqual((await scene.collection.tags([])).value, []);
    scene.sign('v1', 4);
    assert.equal(await scene.pin(), 4);
  });
});

describe('the root chain', () => {
  it('is looked at every ten minutes although the timestamp is unchanged', async () => {
    const scene = new Scene();
    await scene.pin();
    scene.clock.advance(10 * MINUTE_MS - 1);
    scene.source.takeAsked();
    await scene.pin();
    assert.deepEqual(scene.source.takeAsked(), ['timestamp.json']);
    scene.clock.advance(1);
    await scene.pin();
    assert.deepEqual(scene.source.takeAsked(), ['2.root.json', 'timestamp.json']);
    await scene.pin();
    assert.deepEqual(scene.source.takeAsked(), ['timestamp.json']);
  });

  it('so shows that the key of a repeated timestamp was revoked', async () => {
    const scene = new Scene();
    const before = scene.publish();
    await scene.pin();
    scene.repository.rotateKey('timestamp');
    const after = scene.publish();
    const replayed = new Map([...before, ['2.root.json', after.get('2.root.json') ?? Buffer.of()]]);
    scene.serve(replayed);
    assert.equal(await scene.pin(), 1);
    scene.clock.advance(10 * MINUTE_MS);
    await rejectsWithCode(scene.pin(), TrustError, 'threshold_not_met');
    await rejectsWithCode(scene.pin(), TrustError, 'threshold_not_met');
    scene.restart();
    await rejectsWithCode(scene.pin(), TrustError, 'threshold_not_met');
    scene.serve(after);
    assert.equal(await scene.pin(), 1);
  });

  it('is walked again when a root is published between two requests', async () => {
    const scene = new Scene();
    await scene.pin();
    const held = scene.source.hold(/^2\.root/);
    scene.sign('v1', 2);
    const pin = scene.pin();
    await held.arrived;
    scene.repository.rotateRoot();
    scene.sign('v1', 3);
    held.letGo();
    assert.equal(await pin, 2, 'the timestamp had been fetched before');
    assert.equal(await scene.pin(), 3);
    const slow = scene.source.hold(/^3\.root/);
    scene.sign('v1', 4);
    const next = scene.pin();
    await slow.arrived;
    scene.repository.rotateRoot();
    slow.letGo();
    assert.equal(await next, 4);
  });
});

describe('what is kept', () => {
  it('the time of the last check is written down at most once a minute', async () => {
    const scene = new Scene();
    await scene.pin();
    const { saves } = scene.store;
    for (let second = 0; second < 59; second += 1) {
      scene.clock.advance(1_000);
      await scene.pin();
    }
    assert.equal(scene.store.saves, saves);
    scene.clock.advance(1_000);
    await scene.pin();
    await scene.pin();
    assert.equal(scene.store.saves, saves + 1);
    const stored = await scene.store.inner.load(scene.key);
    assert.equal(stored?.record.checkedAt, scene.clock.now());
  });

  it('a pin ends with the signature that it rests on, whatever maxAge says', async () => {
    const scene = new Scene({
      rules: { maxAgeMs: 40 * 86_400_000 },
      repository: { expiresAfterDays: { timestamp: 1 } },
    });
    await scene.pin();
    const end = scene.clock.now() + 86_400_000;
    assert.equal(scene.collection.pinNow('v1', [])?.freshUntil, end);
    scene.clock.advance(86_400_000 - 1);
    assert.ok(scene.collection.pinNow('v1', []) !== undefined);
    scene.clock.advance(1);
    assert.equal(scene.collection.pinNow('v1', []), undefined);
    for (const answer of [scene.pin(), scene.collection.tags([]), scene.collection.pin('v1', [])]) {
      await rejectsWithCode(answer, TrustError, 'timestamp_expired');
    }
    assert.equal(scene.collection.lastPin('v1', [])?.freshUntil, end, 'for explanations only');
  });

  it('pins are kept by tag and signers', async () => {
    const scene = new Scene({ rules: { maxAgeMs: MINUTE_MS } });
    scene.repository.addDelegation('targets/alice');
    scene.repository.sign('v1', content(1), 'targets/alice');
    scene.publish();
    await scene.pin();
    assert.equal(scene.collection.pinNow('v1', ['alice']), undefined);
    assert.equal(scene.collection.pinNow('v1\nalice', []), undefined);
    await scene.collection.pin('v1', ['alice']);
    assert.ok(scene.collection.pinNow('v1', ['alice']) !== undefined);
    assert.equal(scene.collection.pinNow('v1', ['bob']), undefined);
    await rejectsWithCode(
      scene.collection.pin('v1', ['bob']),
      TrustError,
      'required_signer_missing',
    );
  });
});
