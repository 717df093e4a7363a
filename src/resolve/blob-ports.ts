import type { Digest } from '../oci/digest.ts';
import type { ContentCheck } from './blob-check.ts';
import type { StoredFile } from './ports.ts';

/** Verified content opened for reading. It stays readable until `close`, even if the store drops it meanwhile. */
export interface StoredContent {
  /** Length in bytes. */
  readonly size: number;
  /** All of it, when it is in memory; never changed. */
  readonly bytes?: Uint8Array;
  /** Where it is, when it is read from a file. */
  readonly file?: StoredFile;
  /**
   * Reads bytes from `position` on into `buffer`.
   *
   * @returns how many were read; 0 at the end, or when the content was cut short behind the store's back
   */
  read(buffer: Uint8Array, position: number): Promise<number>;
  close(): void;
}

/**
 * Content on its way into a store. Trouble with the disk is never an exception: `isStoring` turns false, what was stored
 * up to then stays readable until `close`, and nothing is kept.
 */
export interface ContentWriter {
  /** Whether `append` still stores; once false it stays false. */
  readonly isStoring: boolean;
  /** How many bytes from the start can be read back. */
  readonly storedBytes: number;
  /** Stores `chunks` behind what is stored; one call at a time. */
  append(chunks: readonly Uint8Array[]): Promise<void>;
  /** Reads stored bytes from `position` on into `buffer` and gives back how many; also after `commit`. */
  read(buffer: Uint8Array, position: number): Promise<number>;
  /**
   * Makes the content part of the store, if all of it is stored and `check` proves it right.
   *
   * @returns whether the store has it now
   */
  commit(check: ContentCheck): Promise<boolean>;
  /** Ends reading and writing; what was not committed is removed. */
  close(): Promise<void>;
}

/** Verified content by digest, kept within a limit. */
export interface ContentStore {
  /** Whether the content is thought to be there, without looking. */
  has(digest: Digest): boolean;
  /** Opens content that is in memory, without waiting; undefined says nothing about what `open` would find. */
  openNow(digest: Digest): StoredContent | undefined;
  /** Opens content whose digest was verified by this process; undefined when it is not there or is broken. */
  open(digest: Digest): Promise<StoredContent | undefined>;
  /** Begins to store content of `size` bytes; a store that cannot store gives a writer that says so. */
  create(digest: Digest, size: number): Promise<ContentWriter>;
}

/** What is counted of blobs; every callback must return at once and not throw. */
export interface BlobEvents {
  /** A request joined a download that was under way. */
  joined(): void;
  /** A blob is being asked of the upstream. */
  upstreamRead(): void;
  /** How many downloads are under way now. */
  inFlight(count: number): void;
}
