import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { METADATA_LIMITS } from '../../../src/metadata/rules.ts';
import { TrustError } from '../../../src/trust/errors.ts';
import { rejectsWithCode } from '../../support/reject-with-code.ts';
import { content, RELEASES, Scene } from './scene.ts';

const TAGS = 10_000;

async function largeScene(): Promise<Scene> {
  const scene = new Scene();
  for (let n = 1; n <= TAGS; n += 1) scene.repository.sign(`v${n}`, content(n), RELEASES);
  scene.publish();
  await scene.pin('v1');
  scene.source.takeAsked();
  return scene;
}

function bodyOf(scene: Scene, role = RELEASES): unknown {
  return scene.collection.state?.set?.targets.get(role)?.body;
}

describe('a collection of 10,000 tags', () => {
  it('is read once for each version', async () => {
    const scene = await largeScene();
    const body = bodyOf(scene);
    assert.ok(body !== undefined);
    for (const n of [1, 5_000, TAGS]) assert.equal(await scene.pin(`v${n}`), n);
    assert.deepEqual(
      scene.source.takeAsked(),
      Array.from({ length: 3 }, () => 'timestamp.json'),
    );
    assert.equal(bodyOf(scene), body, 'not read again');
    scene.sign('plain', 7, 'targets');
    assert.equal(await scene.pin('v77'), 77);
    assert.equal(bodyOf(scene), body, 'nor when another role changed');
    scene.clock.advance(11 * 60_000);
    assert.equal(await scene.pin('v78'), 78);
    assert.equal(bodyOf(scene), body, 'nor when the root chain was looked at');
  });

  it('costs an unsigned tag no more', async () => {
    const scene = await largeScene();
    await rejectsWithCode(scene.pin('v0'), TrustError, 'tag_not_signed');
    assert.deepEqual(scene.source.takeAsked(), ['timestamp.json']);
  });

  it('is listed, and searched by digest, without being read again', async () => {
    const scene = await largeScene();
    const body = bodyOf(scene);
    assert.equal((await scene.collection.tags([])).value.length, TAGS);
    assert.deepEqual(await scene.collection.tagsOf(content(1234).sha256, []), ['v1234']);
    assert.deepEqual(await scene.collection.tagsOf(content(TAGS + 1).sha256, []), []);
    assert.deepEqual(await scene.collection.tagsOf(content(1234).sha256, ['nobody']), []);
    const started = process.cpuUsage();
    for (let n = 1; n <= 200; n += 1) {
      assert.deepEqual(await scene.collection.tagsOf(content(n).sha256, []), [`v${n}`]);
    }
    assert.ok(process.cpuUsage(started).user < 1_000_000, 'the index is kept');
    assert.equal(bodyOf(scene), body);
    scene.sign('fresh', TAGS + 1);
    assert.deepEqual(await scene.collection.tagsOf(content(TAGS + 1).sha256, []), ['fresh']);
  });

  it('is taken from the record after a restart, without being fetched', async () => {
    const scene = await largeScene();
    scene.restart();
    assert.equal(await scene.pin('v42'), 42);
    assert.deepEqual(scene.source.takeAsked(), ['2.root.json', 'timestamp.json']);
  });
});

describe('size limits', () => {
  it('hold for files of unknown size', async () => {
    for (const [file, bytes, verdict] of [
      ['root.json', METADATA_LIMITS.rootBytes, 'checksum_mismatch'],
      ['timestamp.json', METADATA_LIMITS.timestampBytes, undefined],
    ] as const) {
      const scene = new Scene();
      const files = scene.publish();
      const padding = Buffer.alloc(bytes, ' ');
      const padded = Buffer.concat([files.get(file) ?? Buffer.of(), padding]);
      scene.serve(new Map([...files, [file, padded]]));
      await rejectsWithCode(scene.pin(), TrustError, 'length_exceeded');
      scene.serve(new Map([...files, [file, padded.subarray(0, bytes)]]));
      if (verdict === undefined) assert.equal(await scene.pin(), 1, 'white space is harmless');
      else await rejectsWithCode(scene.pin(), TrustError, verdict);
    }
  });
});
