import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { parseDigest } from '../../src/oci/digest.ts';
import { parseRepositoryName } from '../../src/oci/names.ts';
import { SqliteState } from '../../src/store/sqlite-state.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { buildImage, buildIndex } from '../support/images.ts';
import { APP, isMarked, listedIn, ReferrerScene, tagOf } from '../support/referrer-scene.ts';
import { type MadeReferrer, makeReferrer, pushReferrer } from '../support/referrers.ts';
import { ociError } from '../support/registry-under-test.ts';
import { REGISTRY_HOST, RunningPinnace, reasonOf } from '../support/running-pinnace.ts';
import { writeTar } from '../support/tar.ts';

const INDEX = 'application/vnd.oci.image.index.v1+json';
const SPDX = 'application/spdx+json';
const ARCHIVE = writeTar([{ path: 'bin/sh', content: Buffer.from('evil') }]);

for (const way of ['lists', 'tags'] as const) {
  describe(`the whole proxy: what refers to a verified image, of a registry that keeps ${way}`, () => {
    let scene: ReferrerScene;
    let signature: MadeReferrer;
    let sbom: MadeReferrer;
    const left: [row: string, made: MadeReferrer][] = [];

    before(async () => {
      scene = await ReferrerScene.start(way === 'lists' ? { referrersPerPage: 2 } : {});
      const { subject } = scene;
      const other = `sha256:${'7'.repeat(64)}`;
      signature = makeReferrer({ subject, configType: 'application/x-signature' });
      sbom = makeReferrer({
        subject,
        artifactType: SPDX,
        layerType: SPDX,
        payload: '{"spdxVersion":"SPDX-2.3"}',
        more: { annotations: { 'org.example.by': 'ci' } },
      });
      left.push(
        ['of another image', makeReferrer({ subject: other })],
        ['of nothing', makeReferrer({ payload: '{"of":"nothing"}' })],
        [
          'an image',
          makeReferrer({
            subject,
            layerType: 'application/vnd.oci.image.layer.v1.tar',
            payload: ARCHIVE,
          }),
        ],
      );
      scene.attach(signature, ...left.map(([, made]) => made), sbom);
      scene.around.registry.listReferrer(subject, `sha256:${'8'.repeat(64)}`);
    });
    after(async () => await scene[Symbol.asyncDispose]());

    it('is not to be had by digest before it was listed', async () => {
      assert.equal(
        await scene.byDigest('manifests', signature.manifest.digest),
        'digest_not_vouched',
      );
      assert.equal(await scene.byDigest('blobs', signature.layer.digest), 'digest_not_vouched');
    });

    it('is listed, marked, and told by its own word', async () => {
      const answer = await scene.list();
      assert.equal(answer.status, 200);
      assert.equal(answer.headers['content-type'], INDEX);
      assert.equal(answer.headers['oci-filters-applied'], undefined);
      assert.ok(isMarked(answer));
      assert.deepEqual(JSON.parse(answer.body.toString()), {
        schemaVersion: 2,
        mediaType: INDEX,
        manifests: [
          {
            mediaType: signature.manifest.mediaType,
            digest: signature.manifest.digest,
            size: signature.manifest.bytes.length,
            artifactType: 'application/x-signature',
          },
          {
            mediaType: sbom.manifest.mediaType,
            digest: sbom.manifest.digest,
            size: sbom.manifest.bytes.length,
            artifactType: SPDX,
            annotations: { 'org.example.by': 'ci' },
          },
        ],
      });
      const head = await scene.pinnace.head(`${APP}/referrers/${scene.subject}`);
      assert.equal(head.headers['content-length'], String(answer.body.length));
    });

    it('is listed by type', async () => {
      const answer = await scene.list(`?artifactType=${encodeURIComponent(SPDX)}`);
      assert.deepEqual(listedIn(answer), [sbom.manifest.digest]);
      assert.equal(answer.headers['oci-filters-applied'], 'artifactType');
      assert.deepEqual(listedIn(await scene.list('?artifactType=application/none')), []);
    });

    it('is to be had by digest from then on, marked, and after a restart too', async () => {
      const check = async (): Promise<void> => {
        for (const made of [signature, sbom]) {
          assert.equal(await scene.byDigest('manifests', made.manifest.digest), 'unverified');
          assert.equal(await scene.byDigest('blobs', made.config.digest), 'unverified');
          assert.equal(await scene.byDigest('blobs', made.layer.digest), 'unverified');
        }
      };
      await check();
      const layer = await scene.pinnace.get(`${APP}/blobs/${sbom.layer.digest}`, {
        headers: { range: 'bytes=1-5' },
      });
      assert.deepEqual([layer.status, layer.body.toString()], [206, '"spdx']);
      const config = await scene.around.writeConfig({}, 'again.yaml');
      await using again = await RunningPinnace.start(config);
      const manifest = await again.get(`${APP}/manifests/${sbom.manifest.digest}`);
      assert.deepEqual(manifest.body, sbom.manifest.bytes);
      assert.ok(isMarked(manifest));
      assert.equal((await again.get(`${APP}/blobs/${sbom.layer.digest}`)).status, 200);
    });

    it('leaves out what is not of the image or could be run, by digest too', async () => {
      for (const [row, made] of left) {
        assert.equal(
          await scene.byDigest('manifests', made.manifest.digest),
          'digest_not_vouched',
          row,
        );
      }
      const [, , [, image] = []] = left;
      assert.equal(await scene.byDigest('blobs', image?.layer.digest ?? ''), 'digest_not_vouched');
    });

    it('is the same under the tag of the digest, and by the digest of that', async () => {
      const answer = await scene.pinnace.get(`${APP}/manifests/${tagOf(scene.subject)}`);
      assert.deepEqual(listedIn(answer), [signature.manifest.digest, sbom.manifest.digest]);
      assert.ok(isMarked(answer));
      const digest = String(answer.headers['docker-content-digest']);
      const again = await scene.pinnace.get(`${APP}/manifests/${digest}`);
      assert.deepEqual([again.body, again.headers['content-type']], [answer.body, INDEX]);
    });

    it('makes nothing of it verified', async () => {
      assert.equal(await scene.byDigest('manifests', scene.subject), 'verified');
      const tags = await scene.pinnace.get(`${APP}/tags/list`);
      assert.deepEqual(JSON.parse(tags.body.toString()).tags, ['1.0']);
      const [line] = scene.pinnace.logged('request').filter((each) => each['kind'] === 'referrers');
      assert.equal(line?.['verdict'], 'passed_through');
    });
  });
}

