import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { fetchNamed, refresh } from '../../../src/metadata/refresh.ts';
import { TrustError } from '../../../src/trust/errors.ts';
import { NO_EARLIER_FILES } from '../../../src/trust/trusted-set.ts';
import { fileMeta } from '../../support/notary-json.ts';
import { rejectsWithCode } from '../../support/reject-with-code.ts';
import { RELEASES, Scene } from './scene.ts';

describe('one run of the client workflow', () => {
  const context = (scene: Scene): Parameters<typeof refresh>[0] => ({
    source: scene.source,
    gun: scene.key.gun,
    rules: scene.rules,
    now: scene.clock.now(),
    signal: new AbortController().signal,
  });

  it('gives what is trusted now, and no failure', async () => {
    const scene = new Scene();
    const { state, failure } = await refresh(context(scene), undefined);
    assert.equal(failure, undefined);
    assert.equal(state?.checkedAt, scene.clock.now());
    assert.equal(state?.admission, 'first-use');
    const again = await refresh(context(scene), state);
    assert.equal(again.state?.set, state?.set);
    assert.equal(again.failure, undefined);
  });

  it('gives back what was trusted before when it fails', async () => {
    const scene = new Scene();
    const { state } = await refresh(context(scene), undefined);
    scene.goDown();
    const failed = await refresh(context(scene), state);
    assert.equal(failed.state, state);
    assert.ok(failed.failure instanceof Error);
    const never = await refresh(context(scene), undefined);
    assert.equal(never.state, undefined);
  });

  it('keeps a root and a timestamp that are newer though the rest failed', async () => {
    const scene = new Scene();
    const { state } = await refresh(context(scene), undefined);
    scene.repository.rotateRoot();
    scene.publish();
    scene.goDown(/^snapshot/);
    const failed = await refresh(context(scene), state);
    assert.equal(failed.state?.root.body.version, 2);
    assert.ok(failed.state?.files.timestamp !== state?.files.timestamp);
    assert.equal(failed.state?.set, undefined);
    assert.equal(failed.state?.checkedAt, state?.checkedAt, 'not checked');
    scene.comeBack();
    const { state: whole, failure } = await refresh(context(scene), failed.state);
    assert.equal(failure, undefined);
    assert.ok(whole?.set !== undefined);
  });

  it('does not call what has expired unchanged', async () => {
    const scene = new Scene({ repository: { expiresAfterDays: { timestamp: 1 } } });
    const { state } = await refresh(context(scene), undefined);
    scene.clock.advance(86_400_000);
    const expired = await refresh(context(scene), state);
    assert.ok(expired.failure instanceof TrustError);
    assert.equal(expired.failure.code, 'timestamp_expired');
  });

  it('looks at the dates of targets in an unchanged collection', async () => {
    const scene = new Scene({ repository: { expiresAfterDays: { timestamp: 20, targets: 1 } } });
    const { state } = await refresh(context(scene), undefined);
    scene.clock.advance(86_400_000);
    const later = { ...state, rootCheckedAt: scene.clock.now() };
    assert.ok(state !== undefined);
    const expired = await refresh(context(scene), { ...state, ...later });
    assert.ok(expired.failure instanceof TrustError);
    assert.equal(expired.failure.code, 'targets_expired');
  });

  it('gives up on a snapshot that goes on naming another root', async () => {
    const scene = new Scene();
    const meta = fileMeta(Buffer.from('another root'));
    scene.publish({
      snapshot: {
        signed: (signed) => {
          const files = signed['meta'];
          if (!(files instanceof Map)) throw new Error('snapshot is not a snapshot');
          return { ...signed, meta: new Map([...files, ['root', meta]]) };
        },
      },
    });
    const { failure } = await refresh(context(scene), undefined);
    assert.ok(failure instanceof TrustError);
    assert.equal(failure.code, 'checksum_mismatch');
    assert.equal(failure.detail['role'], 'root');
    const timestamps = scene.source.takeAsked().filter((file) => file === 'timestamp.json');
    assert.equal(timestamps.length, 2, 'tried twice');
  });

  it('does not try twice for anything else', async () => {
    const scene = new Scene();
    scene.publish({ snapshot: { served: (bytes) => Buffer.from(bytes).fill(32, 10, 20) } });
    const { failure } = await refresh(context(scene), undefined);
    assert.ok(failure instanceof TrustError);
    assert.equal(failure.code, 'checksum_mismatch');
    const timestamps = scene.source.takeAsked().filter((file) => file === 'timestamp.json');
    assert.equal(timestamps.length, 1);
  });
});

