import type { Digest } from '../oci/digest.ts';
import { MAX_MANIFEST_BYTES } from '../oci/manifest.ts';

/** What a list says of one referrer, taken from the referrer itself. */
export interface ListedReferrer {
  readonly mediaType: string;
  readonly digest: Digest;
  readonly size: number;
  readonly artifactType: string;
  readonly annotations: Readonly<Record<string, string>>;
}

/** The media type of a list of referrers. */
export const INDEX_MEDIA_TYPE = 'application/vnd.oci.image.index.v1+json';

/** Room for what is round the entries. */
const FRAME_BYTES = 256;

/**
 * Writes a list of referrers as an image index, as many as fit into a manifest that engines read.
 *
 * @source OCI distribution 1.1 (#listing-referrers); OCI image 1.1 (image-index.md)
 */
export function referrerIndex(referrers: readonly ListedReferrer[]): Uint8Array {
  const entries: string[] = [];
  let length = FRAME_BYTES;
  for (const { mediaType, digest, size, artifactType, annotations } of referrers) {
    const entry = JSON.stringify({
      mediaType,
      digest,
      size,
      ...(artifactType === '' ? {} : { artifactType }),
      ...(Object.keys(annotations).length === 0 ? {} : { annotations }),
    });
    length += Buffer.byteLength(entry) + 1;
    if (length > MAX_MANIFEST_BYTES) break;
    entries.push(entry);
  }
  const frame = { schemaVersion: 2, mediaType: INDEX_MEDIA_TYPE };
  return Buffer.from(`${JSON.stringify(frame).slice(0, -1)},"manifests":[${entries.join(',')}]}`);
}
