import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { OciError, type OciRequestCode } from '../../../src/oci/errors.ts';
import {
  effectiveMediaType,
  MAX_MANIFEST_BYTES,
  MAX_MANIFEST_PARTS,
  parseManifest,
} from '../../../src/oci/manifest.ts';

const OCI = 'application/vnd.oci.image.manifest.v1+json';
const INDEX = 'application/vnd.oci.image.index.v1+json';
const DOCKER = 'application/vnd.docker.distribution.manifest.v2+json';
const LIST = 'application/vnd.docker.distribution.manifest.list.v2+json';
const SCHEMA_1 = 'application/vnd.docker.distribution.manifest.v1+prettyjws';
const LAYER = 'application/vnd.oci.image.layer.v1.tar+gzip';

const digest = (byte: string): string => `sha256:${byte.repeat(32)}`;
const part = (byte: string, more: object = {}): object => ({
  mediaType: LAYER,
  digest: digest(byte),
  size: 7,
  ...more,
});
const image = (more: object = {}): object => ({
  schemaVersion: 2,
  mediaType: OCI,
  config: part('c0'),
  layers: [part('aa'), part('bb')],
  ...more,
});
const index = (more: object = {}): object => ({
  schemaVersion: 2,
  mediaType: INDEX,
  manifests: [part('11', { mediaType: OCI }), part('22', { mediaType: OCI })],
  ...more,
});
const without = (document: object, name: string): object =>
  Object.fromEntries(Object.entries(document).filter(([key]) => key !== name));
const bytes = (document: unknown): Uint8Array =>
  Buffer.from(typeof document === 'string' ? document : JSON.stringify(document));

function refusedWith(code: OciRequestCode, act: () => unknown): void {
  assert.throws(act, (error: unknown) => error instanceof OciError && error.code === code);
}

describe('parseManifest reads', () => {
  it('config and layers of an image manifest, as blobs', () => {
    const manifest = parseManifest(bytes(image({ subject: part('55') })), OCI);
    assert.equal(manifest.kind, 'manifest');
    assert.equal(manifest.mediaType, OCI);
    assert.deepEqual(
      manifest.parts.map((each) => [each.digest, each.kind, each.size, each.mediaType]),
      ['c0', 'aa', 'bb'].map((byte) => [digest(byte), 'blob', 7, LAYER]),
    );
  });

  it('the children of an index, as manifests', () => {
    const manifest = parseManifest(bytes(index({ subject: part('55') })), INDEX);
    assert.equal(manifest.kind, 'index');
    assert.deepEqual(
      manifest.parts.map((each) => [each.digest, each.kind]),
      ['11', '22'].map((byte) => [digest(byte), 'manifest']),
    );
  });

  it('for which machines the children of an index are', () => {
    const amd64 = { os: 'linux', architecture: 'amd64' };
    const arm64 = { os: 'linux', architecture: 'arm64' };
    const children = [
      part('11', { mediaType: OCI, platform: amd64 }),
      part('11', { mediaType: OCI, platform: arm64 }),
      part('22', { mediaType: OCI, platform: { os: 'unknown', architecture: 'unknown' } }),
      part('33', { mediaType: OCI }),
    ];
    const { platforms } = parseManifest(bytes(index({ manifests: children })), INDEX);
    assert.deepEqual([...platforms], [[digest('11'), [amd64, arm64]]]);
  });

  const accepted: readonly (readonly [
    row: string,
    document: object,
    contentType: string,
    mediaType: string,
  ])[] = [
    ['a Docker manifest', image({ mediaType: DOCKER }), DOCKER, DOCKER],
    ['a Docker list', index({ mediaType: LIST }), LIST, LIST],
    ['a type with parameters', image(), `${OCI}; charset=utf-8`, OCI],
    ['a type in capitals', image(), OCI.toUpperCase(), OCI],
    ['a document without type', without(image(), 'mediaType'), OCI, OCI],
    ['a document with an empty type', image({ mediaType: '' }), OCI, OCI],
    ['a generic type', image(), 'application/json', OCI],
    ['plain text', index(), 'text/plain; charset=utf-8', INDEX],
    ['no type', index({ mediaType: LIST }), '', LIST],
    ['no layers', image({ layers: [] }), OCI, OCI],
    ['no children', index({ manifests: [] }), INDEX, INDEX],
    [
      'unknown members',
      image({ annotations: { Layers: 'x', a: '1', A: '2' }, artifactType: 'x' }),
      OCI,
      OCI,
    ],
  ];
  for (const [row, document, contentType, mediaType] of accepted) {
    it(row, () => assert.equal(parseManifest(bytes(document), contentType).mediaType, mediaType));
  }

  it('a part that is named twice once', () => {
    const layers = [part('aa'), part('aa'), part('c0')];
    assert.equal(parseManifest(bytes(image({ layers })), OCI).parts.length, 2);
  });

  it('which parts may be had elsewhere', () => {
    const layers = [part('aa', { urls: ['https://example.com/x'] }), part('bb', { urls: [] })];
    const manifest = parseManifest(bytes(image({ layers })), OCI);
    assert.deepEqual([...manifest.foreign], [digest('aa')]);
    assert.equal(manifest.parts.length, 3);
  });

  it('as many parts as allowed', () => {
    const layers = Array.from({ length: MAX_MANIFEST_PARTS - 1 }, () => part('aa'));
    assert.equal(parseManifest(bytes(image({ layers })), OCI).parts.length, 2);
  });
});

