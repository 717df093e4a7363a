import type { Descriptor } from './descriptor.ts';
import { type Digest, isDigest } from './digest.ts';
import { OciError } from './errors.ts';
import {
  bareMediaType,
  isIndexMediaType,
  isManifestMediaType,
  isSchema1MediaType,
  type ManifestMediaType,
} from './media-types.ts';
import { type Platform, platformOf } from './platform.ts';
import { repeatedMember } from './unique-members.ts';

/** The largest manifest that is read, in bytes: what the strictest engine accepts. */
export const MAX_MANIFEST_BYTES: number = 4 * 1024 * 1024;

/** The most content one manifest may refer to. */
export const MAX_MANIFEST_PARTS = 10_000;

/** What a manifest refers to. */
export interface Manifest {
  readonly mediaType: ManifestMediaType;
  readonly kind: 'manifest' | 'index';
  /** Config and layers of a manifest, children of an index; each digest once, in the order of the document. */
  readonly parts: readonly Descriptor[];
  /** The digests of those parts that the document says may be had elsewhere (`urls`). */
  readonly foreign: ReadonlySet<Digest>;
  /** For which machines each child of an index is; a child that is not in it names none. */
  readonly platforms: ReadonlyMap<Digest, readonly Platform[]>;
}

/** The members that are read, of the document and of descriptors alike; nothing is known of their values. */
interface Members {
  readonly schemaVersion?: unknown;
  readonly mediaType?: unknown;
  readonly manifests?: unknown;
  readonly config?: unknown;
  readonly layers?: unknown;
  readonly fsLayers?: unknown;
  readonly digest?: unknown;
  readonly size?: unknown;
  readonly urls?: unknown;
  readonly platform?: unknown;
}

/** `Content-Type` values that say nothing about a manifest; servers of plain files send them. */
const GENERIC: ReadonlySet<string> = new Set([
  '',
  'application/json',
  'application/octet-stream',
  'binary/octet-stream',
  'text/plain',
]);

/** The members that decide what is pulled, by lower-case name. Engines written in Go find them in any mix of cases. */
const DECISIVE: ReadonlyMap<string, string> = new Map(
  [
    'schemaVersion',
    'mediaType',
    'manifests',
    'config',
    'layers',
    'fsLayers',
    'digest',
    'size',
    'urls',
  ].map((name) => [name.toLowerCase(), name]),
);

/**
 * Parses a manifest or index, and refuses whatever two readers could understand differently.
 *
 * @param bytes - as received; the caller has checked or will check their digest
 * @param contentType - the `Content-Type` they came with, empty if none
 * @throws {OciError} `MANIFEST_INVALID`; `UNSUPPORTED` for schema 1 and for media types that are not manifests of images
 * @source OCI image 1.1 (manifest.md, image-index.md); CVE-2021-41190 (a document that is manifest and index)
 */
export function parseManifest(bytes: Uint8Array, contentType: string): Manifest {
  const document = parseDocument(bytes);
  if (document.schemaVersion === 1) throw schema1();
  const mediaType = effectiveMediaType(contentType, ownMediaType(document));
  if (document.schemaVersion !== 2) throw invalid('schemaVersion is not 2');
  const index = isIndexMediaType(mediaType);
  const isOther = index
    ? (['config', 'layers', 'fsLayers'] as const).some((name) => Object.hasOwn(document, name))
    : Object.hasOwn(document, 'manifests') || Object.hasOwn(document, 'fsLayers');
  if (isOther) throw invalid('has members of an image manifest and of an index');
  return index
    ? { mediaType, kind: 'index', ...collect(items(document.manifests), 'manifest') }
    : {
        mediaType,
        kind: 'manifest',
        ...collect([document.config, ...items(document.layers)], 'blob'),
      };
}

/**
 * The media type under which a manifest is served: the upstream's, unless that says nothing about manifests; then the
 * document's own.
 *
 * @param contentType - as received, parameters included; empty if there was none
 * @param own - the document's `mediaType`
 * @throws {OciError} `MANIFEST_INVALID` the two disagree, or neither says anything; `UNSUPPORTED` not one that is served
 */
