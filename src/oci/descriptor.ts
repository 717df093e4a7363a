import type { Digest } from './digest.ts';

/**
 * What a manifest says of content it refers to.
 *
 * @source OCI image 1.1 (descriptor.md)
 */
export interface Descriptor {
  readonly mediaType: string;
  readonly digest: Digest;
  /** Length of the content in bytes. */
  readonly size: number;
  /** Whether the content is itself a manifest or index (fetched from the manifests endpoint) or a blob. */
  readonly kind: 'manifest' | 'blob';
}
