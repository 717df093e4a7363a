import assert from 'node:assert/strict';
import { it } from 'node:test';
import { sha256Digest } from '../../../src/oci/digest.ts';
import { MAX_MANIFEST_BYTES } from '../../../src/oci/manifest.ts';
import { referrerIndex } from '../../../src/resolve/referrer-index.ts';

it('a list of referrers is never longer than a manifest may be, and whole all the same', () => {
  const annotations = { note: '\u00e9'.repeat(8_000) };
  const many = Array.from({ length: 400 }, (_, index) => ({
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
    digest: sha256Digest(Buffer.from(`${index}`)),
    size: index,
    artifactType: '',
    annotations,
  }));
  const bytes = referrerIndex(many);
  assert.ok(bytes.length <= MAX_MANIFEST_BYTES && bytes.length > MAX_MANIFEST_BYTES - 20_000);
  const { manifests } = JSON.parse(Buffer.from(bytes).toString());
  assert.ok(manifests.length > 200 && manifests.length < 400);
  assert.deepEqual(Object.keys(manifests[0]), ['mediaType', 'digest', 'size', 'annotations']);
});
