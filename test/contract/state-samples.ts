import type { Descriptor } from '../../src/oci/descriptor.ts';
import { type Digest, sha256Digest } from '../../src/oci/digest.ts';
import { parseRegistryHost, parseRepositoryPath, type Repository } from '../../src/oci/names.ts';
import type { PinRecord } from '../../src/resolve/ports.ts';

/** The repository most state tests are about. */
export const ALPINE: Repository = repository('docker.io', 'library/alpine');

/** A repository by host and path. */
export function repository(host: string, path: string): Repository {
  return { registry: parseRegistryHost(host), path: parseRepositoryPath(path) };
}

/** A pin of `ALPINE`. */
export function pinOf(tag: string, digest: Digest, verifiedAt: number): PinRecord {
  return { repository: ALPINE, tag, digest, length: 528, role: 'targets/releases', verifiedAt };
}

/** The descriptor of a manifest whose bytes are `content`. */
export function manifestOf(content: string): Descriptor {
  const mediaType = 'application/vnd.oci.image.manifest.v1+json';
  return { mediaType, digest: digestOf(content), size: content.length, kind: 'manifest' };
}

/** The descriptor of a layer whose bytes are `content`. */
export function blobOf(content: string): Descriptor {
  const mediaType = 'application/vnd.oci.image.layer.v1.tar+gzip';
  return { mediaType, digest: digestOf(content), size: content.length, kind: 'blob' };
}

/** The digest of a text. */
export function digestOf(content: string): Digest {
  return sha256Digest(bytes(content));
}

/** A text as bytes. */
export function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}
