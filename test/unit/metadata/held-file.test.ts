import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { TrustServerError } from '../../../src/metadata/errors.ts';
import { type HeldFileName, heldFile, parseHeldFileName } from '../../../src/metadata/held-file.ts';
import { TrustError } from '../../../src/trust/errors.ts';
import { fileMeta, type JsonObject } from '../../support/notary-json.ts';
import { NotaryRepository } from '../../support/notary-repository.ts';
import { rejectsWithCode } from '../../support/reject-with-code.ts';
import { RELEASES, Scene } from './scene.ts';

const SHA = 'ab'.repeat(32);

describe('the name of a metadata file', () => {
  const rows: readonly (readonly [file: string, name: HeldFileName | undefined])[] = [
    ['root.json', { role: 'root' }],
    ['12.root.json', { role: 'root', version: 12 }],
    [`snapshot.${SHA}.json`, { role: 'snapshot', sha256: SHA }],
    ['targets/releases.json', { role: 'targets/releases' }],
    [`targets/a/b-c_d.${SHA}.json`, { role: 'targets/a/b-c_d', sha256: SHA }],
    ['3.targets/a.json', { role: 'targets/a', version: 3 }],
    ['0.root.json', undefined],
    ['01.root.json', undefined],
    [`1.root.${SHA}.json`, undefined],
    [`root.${SHA.toUpperCase()}.json`, undefined],
    ['root.ab.json', undefined],
    ['snapshot.key', undefined],
    ['targets/.json', undefined],
    ['targets/../root.json', undefined],
    ['targets/Releases.json', undefined],
    ['root.json.json', undefined],
    [`targets/${'a'.repeat(300)}.json`, undefined],
  ];
  for (const [file, name] of rows) {
    it(`${file.slice(0, 80)} ${name === undefined ? 'is none' : 'is read'}`, () => {
      assert.deepEqual(parseHeldFileName(file), name);
    });
  }
});

/** The version of a file that is given out, or undefined. */
async function versionOf(scene: Scene, name: HeldFileName): Promise<number | undefined> {
  const { clock } = scene;
  const { value } = await heldFile(scene.collection.metadata, name, { clock });
  return value === undefined
    ? undefined
    : JSON.parse(Buffer.from(value.bytes).toString()).signed.version;
}

/** A repository whose root has been rotated, so that its version is `count`. */
function rotated(scene: Scene, count: number): void {
  for (let version = 1; version < count; version += 1) {
    scene.repository.rotateRoot();
    scene.publish();
  }
}