describe('the whole proxy: referrers', () => {
  it('of a digest that nothing vouches for are not asked for', async () => {
    await using scene = await ReferrerScene.start({ referrersPerPage: 2 });
    const unsigned = buildImage({ message: 'unsigned' });
    scene.around.registry.push(APP, unsigned, 'unsigned');
    const { digest } = unsigned.manifest;
    pushReferrer(
      scene.around.registry,
      APP,
      makeReferrer({ subject: digest }),
      tagOf(digest, '.sig'),
    );
    const before = scene.around.registry.requests.length;
    for (const path of [`referrers/${digest}`, `manifests/${tagOf(digest, '.sig')}`]) {
      const answer = await scene.pinnace.get(`${APP}/${path}`);
      assert.deepEqual([answer.status, ociError(answer).code], [404, 'MANIFEST_UNKNOWN'], path);
    }
    assert.equal(scene.around.registry.requests.length, before);
  });

  it('of the image for one platform are listed like those of the index', async () => {
    await using scene = await ReferrerScene.start({ referrersPerPage: 2 });
    const child = buildImage({ message: 'child' });
    const index = buildIndex([child]);
    scene.around.publisher('team/multi').release('1.0', index);
    await scene.pinnace.verdict('team/multi', '1.0');
    const { digest } = child.manifest;
    const signature = makeReferrer({ subject: digest });
    pushReferrer(scene.around.registry, 'team/multi', signature);
    scene.around.registry.listReferrer(digest, signature.manifest.digest);
    const answer = await scene.pinnace.get(`team/multi/referrers/${digest}`);
    assert.deepEqual(listedIn(answer), [signature.manifest.digest]);
    // What refers to a referrer has nobody to stand for it.
    const chained = await scene.pinnace.get(`team/multi/referrers/${signature.manifest.digest}`);
    assert.equal(chained.status, 404);
    // Nor is it of use in another repository.
    assert.equal(
      await scene.byDigest('manifests', signature.manifest.digest),
      'digest_not_vouched',
    );
  });

  it('that could not be found out are not said to be none', async () => {
    await using scene = await ReferrerScene.start({ referrersPerPage: 2 });
    scene.attach(makeReferrer({ subject: scene.subject }));
    assert.equal((await scene.list()).status, 200);
    await scene.around.registry.stop();
    const answer = await scene.list();
    assert.ok(answer.status >= 500, `${answer.status}`);
    assert.equal(reasonOf(answer), 'upstream_unreachable');
    const tag = await scene.pinnace.get(`${APP}/manifests/${tagOf(scene.subject, '.sig')}`);
    assert.ok(tag.status >= 500, `${tag.status}`);
  });

  it('without any are an empty list', async () => {
    for (const settings of [{ referrersPerPage: 2 }, {}]) {
      await using scene = await ReferrerScene.start(settings);
      const answer = await scene.list();
      assert.deepEqual([answer.status, listedIn(answer)], [200, []]);
      const tag = await scene.pinnace.get(`${APP}/manifests/${tagOf(scene.subject)}`);
      assert.equal(tag.status, 404);
    }
  });

  it('are not taken from the tag because the list fails', async () => {
    await using scene = await ReferrerScene.start({ referrersPerPage: 2 });
    scene.attach(makeReferrer({ subject: scene.subject }));
    scene.around.registry.inject(/\/referrers\//, { kind: 'status', status: 500 });
    const answer = await scene.list();
    assert.equal(reasonOf(answer), 'upstream_unreachable');
    scene.around.registry.inject(/\/referrers\//, { kind: 'status', status: 200, body: '<html>' });
    assert.equal(reasonOf(await scene.list()), 'upstream_unreachable');
  });

  it('are none when the tag for them is an image', async () => {
    await using scene = await ReferrerScene.start();
    const { registry } = scene.around;
    registry.moveTag(APP, tagOf(scene.subject), scene.subject);
    assert.deepEqual(listedIn(await scene.list()), []);
    assert.equal(registry.requestsTo(`manifests/${scene.image.config.digest}`).length, 0);
  });

  it('are not what a digest is when that could not be found out', async () => {
    await using scene = await ReferrerScene.start({
      referrersPerPage: 2,
      trust: { maxAge: '0s', outageGrace: '0s' },
    });
    const signature = makeReferrer({ subject: scene.subject });
    scene.attach(signature);
    await scene.list();
    const { digest } = signature.manifest;
    assert.equal(await scene.byDigest('manifests', digest), 'unverified');
    await scene.around.notary.stop();
    const { clock } = scene.pinnace;
    assert.ok(clock instanceof FakeClock);
    clock.advance(1_000);
    assert.equal(await scene.byDigest('manifests', digest), 'trust_server_unreachable');
  });

  it('that are on record and could be run are not served', async () => {
    await using scene = await ReferrerScene.start();
    const image = makeReferrer({
      subject: scene.subject,
      layerType: 'application/vnd.oci.image.layer.v1.tar',
    });
    pushReferrer(scene.around.registry, APP, image);
    const state = SqliteState.open(join(scene.around.folder, 'data'), {
      clock: scene.pinnace.clock,
    });
    const { mediaType, digest, bytes } = image.manifest;
    const descriptor = { mediaType, digest: parseDigest(digest), size: bytes.length };
    const repository = parseRepositoryName(`${REGISTRY_HOST}/${APP}`);
    await state.recordReferrer(repository, { ...descriptor, kind: 'manifest' }, []);
    state.close();
    assert.equal(await scene.byDigest('manifests', digest), 'digest_not_vouched');
  });

  it('are looked at as a whole before any of it is sent', async () => {
    await using scene = await ReferrerScene.start({ referrersPerPage: 2 });
    const payload = `{"long":"${'x'.repeat(2_000_000)}"}`;
    const sbom = makeReferrer({ subject: scene.subject, layerType: SPDX, payload });
    scene.attach(sbom);
    await scene.list();
    const { digest } = sbom.layer;
    scene.around.registry.inject(`blobs/${digest}`, { kind: 'corrupt' });
    const answer = await scene.pinnace.get(`${APP}/blobs/${digest}`);
    assert.ok(answer.status >= 400, `${answer.status}`);
    assert.equal(reasonOf(answer), 'digest_mismatch');
  });

  it('can be switched off by rule', async () => {
    const policy = [{ match: `${REGISTRY_HOST}/**`, trust: 'corp', referrers: false }];
    await using scene = await ReferrerScene.start({ referrersPerPage: 2, policy });
    const signature = makeReferrer({ subject: scene.subject });
    scene.attach(signature);
    pushReferrer(scene.around.registry, APP, signature, tagOf(scene.subject, '.sig'));
    assert.equal((await scene.list()).status, 404);
    const tag = await scene.pinnace.get(`${APP}/manifests/${tagOf(scene.subject, '.sig')}`);
    assert.equal(tag.status, 404);
    assert.equal(
      await scene.byDigest('manifests', signature.manifest.digest),
      'digest_not_vouched',
    );
  });

  it('on a deny list are left out', async () => {
    await using scene = await ReferrerScene.start({ referrersPerPage: 2 });
    const [good, denied] = ['good', 'denied'].map((payload) =>
      makeReferrer({ subject: scene.subject, payload: `{"is":"${payload}"}` }),
    );
    assert.ok(good !== undefined && denied !== undefined);
    scene.attach(good, denied);
    assert.equal(listedIn(await scene.list()).length, 2);
    const deny = { digests: [denied.layer.digest] };
    const policy = [{ match: `${REGISTRY_HOST}/**`, trust: 'corp', deny }];
    await using strict = await RunningPinnace.start(
      await scene.around.writeConfig({ policy }, 'strict.yaml'),
    );
    await strict.verdict(APP, '1.0');
    const answer = await strict.get(`${APP}/referrers/${scene.subject}`);
    assert.deepEqual(listedIn(answer), [good.manifest.digest]);
    // It is on record as a referrer from before.
    for (const path of [`manifests/${denied.manifest.digest}`, `blobs/${denied.layer.digest}`]) {
      assert.equal(reasonOf(await strict.get(`${APP}/${path}`)), 'denied_by_rule', path);
    }
  });

  it('end after so many, however many the registry names', async () => {
    await using scene = await ReferrerScene.start({ referrersPerPage: 40 });
    const made = Array.from({ length: 300 }, (_, index) =>
      makeReferrer({ subject: scene.subject, payload: `{"number":${index}}` }),
    );
    scene.attach(...made);
    assert.equal(listedIn(await scene.list()).length, 256);
    const pages = scene.around.registry.requestsTo(/\/referrers\//);
    assert.equal(pages.length, 7, 'and what comes after them is not asked for');
  });
});

describe('the whole proxy: what refers to an image of which only some tags are verified', () => {
  it('is listed by the word of the rule that verifies them', async () => {
    const match = `${REGISTRY_HOST}/${APP}`;
    await using scene = await ReferrerScene.start({
      policy: [
        { match, allowUnverified: true, reason: 'all other tags are throw-away builds' },
        { match, tags: ['1.*'], trust: 'corp' },
      ],
    });
    scene.attach(makeReferrer({ subject: scene.subject, artifactType: SPDX }));
    const answer = await scene.list();
    assert.ok(isMarked(answer));
    assert.equal(listedIn(answer).length, 1);
  });
});
