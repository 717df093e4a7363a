import { createHash } from 'node:crypto';
import { type Digest, hasDigest } from '../oci/digest.ts';
import type { FetchedManifest } from '../resolve/ports.ts';

const NEWLINE = 0x0a;

/** The longest first line: a media type and 64 hex digits. */
const MAX_HEADER_BYTES = 400;

/** A media type by its grammar, bounded, so that it fits on the first line. */
const MEDIA_TYPE = /^[A-Za-z0-9!#$&^_.+-]{1,127}\/[A-Za-z0-9!#$&^_.+-]{1,127}$/;

/**
 * A manifest's file: a line with the media type and a hash that binds it to the digest, then the manifest's exact bytes.
 *
 * @returns undefined when the media type is none
 * @source RFC 6838 §4.2
 */
export function encodeManifestFile(
  digest: Digest,
  manifest: FetchedManifest,
): Uint8Array | undefined {
  const { mediaType, bytes } = manifest;
  if (!MEDIA_TYPE.test(mediaType)) return undefined;
  return Buffer.concat([Buffer.from(`${mediaType} ${bindingOf(digest, mediaType)}\n`), bytes]);
}

/** Reads a manifest's file; undefined unless every part of it is what was written for this digest. */
export function decodeManifestFile(digest: Digest, file: Uint8Array): FetchedManifest | undefined {
  const end = file.subarray(0, MAX_HEADER_BYTES).indexOf(NEWLINE);
  if (end < 0) return undefined;
  const [mediaType, binding, ...rest] = Buffer.from(file.subarray(0, end)).toString().split(' ');
  if (mediaType === undefined || rest.length > 0) return undefined;
  // A flipped bit in the media type would make an engine read the right bytes in the wrong way.
  if (!MEDIA_TYPE.test(mediaType) || binding !== bindingOf(digest, mediaType)) return undefined;
  const bytes = file.subarray(end + 1);
  return hasDigest(bytes, digest) ? { bytes, mediaType } : undefined;
}

function bindingOf(digest: Digest, mediaType: string): string {
  return createHash('sha256').update(`${digest} ${mediaType}`).digest('hex');
}
