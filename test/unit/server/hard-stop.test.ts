import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { REASON_CODES } from '../../../src/base/reason-code.ts';
import { sha256Digest } from '../../../src/oci/digest.ts';
import { refusalFor } from '../../support/fake-pull-service.ts';
import { ociError, RegistryUnderTest } from '../../support/registry-under-test.ts';

const NAME = 'library/alpine';
const REPOSITORY = `docker.io/${NAME}`;
const OCI_MANIFEST = 'application/vnd.oci.image.manifest.v1+json';

interface DecoyManifest {
  readonly config: { readonly digest: string };
  readonly layers: readonly { readonly mediaType: string; readonly digest: string }[];
}

async function hardStop(): Promise<RegistryUnderTest> {
  return await new RegistryUnderTest({ refusal: 'hard-stop' }).start();
}

describe('a hard-stop listener', () => {
  it('answers a refused tag with a decoy whose layer type is the sentence, for every reason', async () => {
    await using registry = await hardStop();
    for (const reason of REASON_CODES) {
      registry.pulls.refuseTag(REPOSITORY, reason, refusalFor(reason));
      const answer = await registry.get(`/v2/${NAME}/manifests/${reason}`);
      assert.equal(answer.status, 200, reason);
      assert.equal(answer.headers['content-type'], OCI_MANIFEST);
      assert.equal(answer.headers['content-length'], String(answer.body.length));
      assert.equal(answer.headers['docker-content-digest'], sha256Digest(answer.body));
      assert.equal(answer.headers['cache-control'], 'no-store');
      const decoy: DecoyManifest = JSON.parse(answer.body.toString());
      assert.ok(decoy.layers[0]?.mediaType.includes(`pinnace refused ${REPOSITORY}:${reason}`));
      assert.ok(decoy.layers[0]?.mediaType.includes(`(${reason})`));
    }
    assert.equal(await registry.metric('pinnace_decoys_issued_total'), REASON_CODES.length);
  });

  it('gives HEAD and GET the same decoy, and its bytes again by digest', async () => {
    await using registry = await hardStop();
    const path = `/v2/${NAME}/manifests/unsigned`;
    const head = await registry.head(path);
    const get = await registry.get(path);
    const digest = String(head.headers['docker-content-digest']);
    assert.equal(head.body.length, 0);
    assert.equal(get.headers['docker-content-digest'], digest);
    const byDigest = await registry.get(`/v2/${NAME}/manifests/${digest}`);
    assert.equal(byDigest.status, 200);
    assert.deepEqual(byDigest.body, get.body);
    assert.equal(await registry.metric('pinnace_bypass_suspected_total'), 0);
  });

  it('refuses the decoy’s blobs with 403 and the sentence, whatever the reason', async () => {
    await using registry = await hardStop();
    for (const reason of ['tag_not_signed', 'trust_server_unreachable', 'internal'] as const) {
      registry.pulls.refuseTag(REPOSITORY, reason, refusalFor(reason));
      const tag = await registry.get(`/v2/${NAME}/manifests/${reason}`);
      const decoy: DecoyManifest = JSON.parse(tag.body.toString());
      for (const digest of [decoy.config.digest, decoy.layers[0]?.digest]) {
        const answer = await registry.get(`/v2/${NAME}/blobs/${digest}`);
        assert.equal(answer.status, 403);
        assert.equal(ociError(answer).code, 'DENIED');
        assert.equal(ociError(answer).detail['code'], reason);
        assert.ok(ociError(answer).message.startsWith(`pinnace refused ${REPOSITORY}:${reason}: `));
        const head = await registry.head(`/v2/${NAME}/blobs/${digest}`);
        assert.equal(head.status, 403);
      }
    }
  });

  it('knows the blobs of a decoy that another replica issued', async () => {
    await using one = await hardStop();
    await using other = await hardStop();
    for (const each of [one, other]) each.pulls.addTag(REPOSITORY, 'good', { body: '{}' });
    const tag = await one.get(`/v2/${NAME}/manifests/unsigned`);
    const decoy: DecoyManifest = JSON.parse(tag.body.toString());
    const answer = await other.get(`/v2/${NAME}/blobs/${decoy.config.digest}`);
    assert.equal(answer.status, 403);
    assert.equal(ociError(answer).detail['code'], 'tag_not_signed');
  });

  it('stops repositories without a rule and registries that are not configured', async () => {
    await using registry = await hardStop();
    for (const path of [
      '/v2/nobody/knows/manifests/latest',
      '/v2/x/y/manifests/latest?ns=ghcr.io',
      '/v2/quay.io/x/y/manifests/latest',
    ]) {
      const tag = await registry.get(path);
      assert.equal(tag.status, 200, path);
      const digest = String(tag.headers['docker-content-digest']);
      const byDigest = await registry.get(path.replace('latest', digest));
      assert.deepEqual(byDigest.body, tag.body);
      const decoy: DecoyManifest = JSON.parse(tag.body.toString());
      const blob = path.replace('manifests/latest', `blobs/${decoy.config.digest}`);
      assert.equal((await registry.get(blob)).status, 403);
    }
  });

  it('stops a tag when the pull service fails', async () => {
    await using registry = await hardStop();
    registry.pulls.defect = new Error('boom');
    const answer = await registry.get(`/v2/${NAME}/manifests/latest`);
    assert.equal(answer.status, 200);
    assert.equal(answer.headers['x-pinnace-reason'], 'internal');
  });

  it('tells refusals by digest, of lists and of companion tags as they are', async () => {
    await using registry = await hardStop();
    const digest = `sha256:${'d'.repeat(64)}`;
    const rows: readonly (readonly [string, number])[] = [
      [`manifests/${digest}`, 403],
      [`blobs/${digest}`, 403],
      ['tags/list', 403],
      [`manifests/sha256-${'d'.repeat(64)}.sig`, 403],
    ];
    for (const [rest, status] of rows) {
      assert.equal((await registry.get(`/v2/${NAME}/${rest}`)).status, status, rest);
    }
  });

  it('serves signed tags like the other listeners', async () => {
    await using registry = await hardStop();
    const served = registry.pulls.addTag(REPOSITORY, '3.20', { body: '{"schemaVersion":2}' });
    const answer = await registry.get(`/v2/${NAME}/manifests/3.20?ns=docker.io`);
    assert.equal(answer.headers['docker-content-digest'], served.digest);
  });
});
