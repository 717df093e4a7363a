import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { Digest } from '../../src/oci/digest.ts';
import type { ServedManifest } from '../../src/resolve/pull-service.ts';
import { type Answer, ociError, RegistryUnderTest } from '../support/registry-under-test.ts';

const NAME = 'library/alpine';
const REPOSITORY = `docker.io/${NAME}`;
const MANIFEST = '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json"}';
const INDEX_TYPE = 'application/vnd.docker.distribution.manifest.list.v2+json';
const BLOB = Buffer.from('0123456789abcdefghijklmnopqrstuvwxyz');
const ABSENT = `sha256:${'0'.repeat(64)}`;

/** OCI distribution 1.1, the pull part and content discovery, on a real socket. */
describe('OCI distribution 1.1: pull', () => {
  const registry = new RegistryUnderTest();
  let manifest: ServedManifest;
  let index: ServedManifest;
  let blob: Digest;

  before(async () => {
    manifest = registry.pulls.addTag(REPOSITORY, '3.20', { body: MANIFEST });
    index = registry.pulls.addTag(REPOSITORY, 'multi', {
      body: '{"schemaVersion":2,"manifests":[]}',
      mediaType: INDEX_TYPE,
    });
    for (const tag of ['3.18', '3.19', 'edge']) {
      registry.pulls.addTag(REPOSITORY, tag, { body: `${MANIFEST} ${tag}` });
    }
    blob = registry.pulls.addBlob(REPOSITORY, BLOB);
    await registry.start();
  });
  after(() => registry[Symbol.asyncDispose]());

  describe('end-1: determining support', () => {
    it('answers GET /v2/ with 200 and an empty object', async () => {
      const answer = await registry.get('/v2/');
      assert.equal(answer.status, 200);
      assert.equal(answer.headers['docker-distribution-api-version'], 'registry/2.0');
      assert.deepEqual(JSON.parse(answer.body.toString()), {});
    });

    it('answers HEAD /v2/ with the same headers', async () => {
      assertSameHeaders(await registry.get('/v2/'), await registry.head('/v2/'));
    });
  });

  describe('end-3: manifests', () => {
    it('serves the stored bytes by tag, with length, type and digest', async () => {
      const answer = await registry.get(`/v2/${NAME}/manifests/3.20`);
      assert.equal(answer.status, 200);
      assert.equal(answer.body.toString(), MANIFEST);
      assert.equal(answer.headers['content-type'], manifest.mediaType);
      assert.equal(answer.headers['content-length'], String(MANIFEST.length));
      assert.equal(answer.headers['docker-content-digest'], manifest.digest);
      assert.equal(answer.headers['etag'], `"${manifest.digest}"`);
      assert.equal(answer.headers['docker-distribution-api-version'], 'registry/2.0');
    });

    it('serves the same by digest', async () => {
      const byTag = await registry.get(`/v2/${NAME}/manifests/multi`);
      const byDigest = await registry.get(`/v2/${NAME}/manifests/${index.digest}`);
      assert.deepEqual(byDigest.body, byTag.body);
      assert.equal(byDigest.headers['content-type'], INDEX_TYPE);
      assertSameHeaders(byTag, byDigest);
    });

    for (const isAtHand of [true, false]) {
      it(`gives HEAD and GET identical headers (answer at hand: ${isAtHand})`, async () => {
        registry.pulls.hasAnswersAtHand = isAtHand;
        for (const reference of ['3.20', manifest.digest]) {
          const path = `/v2/${NAME}/manifests/${reference}`;
          const head = await registry.head(path);
          assert.equal(head.body.length, 0);
          assertSameHeaders(await registry.get(path), head);
        }
        registry.pulls.hasAnswersAtHand = true;
      });
    }

    it('answers 404 or another 4xx, never content, for what it does not have', async () => {
      for (const reference of ['absent', ABSENT]) {
        const answer = await registry.get(`/v2/${NAME}/manifests/${reference}`);
        assert.ok(answer.status >= 400 && answer.status < 500, `status ${answer.status}`);
        assert.equal(ociError(answer).code, 'DENIED');
      }
    });

    const conditions = [
      { name: 'the same entity tag', header: (etag: string) => etag, status: 304 },
      { name: 'a weak one', header: (etag: string) => `W/${etag}`, status: 304 },
      { name: 'one of a list', header: (etag: string) => `"other", ${etag}`, status: 304 },
      { name: 'any', header: () => '*', status: 304 },
      { name: 'another', header: () => '"other"', status: 200 },
    ];
    for (const { name, header, status } of conditions) {
      it(`answers If-None-Match with ${name} by ${status}`, async () => {
        const headers = { 'If-None-Match': header(`"${manifest.digest}"`) };
        const answer = await registry.get(`/v2/${NAME}/manifests/3.20`, { headers });
        assert.equal(answer.status, status);
        assert.equal(answer.headers['etag'], `"${manifest.digest}"`);
        assert.equal(answer.body.length, status === 304 ? 0 : MANIFEST.length);
      });
    }

    const oci = 'application/vnd.oci.image.manifest.v1+json';
    const docker = 'application/vnd.docker.distribution.manifest.v2+json';
    const schema1 = 'application/vnd.docker.distribution.manifest.v1+prettyjws';
    const accepts: readonly (readonly [string, string | string[] | undefined, number])[] = [
      ['none', undefined, 200],
      ['anything', '*/*', 200],
      ['any application type', 'application/*', 200],
      ['the type itself', oci, 200],
      ['the type with a parameter', `${oci};q=0.5`, 200],
      ['six lines of dockerd', [docker, oci, schema1, INDEX_TYPE, 'application/json'], 200],
      ['one line of containerd', `${docker}, ${oci}, */*`, 200],
      ['upper case', oci.toUpperCase(), 200],
      ['another type only', docker, 403],
      ['schema 1 only', schema1, 403],
      ['the type excluded by q=0', `${oci};q=0, */*`, 403],
      ['everything excluded by q=0.000', '*/*;q=0.000', 403],
    ];
    for (const [name, accept, status] of accepts) {
      it(`honours Accept: ${name}`, async () => {
        const headers = accept === undefined ? {} : { Accept: accept };
        const answer = await registry.get(`/v2/${NAME}/manifests/3.20`, { headers });
        assert.equal(answer.status, status);
        if (status !== 200)
          assert.equal(ociError(answer).detail['code'], 'media_type_not_supported');
      });
    }
  });

  describe('end-2: blobs', () => {
    it('serves a blob whole', async () => {
      const answer = await registry.get(`/v2/${NAME}/blobs/${blob}`);
      assert.equal(answer.status, 200);
      assert.deepEqual(answer.body, BLOB);
      assert.equal(answer.headers['content-type'], 'application/octet-stream');
      assert.equal(answer.headers['docker-content-digest'], blob);
      assert.equal(answer.headers['accept-ranges'], 'bytes');
      assert.equal(answer.headers['etag'], `"${blob}"`);
    });

    it('gives HEAD the same headers', async () => {
      const path = `/v2/${NAME}/blobs/${blob}`;
      const head = await registry.head(path);
      assert.equal(head.headers['content-length'], String(BLOB.length));
      assertSameHeaders(await registry.get(path), head);
    });

    const ranges: readonly (readonly [string, number, string | undefined, string])[] = [
      ['bytes=0-3', 206, 'bytes 0-3/36', '0123'],
      ['bytes=0-', 206, 'bytes 0-35/36', BLOB.toString()],
      ['bytes=30-', 206, 'bytes 30-35/36', 'uvwxyz'],
      ['bytes=-2', 206, 'bytes 34-35/36', 'yz'],
      ['bytes=30-999', 206, 'bytes 30-35/36', 'uvwxyz'],
      ['bytes=36-', 416, 'bytes */36', ''],
      ['bytes=-0', 416, 'bytes */36', ''],
      ['bytes=0-1,4-5', 200, undefined, BLOB.toString()],
      ['lines=0-1', 200, undefined, BLOB.toString()],
      ['bytes=9-3', 200, undefined, BLOB.toString()],
    ];
    for (const [range, status, contentRange, body] of ranges) {
      it(`answers Range: ${range} with ${status}`, async () => {
        const answer = await registry.get(`/v2/${NAME}/blobs/${blob}`, {
          headers: { Range: range },
        });
        assert.equal(answer.status, status);
        assert.equal(answer.headers['content-range'], contentRange);
        assert.equal(answer.body.toString(), body);
        assert.equal(answer.headers['content-length'], String(body.length));
      });
    }

    it('obeys a range under If-Range only for the same entity tag', async () => {
      const path = `/v2/${NAME}/blobs/${blob}`;
      const Range = 'bytes=0-3';
      const same = await registry.get(path, { headers: { Range, 'If-Range': `"${blob}"` } });
      assert.equal(same.status, 206);
      for (const other of ['"other"', `W/"${blob}"`, 'Mon, 23 Nov 2026 00:00:00 GMT']) {
        const answer = await registry.get(path, { headers: { Range, 'If-Range': other } });
        assert.equal(answer.status, 200, other);
      }
    });

    it('ignores Range on HEAD', async () => {
      const headers = { Range: 'bytes=0-3' };
      const answer = await registry.head(`/v2/${NAME}/blobs/${blob}`, { headers });
      assert.equal(answer.status, 200);
      assert.equal(answer.headers['content-length'], String(BLOB.length));
    });

    it('answers If-None-Match with 304', async () => {
      const headers = { 'If-None-Match': `"${blob}"` };
      const answer = await registry.get(`/v2/${NAME}/blobs/${blob}`, { headers });
      assert.equal(answer.status, 304);
      assert.equal(answer.body.length, 0);
    });

    it('refuses a blob that nothing vouches for', async () => {
      const answer = await registry.get(`/v2/${NAME}/blobs/${ABSENT}`);
      assert.equal(answer.status, 403);
      assert.equal(ociError(answer).detail['code'], 'digest_not_vouched');
    });
  });

  describe('end-8: listing tags', () => {
    const all = ['3.18', '3.19', '3.20', 'edge', 'multi'];
    const pages: readonly (readonly [string, readonly string[], string | undefined])[] = [
      ['', all, undefined],
      ['?n=100', all, undefined],
      ['?n=5', all, undefined],
      ['?n=2', ['3.18', '3.19'], `</v2/${NAME}/tags/list?n=2&last=3.19>; rel="next"`],
      ['?n=2&last=3.19', ['3.20', 'edge'], `</v2/${NAME}/tags/list?n=2&last=edge>; rel="next"`],
      ['?n=2&last=edge', ['multi'], undefined],
      ['?last=3.185', ['3.19', '3.20', 'edge', 'multi'], undefined],
      ['?last=zzz', [], undefined],
      ['?n=0', [], undefined],
    ];
    for (const [query, tags, link] of pages) {
      it(`lists ${query === '' ? 'all' : query}`, async () => {
        const answer = await registry.get(`/v2/${NAME}/tags/list${query}`);
        assert.equal(answer.status, 200);
        assert.equal(answer.headers['content-type'], 'application/json');
        assert.deepEqual(JSON.parse(answer.body.toString()), { name: NAME, tags });
        assert.equal(answer.headers['link'], link);
      });
    }

    for (const query of ['?n=-1', '?n=x', '?n=1.5', '?n=', '?n=99999999999']) {
      it(`refuses ${query}`, async () => {
        const answer = await registry.get(`/v2/${NAME}/tags/list${query}`);
        assert.equal(answer.status, 400);
        assert.equal(ociError(answer).code, 'PAGINATION_NUMBER_INVALID');
      });
    }
  });

  describe('what is not offered', () => {
    const rows: readonly (readonly [string, string, number, string])[] = [
      ['GET', `/v2/${NAME}/referrers/${ABSENT}`, 404, 'MANIFEST_UNKNOWN'],
      ['GET', `/v2/${NAME}/_trust/tuf/root.json`, 404, 'METADATA_NOT_FOUND'],
      ['POST', `/v2/${NAME}/blobs/uploads/`, 405, 'UNSUPPORTED'],
      ['PUT', `/v2/${NAME}/manifests/latest`, 405, 'UNSUPPORTED'],
      ['PATCH', `/v2/${NAME}/blobs/uploads/1234`, 405, 'UNSUPPORTED'],
      ['DELETE', `/v2/${NAME}/manifests/${ABSENT}`, 405, 'UNSUPPORTED'],
      ['DELETE', `/v2/${NAME}/blobs/${ABSENT}`, 405, 'UNSUPPORTED'],
      ['GET', '/v1/search', 404, 'NAME_UNKNOWN'],
      ['GET', `/v2/${NAME}`, 404, 'NAME_UNKNOWN'],
      ['GET', `/v2/${NAME}/blobs/sha256:abc`, 400, 'DIGEST_INVALID'],
      ['GET', `/v2/${NAME}/manifests/-bad`, 400, 'TAG_INVALID'],
      ['GET', '/v2/UPPER/manifests/latest', 400, 'NAME_INVALID'],
    ];
    for (const [method, path, status, code] of rows) {
      it(`answers ${method} ${path} with ${status} ${code}`, async () => {
        const answer = await registry.get(path, { method });
        assert.equal(answer.status, status);
        assert.equal(answer.headers['content-type'], 'application/json');
        assert.equal(answer.headers['docker-distribution-api-version'], 'registry/2.0');
        assert.equal(ociError(answer).code, code);
        assert.equal(answer.headers['allow'], status === 405 ? 'GET, HEAD' : undefined);
      });
    }

    for (const suffix of ['.sig', '.att', '.sbom', '']) {
      it(`says of the companion tag sha256-…${suffix} that there is none`, async () => {
        const tag = `sha256-${'a'.repeat(64)}${suffix}`;
        const answer = await registry.get(`/v2/${NAME}/manifests/${tag}`);
        assert.equal(answer.status, 404);
        assert.equal(ociError(answer).code, 'MANIFEST_UNKNOWN');
      });
    }
  });
});

function assertSameHeaders(one: Answer, other: Answer): void {
  const ignored = new Set(['date', 'connection', 'keep-alive']);
  const kept = (answer: Answer): object =>
    Object.fromEntries(Object.entries(answer.headers).filter(([name]) => !ignored.has(name)));
  assert.equal(other.status, one.status);
  assert.deepEqual(kept(other), kept(one));
}
