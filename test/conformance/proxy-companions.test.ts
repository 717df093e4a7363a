import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { APP, isMarked, ReferrerScene, tagOf } from '../support/referrer-scene.ts';
import {
  COSIGN_PAYLOAD,
  type MadeReferrer,
  makeReferrer,
  pushReferrer,
} from '../support/referrers.ts';
import { type Answer, ociError } from '../support/registry-under-test.ts';
import { REGISTRY_HOST, RunningPinnace, reasonOf } from '../support/running-pinnace.ts';
import { writeTar } from '../support/tar.ts';

const COSIGN = 'application/vnd.oci.image.config.v1+json';
const ARCHIVE = writeTar([{ path: 'bin/sh', content: Buffer.from('evil') }]);

describe('the whole proxy: what cosign attaches by tag', () => {
  let scene: ReferrerScene;
  let signature: MadeReferrer;

  before(async () => {
    scene = await ReferrerScene.start();
    signature = makeReferrer();
  });
  after(async () => await scene[Symbol.asyncDispose]());

  const ask = async (ending: string): Promise<Answer> =>
    await scene.pinnace.get(`${APP}/manifests/${tagOf(scene.subject, ending)}`);

  it('is not there until it is', async () => {
    for (const ending of ['.sig', '.att', '.sbom']) {
      const answer = await ask(ending);
      assert.deepEqual([answer.status, ociError(answer).code], [404, 'MANIFEST_UNKNOWN']);
    }
  });

  it('is served as it is, marked, with its parts', async () => {
    for (const ending of ['.sig', '.att', '.sbom']) {
      const made = makeReferrer({ payload: `{"for":"${ending}"}` });
      pushReferrer(scene.around.registry, APP, made, tagOf(scene.subject, ending));
      const answer = await ask(ending);
      assert.deepEqual([answer.status, answer.body], [200, made.manifest.bytes]);
      assert.ok(isMarked(answer));
      assert.equal(answer.headers['cache-control'], 'no-store');
      const head = await scene.pinnace.head(`${APP}/manifests/${tagOf(scene.subject, ending)}`);
      assert.equal(head.headers['docker-content-digest'], made.manifest.digest);
      assert.equal(await scene.byDigest('manifests', made.manifest.digest), 'unverified');
      assert.equal(await scene.byDigest('blobs', made.config.digest), 'unverified');
      assert.equal(await scene.byDigest('blobs', made.layer.digest), 'unverified');
    }
  });

  it('follows the registry when it is signed anew', async () => {
    pushReferrer(scene.around.registry, APP, signature, tagOf(scene.subject, '.sig'));
    assert.deepEqual((await ask('.sig')).body, signature.manifest.bytes);
  });

  const images: readonly (readonly [row: string, layerType: string])[] = [
    ['OCI', 'application/vnd.oci.image.layer.v1.tar+gzip'],
    ['Docker', 'application/vnd.docker.image.rootfs.diff.tar.gzip'],
    ['an archive', 'application/x-tar'],
    ['a program', 'application/wasm'],
  ];
  for (const [row, layerType] of images) {
    it(`is never an image: ${row}`, async () => {
      const image = makeReferrer({ configType: COSIGN, layerType, payload: ARCHIVE });
      pushReferrer(scene.around.registry, APP, image, tagOf(scene.subject, '.sig'));
      const answer = await ask('.sig');
      assert.deepEqual([answer.status, ociError(answer).code], [404, 'MANIFEST_UNKNOWN']);
      const head = await scene.pinnace.head(`${APP}/manifests/${tagOf(scene.subject, '.sig')}`);
      assert.equal(head.status, 404);
      assert.equal(await scene.byDigest('manifests', image.manifest.digest), 'digest_not_vouched');
      assert.equal(await scene.byDigest('blobs', image.layer.digest), 'digest_not_vouched');
    });
  }

  it('has no layer that an old engine would unpack whatever its type is', async () => {
    const disguised = makeReferrer({ layerType: COSIGN_PAYLOAD, payload: ARCHIVE });
    pushReferrer(scene.around.registry, APP, disguised, tagOf(scene.subject, '.sig'));
    assert.equal((await ask('.sig')).status, 200);
    const path = `${APP}/blobs/${disguised.layer.digest}`;
    for (const answer of [
      await scene.pinnace.get(path),
      await scene.pinnace.head(path),
      await scene.pinnace.get(path, { headers: { range: 'bytes=0-99' } }),
      await scene.pinnace.get(path, { headers: { range: 'bytes=600-' } }),
    ]) {
      assert.deepEqual([answer.status, reasonOf(answer)], [403, 'digest_not_vouched']);
    }
  });

  it('is nothing when it says that it is of another image', async () => {
    const other = makeReferrer({ subject: `sha256:${'7'.repeat(64)}` });
    pushReferrer(scene.around.registry, APP, other, tagOf(scene.subject, '.sig'));
    assert.equal((await ask('.sig')).status, 404);
  });

  it('is no decoy on a listener that stops hard', async () => {
    const listeners = {
      registry: { address: '127.0.0.1:0', defaultRegistry: REGISTRY_HOST, refusal: 'hard-stop' },
    };
    const config = await scene.around.writeConfig({ listeners }, 'hard.yaml');
    await using hard = await RunningPinnace.start(config);
    await hard.verdict(APP, '1.0');
    pushReferrer(scene.around.registry, APP, signature, tagOf(scene.subject, '.sig'));
    const answer = await hard.get(`${APP}/manifests/${tagOf(scene.subject, '.sig')}`);
    assert.deepEqual(answer.body, signature.manifest.bytes);
    const absent = await hard.get(`${APP}/manifests/${tagOf(`sha256:${'9'.repeat(64)}`, '.sig')}`);
    assert.equal(absent.status, 404);
  });
});
