import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, it } from 'node:test';
import { gunzipSync } from 'node:zlib';
import {
  type CanaryFacts,
  type CanaryPart,
  canaryFactsOf,
  canaryKindOf,
  isCanaryNonce,
  makeCanaryImage,
} from '../../../src/oci/canary.ts';
import { sha256Digest } from '../../../src/oci/digest.ts';
import { parseManifest } from '../../../src/oci/manifest.ts';
import { parseRepositoryPath } from '../../../src/oci/names.ts';

const FACTS: CanaryFacts = {
  kind: 'signed',
  nonce: '0123456789abcdef0123456789abcdef',
  registry: 'docker.io',
  listener: 'hub-mirror',
  refusal: 'hard-stop',
};

interface Config {
  readonly os: string;
  readonly config: { readonly Labels: Readonly<Record<string, string>> };
  readonly rootfs: { readonly diff_ids: readonly string[] };
}

function configOf(part: CanaryPart): Config {
  return JSON.parse(Buffer.from(part.bytes).toString());
}

describe('canaryKindOf', () => {
  const rows: readonly (readonly [string, string | undefined])[] = [
    ['pinnace-canary/signed', 'signed'],
    ['pinnace-canary/unsigned', 'unsigned'],
    ['pinnace-canary/tampered', 'tampered'],
    ['pinnace-canary/other', undefined],
    ['pinnace-canary/signed/deeper', undefined],
    ['pinnace-canary', undefined],
    ['pinnace-canary-2/signed', undefined],
    ['library/pinnace-canary', undefined],
    ['team/pinnace-canary/signed', undefined],
  ];
  for (const [path, kind] of rows) {
    it(`${path} is ${kind ?? 'no canary'}`, () =>
      assert.equal(canaryKindOf(parseRepositoryPath(path)), kind));
  }
});

describe('isCanaryNonce', () => {
  it('wants 32 lower-case hex digits', () => {
    assert.equal(isCanaryNonce(FACTS.nonce), true);
    for (const tag of ['latest', FACTS.nonce.toUpperCase(), `${FACTS.nonce}0`, `${FACTS.nonce}\n`])
      assert.equal(isCanaryNonce(tag), false, tag);
  });
});

describe('makeCanaryImage', () => {
  const image = makeCanaryImage(FACTS);

  it('is a whole image for every platform, as a manifest parser sees it', () => {
    const index = parseManifest(image.index.bytes, image.index.mediaType);
    assert.equal(index.kind, 'index');
    assert.deepEqual(
      index.parts.map(({ digest }) => digest),
      image.manifests.map(({ digest }) => digest),
    );
    const blobs = new Map(image.blobs.map((blob) => [blob.digest, blob]));
    for (const manifest of image.manifests) {
      const { parts } = parseManifest(manifest.bytes, manifest.mediaType);
      assert.equal(parts.length, 2);
      for (const { digest, size } of parts) assert.equal(blobs.get(digest)?.bytes.length, size);
    }
    for (const { digest, bytes } of [image.index, ...image.manifests, ...image.blobs]) {
      assert.equal(sha256Digest(bytes), digest);
    }
  });

  it('has a layer that unpacks to what its configs say', () => {
    const layer = image.blobs.at(-1);
    const tar = gunzipSync(layer?.bytes ?? Buffer.alloc(0));
    const diffId = `sha256:${createHash('sha256').update(tar).digest('hex')}`;
    assert.equal(tar.subarray(0, 14).toString(), 'pinnace-canary');
    for (const config of image.blobs.slice(0, -1)) {
      assert.deepEqual(configOf(config).rootfs.diff_ids, [diffId]);
      assert.equal(configOf(config).os, 'linux');
    }
  });

  it('carries the facts in its labels, from which it can be made again', () => {
    for (const config of image.blobs.slice(0, -1)) {
      const labels = new Map(Object.entries(configOf(config).config.Labels));
      assert.deepEqual(canaryFactsOf(labels), FACTS);
    }
    assert.deepEqual(makeCanaryImage({ ...FACTS }), image);
  });

  it('differs in every fact', () => {
    const others: readonly Partial<CanaryFacts>[] = [
      { nonce: 'f'.repeat(32) },
      { registry: 'quay.io' },
      { listener: 'other' },
      { refusal: 'deny' },
      { kind: 'tampered' },
    ];
    const digests = others.map((other) => makeCanaryImage({ ...FACTS, ...other }).index.digest);
    assert.equal(new Set([...digests, image.index.digest]).size, others.length + 1);
  });

  it('has no layer to give out when it stands for altered content', () => {
    const tampered = makeCanaryImage({ ...FACTS, kind: 'tampered' });
    const blobs = new Set(tampered.blobs.map(({ digest }) => digest));
    for (const manifest of tampered.manifests) {
      const [config, layer] = parseManifest(manifest.bytes, manifest.mediaType).parts;
      assert.ok(config !== undefined && blobs.has(config.digest));
      assert.ok(layer !== undefined && !blobs.has(layer.digest));
    }
  });
});

describe('canaryFactsOf', () => {
  const labels = {
    kind: 'signed',
    nonce: FACTS.nonce,
    registry: 'docker.io',
    listener: 'hub-mirror',
    refusal: 'hard-stop',
  };
  const rows: readonly (readonly [string, Partial<typeof labels>])[] = [
    ['an unknown kind', { kind: 'other' }],
    ['no nonce', { nonce: '' }],
    ['another form of refusal', { refusal: 'shrug' }],
  ];
  for (const [name, change] of rows) {
    it(`finds none with ${name}`, () => {
      const changed = Object.entries({ ...labels, ...change });
      const map = new Map(changed.map(([key, value]) => [`pinnace.canary.${key}`, value]));
      assert.equal(canaryFactsOf(map), undefined);
    });
  }

  it('finds none in the labels of another image', () =>
    assert.equal(canaryFactsOf(new Map([['maintainer', 'somebody']])), undefined));
});