describe('a chain of roots that breaks off', () => {
  /** Serves a second root that is in order and a third one that is not. */
  function breakChain(scene: Scene): void {
    scene.repository.rotateRoot();
    const files = scene.publish();
    scene.serve(new Map([...files, ['3.root.json', Buffer.from('junk')]]));
  }

  it('is kept as far as it is good when it began at an anchor', async () => {
    const scene = new Scene();
    const certificateKeyIds = new Set(scene.repository.rootKeyIds);
    scene.restart({ anchor: { kind: 'keys', certificateKeyIds, publicKeyIds: new Set() } });
    breakChain(scene);
    await rejectsWithCode(scene.pin(), TrustError, 'malformed');
    assert.equal(await scene.versionOnRecord('root'), 2);
    assert.equal(await scene.versionOnRecord('timestamp'), undefined);
  });

  it('is kept as far as it is good when the collection was verified before', async () => {
    const scene = new Scene();
    await scene.pin();
    breakChain(scene);
    await rejectsWithCode(scene.pin(), TrustError, 'malformed');
    assert.equal(await scene.versionOnRecord('root'), 2);
    scene.publish();
    assert.equal(await scene.pin(), 1);
  });

  it('is not kept when nothing but first use speaks for it', async () => {
    const scene = new Scene();
    breakChain(scene);
    const files = scene.publish();
    const first = files.get('1.root.json') ?? assert.fail('no first root');
    scene.serve(new Map([...files, ['root.json', first], ['3.root.json', Buffer.from('junk')]]));
    await rejectsWithCode(scene.pin(), TrustError, 'malformed');
    assert.equal(await scene.store.inner.load(scene.key), undefined);
  });
});

describe('files that are not there', () => {
  for (const [row, file, code] of [
    ['root', /^root\.json$/, 'no_trust_data'],
    ['timestamp', /^timestamp/, 'no_trust_data'],
    ['snapshot', /^snapshot/, 'metadata_missing'],
    ['targets', /^targets\./, 'metadata_missing'],
    ['a delegation', /^targets\/releases/, 'metadata_missing'],
  ] as const) {
    it(`${row}: ${code}`, async () => {
      const scene = new Scene();
      scene.serve(new Map([...scene.publish()].filter(([name]) => !file.test(name))));
      await rejectsWithCode(scene.pin(), TrustError, code);
    });
  }
});

describe('a file named by another one', () => {
  it('listed without a SHA-256 cannot be fetched', async () => {
    const scene = new Scene();
    scene.publish({
      snapshot: {
        signed: (signed) => {
          const files = signed['meta'];
          if (!(files instanceof Map)) throw new Error('snapshot is not a snapshot');
          const entry = { hashes: { md5: 'AA==' }, length: 5 };
          return { ...signed, meta: new Map([...files, [RELEASES, entry]]) };
        },
      },
    });
    const error = await rejectsWithCode(scene.pin(), TrustError, 'malformed');
    assert.equal(error.detail['role'], RELEASES);
  });

  it('is fetched unless its bytes are known', async () => {
    const scene = new Scene();
    await scene.pin();
    const set = scene.collection.state?.set;
    const state = scene.collection.state;
    assert.ok(set !== undefined && state !== undefined);
    const meta = set.timestamp.body.snapshot;
    const { source, key } = scene;
    const request = { source, gun: key.gun, signal: new AbortController().signal };
    scene.source.takeAsked();
    for (const [snapshot, fetched] of [
      [set.snapshot, 0],
      [set.snapshot.bytes, 0],
      [Buffer.from('other bytes'), 1],
      [set.timestamp, 1],
      [undefined, 1],
    ] as const) {
      const files = { ...NO_EARLIER_FILES, snapshot: snapshot as typeof set.snapshot | undefined };
      const bytes = await fetchNamed(request, 'snapshot', { meta, known: { ...state, files } });
      assert.ok(Buffer.from(set.snapshot.bytes).equals(bytes));
      assert.equal(scene.source.takeAsked().length, fetched);
    }
  });
});
