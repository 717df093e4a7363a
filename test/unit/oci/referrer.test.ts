import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { isDocumentType, parseReferrer } from '../../../src/oci/referrer.ts';
import { makeReferrer, type ReferrerOptions } from '../../support/referrers.ts';

const SUBJECT = `sha256:${'5'.repeat(64)}`;
const INDEX = 'application/vnd.oci.image.index.v1+json';
const LAYER = 'application/vnd.oci.image.layer.v1.tar+gzip';
const BLOB = `sha256:${'6'.repeat(64)}`;

function read(options: ReferrerOptions) {
  const { bytes, mediaType } = makeReferrer({ subject: SUBJECT, ...options }).manifest;
  return parseReferrer(bytes, mediaType);
}

describe('a referrer', () => {
  it('says what it is and what it refers to', () => {
    const annotations = { 'org.example': 'x', number: 1, ['__proto__']: 'y' };
    const found = read({ artifactType: 'application/spdx+json', more: { annotations } });
    assert.equal(found?.subject, SUBJECT);
    assert.equal(found.artifactType, 'application/spdx+json');
    assert.equal(JSON.stringify(found.annotations), '{"org.example":"x","__proto__":"y"}');
    assert.deepEqual(
      found.parts.map(({ kind }) => kind),
      ['blob', 'blob'],
    );
  });

  it('is by its config what it is, where it says no type', () => {
    assert.equal(read({ configType: 'application/x' })?.artifactType, 'application/x');
  });

  it('need not refer to anything, as those of cosign', () => {
    const { bytes, mediaType } = makeReferrer().manifest;
    assert.equal(parseReferrer(bytes, mediaType)?.subject, undefined);
    assert.equal(read({ more: { subject: null } })?.subject, undefined);
  });

  it('keeps annotations within bounds', () => {
    const many = Object.fromEntries(Array.from({ length: 100 }, (_, index) => [`a${index}`, 'x']));
    assert.equal(Object.keys(read({ more: { annotations: many } })?.annotations ?? {}).length, 64);
    const long = { a: 'x', b: 'y'.repeat(20_000), c: 'z' };
    assert.deepEqual(read({ more: { annotations: long } })?.annotations, { a: 'x' });
    assert.deepEqual(read({ more: { annotations: ['a'] } })?.annotations, {});
  });
});

describe('no referrer is', () => {
  const layer = { mediaType: 'application/json', digest: BLOB, size: 2 };
  const rows: readonly (readonly [row: string, options: ReferrerOptions])[] = [
    ['an image', { layerType: LAYER }],
    ['an image of Docker', { layerType: 'application/vnd.docker.image.rootfs.diff.tar.gzip' }],
    ['a program for another machine', { layerType: 'application/wasm' }],
    ['an unknown binary', { layerType: 'application/octet-stream' }],
    [
      'one that is in parts an image',
      { more: { layers: [layer, { ...layer, mediaType: LAYER }] } },
    ],
    ['one without layers', { more: { layers: [] } }],
    ['one with an empty layer', { more: { layers: [{ ...layer, size: 0 }] } }],
    ['one with countless layers', { more: { layers: Array.from({ length: 300 }, () => layer) } }],
    ['one whose content is elsewhere', { more: { layers: [{ ...layer, urls: ['https://x'] }] } }],
    [
      'an index',
      { mediaType: INDEX, more: { manifests: [], config: undefined, layers: undefined } },
    ],
    ['a manifest of Docker', { mediaType: 'application/vnd.docker.distribution.manifest.v2+json' }],
    ['one that names its subject ambiguously', { more: { Subject: { digest: BLOB } } }],
    ['one that names its type ambiguously', { more: { ARTIFACTTYPE: 'x/y' } }],
    ['one whose subject is no digest', { more: { subject: { digest: 'latest' } } }],
    ['one whose subject is a text', { more: { subject: SUBJECT } }],
  ];
  for (const [row, options] of rows) it(row, () => assert.equal(read(options), undefined));

  it('a layer that goes by the digest of a document', () => {
    const config = { mediaType: 'application/json', digest: BLOB, size: 2 };
    const hidden = { mediaType: LAYER, digest: BLOB, size: 2 };
    assert.equal(read({ more: { config, layers: [hidden] } }), undefined);
  });

  it('what is not JSON, or names a member twice', () => {
    const { manifest } = makeReferrer({ subject: SUBJECT });
    const text = manifest.bytes.toString();
    const twice = text.replace('"subject"', '"subject":null,"subject"');
    for (const bad of ['{', '[]', '"x"', twice]) {
      assert.equal(parseReferrer(Buffer.from(bad), manifest.mediaType), undefined);
    }
  });

  it('anything that has a layer which is no document', () => {
    const types = fc.constantFrom(
      'application/json',
      'text/plain',
      LAYER,
      'application/x',
      'a+json.tar',
    );
    fc.assert(
      fc.property(fc.array(types, { maxLength: 4 }), (layerTypes) => {
        const layers = layerTypes.map((mediaType) => ({ ...layer, mediaType }));
        const isOne = layers.length > 0 && layerTypes.every((type) => isDocumentType(type));
        assert.equal(read({ more: { layers } }) !== undefined, isOne);
      }),
    );
  });
});

describe('a media type of documents', () => {
  const rows: readonly (readonly [type: string, isDocument: boolean])[] = [
    ['application/vnd.dev.cosign.simplesigning.v1+json', true],
    ['application/vnd.dsse.envelope.v1+json', true],
    ['application/vnd.dev.sigstore.bundle.v0.3+json', true],
    ['application/vnd.in-toto+json', true],
    ['application/jose+json', true],
    ['application/cose', true],
    ['text/spdx', true],
    ['Text/Plain; charset=utf-8', true],
    ['application/vnd.cyclonedx+xml', true],
    ['application/vnd.oci.empty.v1+json', true],
    ['application/vnd.oci.image.layer.v1.tar', false],
    ['application/vnd.oci.image.layer.v1.tar+zstd', false],
    ['application/vnd.docker.image.rootfs.foreign.diff.tar.gzip', false],
    ['application/vnd.cncf.helm.chart.content.v1.tar+gzip', false],
    ['application/wasm', false],
    ['application/x-tar; a=+json', false],
    ['', false],
    [`text/${'a'.repeat(300)}`, false],
  ];
  for (const [type, isDocument] of rows) {
    it(`${type.slice(0, 60)}: ${isDocument}`, () => assert.equal(isDocumentType(type), isDocument));
  }
});