export function effectiveMediaType(
  contentType: string,
  own: string | undefined,
): ManifestMediaType {
  const sent = bareMediaType(contentType);
  const mediaType = GENERIC.has(sent) ? own : sent;
  if (mediaType === undefined) throw invalid('neither the registry nor the document says its type');
  if (isSchema1MediaType(mediaType)) throw schema1();
  if (!isManifestMediaType(mediaType)) {
    throw new OciError('UNSUPPORTED', 'not a manifest format that can be served', {
      detail: { mediaType },
    });
  }
  if (own !== undefined && own !== mediaType) {
    throw invalid('the registry and the document disagree about its type');
  }
  return mediaType;
}

function parseDocument(bytes: Uint8Array): Members {
  if (bytes.length > MAX_MANIFEST_BYTES) throw invalid('larger than 4 MiB');
  let text: string;
  let document: unknown;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
    document = JSON.parse(text);
  } catch (cause) {
    throw invalid('not JSON in UTF-8', { cause });
  }
  const repeated = repeatedMember(text);
  if (repeated !== undefined) throw invalid('names a member twice', { detail: { repeated } });
  return object(document, 'the document');
}

/** An object whose decisive members are spelt as specified; only own members may be read from it. */
function object(value: unknown, what: string): Members {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw invalid(`${what} is not an object`);
  }
  for (const name of Object.keys(value)) {
    // Both directions, for the letters outside ASCII that fold to s and k.
    const specified = DECISIVE.get(name.toUpperCase().toLowerCase());
    if (specified !== undefined && name !== specified) {
      throw invalid('spells a member in an ambiguous way', { detail: { member: name } });
    }
  }
  // Without a prototype, a member that is missing is undefined whatever its name.
  const members: Members = Object.assign(Object.create(null), value);
  return members;
}

function ownMediaType(document: Members): string | undefined {
  const own = document.mediaType;
  // An empty string is how some tools write "none".
  if (own === undefined || own === '') return undefined;
  if (typeof own !== 'string') throw invalid('mediaType is not a string');
  return own;
}

function items(value: unknown): readonly unknown[] {
  if (!Array.isArray(value)) throw invalid('has no list of layers or manifests');
  return value;
}

function collect(
  values: readonly unknown[],
  kind: Descriptor['kind'],
): Pick<Manifest, 'parts' | 'foreign' | 'platforms'> {
  if (values.length > MAX_MANIFEST_PARTS) throw invalid('refers to too much content');
  const parts = new Map<Digest, Descriptor>();
  const foreign = new Set<Digest>();
  const platforms = new Map<Digest, readonly Platform[]>();
  for (const value of values) {
    const members = object(value, 'a descriptor');
    const part = descriptor(members, kind);
    const earlier = parts.get(part.digest);
    if (earlier !== undefined && earlier.size !== part.size) {
      throw invalid('gives two sizes for one digest');
    }
    if (earlier === undefined) parts.set(part.digest, part);
    if (Array.isArray(members.urls) && members.urls.length > 0) foreign.add(part.digest);
    const platform = platformOf(members.platform);
    // One image may stand there for several platforms.
    if (platform !== undefined) {
      platforms.set(part.digest, [...(platforms.get(part.digest) ?? []), platform]);
    }
  }
  return { parts: [...parts.values()], foreign, platforms };
}

function descriptor(members: Members, kind: Descriptor['kind']): Descriptor {
  const { mediaType, digest, size } = members;
  if (typeof digest !== 'string' || !isDigest(digest)) throw invalid('a descriptor has no digest');
  if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0) {
    throw invalid('a descriptor has no size');
  }
  if (typeof mediaType !== 'string' || mediaType === '') {
    throw invalid('a descriptor has no media type');
  }
  return { mediaType, digest, size, kind };
}

function invalid(
  what: string,
  options: { readonly cause?: unknown; readonly detail?: Readonly<Record<string, string>> } = {},
): OciError {
  return new OciError('MANIFEST_INVALID', `the manifest is refused: ${what}`, options);
}

function schema1(): OciError {
  return new OciError('UNSUPPORTED', 'Docker schema 1 manifests are not served', {
    detail: { mediaType: 'application/vnd.docker.distribution.manifest.v1+json' },
  });
}
