import type { Descriptor } from '../oci/descriptor.ts';
import { OciError } from '../oci/errors.ts';
import { parseManifest } from '../oci/manifest.ts';
import { PullError } from './errors.ts';

/** Reads a manifest that is to be served. @throws {PullError} `media_type_not_supported` */
export function parseServable(
  bytes: Uint8Array,
  contentType: string,
): { readonly mediaType: string; readonly parts: readonly Descriptor[] } {
  try {
    return parseManifest(bytes, contentType);
  } catch (cause) {
    if (!(cause instanceof OciError)) throw cause;
    throw new PullError('media_type_not_supported', cause.message, { detail: cause.detail, cause });
  }
}