describe('parseManifest refuses', () => {
  const text = JSON.stringify(image());
  const rows: readonly (readonly [
    row: string,
    code: OciRequestCode,
    document: unknown,
    contentType?: string,
  ])[] = [
    ['nothing', 'MANIFEST_INVALID', ''],
    ['no JSON', 'MANIFEST_INVALID', '<html>'],
    ['data behind the document', 'MANIFEST_INVALID', `${text}{}`],
    ['a byte order mark', 'MANIFEST_INVALID', `\ufeff${text}`],
    ['an array', 'MANIFEST_INVALID', '[]'],
    ['null', 'MANIFEST_INVALID', 'null'],
    ['a depth of two million', 'MANIFEST_INVALID', '['.repeat(2_000_000)],
    ['a list that is too deep but whole', 'MANIFEST_INVALID', '['.repeat(1e6) + ']'.repeat(1e6)],
    ['more than 4 MiB', 'MANIFEST_INVALID', `${text}${' '.repeat(MAX_MANIFEST_BYTES)}`],
    ['both kinds in one, sent as an image', 'MANIFEST_INVALID', image({ manifests: [] })],
    ['both kinds in one, sent as an index', 'MANIFEST_INVALID', index({ layers: [] }), INDEX],
    ['an index with a config', 'MANIFEST_INVALID', index({ config: part('aa') }), INDEX],
    ['members of schema 1', 'MANIFEST_INVALID', image({ fsLayers: [] })],
    ['a type that disagrees', 'MANIFEST_INVALID', image({ mediaType: DOCKER })],
    ['a type of the other kind', 'MANIFEST_INVALID', image(), INDEX],
    ['an index sent as an image', 'MANIFEST_INVALID', without(index(), 'mediaType')],
    ['a type that is no string', 'MANIFEST_INVALID', image({ mediaType: 1 })],
    ['no type at all', 'MANIFEST_INVALID', without(image(), 'mediaType'), 'application/json'],
    ['no schema version', 'MANIFEST_INVALID', without(image(), 'schemaVersion')],
    ['schema version 3', 'MANIFEST_INVALID', image({ schemaVersion: 3 })],
    ['schema version "2"', 'MANIFEST_INVALID', image({ schemaVersion: '2' })],
    ['no config', 'MANIFEST_INVALID', without(image(), 'config')],
    ['no layers', 'MANIFEST_INVALID', without(image(), 'layers')],
    ['no children', 'MANIFEST_INVALID', without(index(), 'manifests'), INDEX],
    ['layers that are no list', 'MANIFEST_INVALID', image({ layers: { length: 1 } })],
    ['a layer that is no object', 'MANIFEST_INVALID', image({ layers: [null] })],
    [
      'a layer without digest',
      'MANIFEST_INVALID',
      image({ layers: [without(part('aa'), 'digest')] }),
    ],
    [
      'a digest of another algorithm',
      'MANIFEST_INVALID',
      image({ layers: [part('aa', { digest: 'md5:00' })] }),
    ],
    [
      'a layer without media type',
      'MANIFEST_INVALID',
      image({ layers: [part('aa', { mediaType: '' })] }),
    ],
    ['a negative size', 'MANIFEST_INVALID', image({ layers: [part('aa', { size: -1 })] })],
    [
      'a size that is no integer',
      'MANIFEST_INVALID',
      image({ layers: [part('aa', { size: 1.5 })] }),
    ],
    [
      'a size beyond safe integers',
      'MANIFEST_INVALID',
      image({ layers: [part('aa', { size: 2 ** 53 })] }),
    ],
    ['a size that is text', 'MANIFEST_INVALID', image({ layers: [part('aa', { size: '7' })] })],
    [
      'two sizes for one digest',
      'MANIFEST_INVALID',
      image({ layers: [part('aa'), part('aa', { size: 8 })] }),
    ],
    ['a member twice', 'MANIFEST_INVALID', text.replace('{', '{"layers":[],')],
    [
      'a member twice, once escaped',
      'MANIFEST_INVALID',
      text.replace('{', '{"\\u006cayers" : [],'),
    ],
    [
      'a digest twice',
      'MANIFEST_INVALID',
      text.replace('"digest"', `"digest":"${digest('00')}","digest"`),
    ],
    ['a member in other case', 'MANIFEST_INVALID', image({ Manifests: [] })],
    ['a member that folds to another', 'MANIFEST_INVALID', image({ 'manife\u017fts': [] })],
    [
      'a digest in other case',
      'MANIFEST_INVALID',
      image({ layers: [part('aa', { Digest: digest('00') })] }),
    ],
    ['a member __proto__ in its place', 'MANIFEST_INVALID', `{"__proto__":${text}}`],
    [
      'too many parts',
      'MANIFEST_INVALID',
      image({ layers: Array.from({ length: MAX_MANIFEST_PARTS }, () => part('aa')) }),
    ],
    ['schema 1 by version', 'UNSUPPORTED', { schemaVersion: 1, fsLayers: [] }, 'application/json'],
    ['schema 1 by the type sent', 'UNSUPPORTED', image(), SCHEMA_1],
    ['schema 1 by its own type', 'UNSUPPORTED', image({ mediaType: SCHEMA_1 }), 'application/json'],
    [
      'an artifact of another kind',
      'UNSUPPORTED',
      image(),
      'application/vnd.oci.artifact.manifest.v1+json',
    ],
    ['a web page', 'UNSUPPORTED', image(), 'text/html'],
  ];
  for (const [row, code, document, contentType = OCI] of rows) {
    it(row, () => refusedWith(code, () => parseManifest(bytes(document), contentType)));
  }

  it('bytes that are not UTF-8', () => {
    const broken = Buffer.concat([
      bytes(text.slice(0, -1)),
      Buffer.from(',"x":"'),
      Buffer.of(0xff),
      Buffer.from('"}'),
    ]);
    refusedWith('MANIFEST_INVALID', () => parseManifest(broken, OCI));
  });

  it('any other document with an OciError', () => {
    const value = fc.oneof(
      fc.jsonValue(),
      fc.constantFrom<unknown>(part('aa'), [part('aa')], OCI, 2, null),
    );
    const names = fc.constantFrom(
      'schemaVersion',
      'mediaType',
      'config',
      'layers',
      'manifests',
      'x',
    );
    fc.assert(
      fc.property(fc.dictionary(names, value), fc.constantFrom(OCI, LIST, ''), (document, type) => {
        try {
          assert.ok(parseManifest(bytes(document), type).parts.length <= MAX_MANIFEST_PARTS);
        } catch (error) {
          assert.ok(error instanceof OciError);
        }
      }),
    );
  });
});

describe('effectiveMediaType', () => {
  it('believes the registry, or the document where the registry says nothing', () => {
    assert.equal(effectiveMediaType(DOCKER, undefined), DOCKER);
    assert.equal(effectiveMediaType('application/octet-stream', LIST), LIST);
    refusedWith('MANIFEST_INVALID', () => effectiveMediaType('', undefined));
    refusedWith('MANIFEST_INVALID', () => effectiveMediaType(DOCKER, LIST));
    refusedWith('UNSUPPORTED', () => effectiveMediaType('', 'text/html'));
  });
});
