import { LRUCache } from 'lru-cache';
import type { Digest } from '../oci/digest.ts';
import type { StoredContent } from '../resolve/blob-ports.ts';

/** The largest content kept, in bytes: configurations of images and small layers. */
export const MAX_REMEMBERED_BYTES: number = 64 * 1024;

/** What an entry costs beside its bytes, roughly. */
const ENTRY_OVERHEAD_BYTES = 512;

/**
 * Small content whose bytes were checked when they were put here; the least recently used goes first. Whoever keeps it lets
 * go of it here too when it is gone from where it came from.
 */
export class ContentMemory {
  readonly #contents: LRUCache<Digest, ContentInMemory> | undefined;

  /** @param maxBytes - the most bytes kept; 0 keeps nothing */
  constructor(maxBytes: number) {
    if (maxBytes === 0) return;
    this.#contents = new LRUCache({
      maxSize: maxBytes,
      sizeCalculation: ({ size }) => size + ENTRY_OVERHEAD_BYTES,
    });
  }

  /** Whether content of this many bytes is kept. */
  takes(size: number): boolean {
    return this.#contents !== undefined && size <= MAX_REMEMBERED_BYTES;
  }

  get(digest: Digest): ContentInMemory | undefined {
    return this.#contents?.get(digest);
  }

  /** Keeps content that has this digest. */
  keep(digest: Digest, content: ContentInMemory): void {
    this.#contents?.set(digest, content);
  }

  drop(digest: Digest): void {
    this.#contents?.delete(digest);
  }
}

/** Content whose bytes are in memory and never change. It may be open any number of times: there is nothing to close. */
export class ContentInMemory implements StoredContent {
  readonly size: number;
  readonly bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.size = bytes.length;
    this.bytes = bytes;
  }

  read(buffer: Uint8Array, position: number): Promise<number> {
    const found = this.bytes.subarray(position, position + buffer.length);
    buffer.set(found);
    return Promise.resolve(found.length);
  }

  close(): void {
    // Nothing is held open.
  }
}
