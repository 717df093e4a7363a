import { membersOf } from '../base/json-members.ts';
import { TrustServerError } from '../metadata/errors.ts';
import { type Digest, isDigest } from '../oci/digest.ts';
import { MAX_MANIFEST_PARTS } from '../oci/manifest.ts';
import { repeatedMember } from '../oci/unique-members.ts';

/** A file of an artifact as its manifest lists it. */
export interface ArtifactFile {
  readonly digest: Digest;
  /** Bytes. */
  readonly size: number;
}

const TITLE = 'org.opencontainers.image.title';

/**
 * The files of an artifact by their titles; layers without a title are passed over.
 *
 * @param manifest - an image manifest as the registry sent it
 * @throws {TrustServerError} `trust_server_error` for anything that is not such a manifest, or has one title twice
 * @source OCI image 1.1 (manifest.md, annotations.md#pre-defined-annotation-keys)
 */
export function artifactFiles(manifest: Uint8Array): ReadonlyMap<string, ArtifactFile> {
  const layers = membersOf(parse(manifest)).get('layers');
  if (!Array.isArray(layers)) unusable('is not a manifest with layers');
  if (layers.length > MAX_MANIFEST_PARTS) unusable(`has over ${MAX_MANIFEST_PARTS} layers`);
  const files = new Map<string, ArtifactFile>();
  for (const layer of layers) {
    const members = membersOf(layer);
    const title = membersOf(members.get('annotations')).get(TITLE);
    if (typeof title !== 'string') continue;
    if (files.has(title)) unusable('has two files of one name');
    files.set(title, fileOf(members));
  }
  return files;
}

function parse(manifest: Uint8Array): unknown {
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(manifest);
    const document: unknown = JSON.parse(text);
    return repeatedMember(text) === undefined ? document : undefined;
  } catch {
    // The parser's message would quote what was received.
    return undefined;
  }
}

function fileOf(members: ReadonlyMap<string, unknown>): ArtifactFile {
  const digest = members.get('digest');
  const size = members.get('size');
  const isUsable = typeof digest === 'string' && isDigest(digest) && Number.isSafeInteger(size);
  if (!isUsable || typeof size !== 'number' || size < 0) unusable('has a layer that is none');
  return { digest, size };
}

function unusable(what: string): never {
  throw new TrustServerError('trust_server_error', `what has the tag in the registry ${what}`);
}