describe('earlier roots', () => {
  const root = (version: number): HeldFileName => ({ role: 'root', version });

  it('are given out when each leads to the next, down to the trusted one', async () => {
    const scene = new Scene();
    rotated(scene, 4);
    assert.equal(await versionOf(scene, root(5)), undefined);
    assert.ok(!scene.source.takeAsked().includes('1.root.json'), 'nothing was looked for');
    for (const version of [1, 2, 3, 4]) {
      assert.equal(await versionOf(scene, root(version)), version);
    }
  });

  it('are asked for once for each newest root, however many clients want them', async () => {
    const scene = new Scene({ rules: { maxAgeMs: 60_000 } });
    rotated(scene, 3);
    await scene.collection.refreshNow();
    scene.source.takeAsked();
    await Promise.all([1, 2, 1, 2].map(async (version) => await versionOf(scene, root(version))));
    await versionOf(scene, root(1));
    assert.deepEqual(scene.source.takeAsked(), ['1.root.json', '2.root.json']);
  });

  it('of somebody else are not given out, nor what is between', async () => {
    const scene = new Scene();
    rotated(scene, 3);
    const stranger = new NotaryRepository({ gun: scene.key.gun });
    const files = new Map(scene.repository.publish());
    files.set('1.root.json', stranger.publish().get('root.json') ?? new Uint8Array());
    scene.source.inner.serve(scene.key.gun, files);
    assert.equal(await versionOf(scene, root(1)), undefined);
    assert.equal(await versionOf(scene, root(2)), undefined);
    assert.equal(await versionOf(scene, root(3)), 3);
  });

  it('that do not lead to the trusted one are not given out', async () => {
    const scene = new Scene();
    rotated(scene, 2);
    const stranger = new NotaryRepository({ gun: scene.key.gun });
    const files = new Map(scene.repository.publish());
    files.set('1.root.json', stranger.publish().get('root.json') ?? new Uint8Array());
    scene.source.inner.serve(scene.key.gun, files);
    assert.equal(await versionOf(scene, root(1)), undefined);
  });

  it('that the source has lost are not given out', async () => {
    const scene = new Scene();
    rotated(scene, 3);
    const files = new Map(scene.repository.publish());
    files.delete('1.root.json');
    scene.source.inner.serve(scene.key.gun, files);
    assert.equal(await versionOf(scene, root(2)), undefined);
  });

  it('are not looked for when there are more than anybody can have', async () => {
    const scene = new Scene({ rules: { maxAgeMs: 60_000 } });
    const edit = { signed: (part: JsonObject): JsonObject => ({ ...part, version: 5000 }) };
    const files = scene.repository.publish(new Map([['root', edit]]));
    scene.source.inner.serve(scene.key.gun, files);
    await scene.collection.refreshNow();
    scene.source.takeAsked();
    assert.equal(await versionOf(scene, root(1)), undefined);
    assert.deepEqual(scene.source.takeAsked(), []);
  });

  it('cannot be said to be missing while the source is away', async () => {
    const scene = new Scene({ rules: { maxAgeMs: 60_000 } });
    rotated(scene, 3);
    await scene.collection.refreshNow();
    scene.source.inner.inject(/^1\.root/, 'trust_server_unreachable');
    await rejectsWithCode(versionOf(scene, root(1)), TrustServerError, 'trust_server_unreachable');
    scene.source.inner.clearFaults();
    assert.equal(await versionOf(scene, root(1)), 1);
  });
});

describe('a delegation', () => {
  it('is given out only as its delegator signed for it', async () => {
    const scene = new Scene();
    assert.equal(await versionOf(scene, { role: RELEASES }), 1);
    const files = scene.repository.publish(
      new Map([[RELEASES, { signers: [scene.repository.strangersKey()] }]]),
    );
    scene.source.inner.serve(scene.key.gun, files);
    await rejectsWithCode(versionOf(scene, { role: RELEASES }), TrustError, 'threshold_not_met');
  });

  it('that the snapshot lists and nobody delegates is not given out', async () => {
    const scene = new Scene();
    const ghost = fileMeta(scene.repository.bytes('targets'));
    const edit = {
      signed: (part: JsonObject): JsonObject => {
        assert.ok(part['meta'] instanceof Map);
        return { ...part, meta: new Map([...part['meta'], ['targets/ghost', ghost]]) };
      },
    };
    scene.source.inner.serve(
      scene.key.gun,
      scene.repository.publish(new Map([['snapshot', edit]])),
    );
    assert.equal(await versionOf(scene, { role: 'targets/ghost' }), undefined);
  });

  it('that was taken back is not given out', async () => {
    const scene = new Scene();
    assert.equal(await versionOf(scene, { role: RELEASES }), 1);
    scene.repository.removeDelegation(RELEASES);
    scene.publish();
    assert.equal(await versionOf(scene, { role: RELEASES }), undefined);
  });

  it('is given out until something that it rests on has run out', async () => {
    const scene = new Scene({ rules: { maxAgeMs: 86_400_000 * 9000 } });
    assert.equal(await versionOf(scene, { role: RELEASES }), 1);
    scene.clock.advance(86_400_000 * 13);
    assert.equal(await versionOf(scene, { role: RELEASES }), 1);
    scene.clock.advance(86_400_000 * 2);
    await rejectsWithCode(versionOf(scene, { role: 'root' }), TrustError, 'timestamp_expired');
  });
});
