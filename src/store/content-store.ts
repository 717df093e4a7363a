import { type FileHandle, open } from 'node:fs/promises';
import type { Clock } from '../base/clock.ts';
import { SingleFlight } from '../base/single-flight.ts';
import type { Digest } from '../oci/digest.ts';
import type { ContentStore, ContentWriter, StoredContent } from '../resolve/blob-ports.ts';
import { type ContentStoreEvents, NO_CONTENT_EVENTS } from './content-events.ts';
import { ContentIndex } from './content-index.ts';
import { ContentLayout } from './content-layout.ts';
import { openForReading, removeBroken, verifyFile } from './content-verify.ts';
import { DiskContentWriter, NO_WRITER } from './content-writer.ts';

/** Where and how much a `DiskContentStore` stores. */
export interface DiskContentStoreOptions {
  /** The store's own folder; made if it is not there. Several processes may share it. */
  readonly folder: string;
  /** The most bytes to keep, at least 0; downloads under way and content in use come on top. */
  readonly maxBytes: number;
  readonly clock: Clock;
  readonly events?: ContentStoreEvents;
  /** Opens a temporary file exclusively, for reading and writing; tests pass one that fails. */
  readonly openTemporary?: (path: string) => Promise<FileHandle>;
}

/**
 * Content on disk by digest. Written to a temporary file and renamed when complete and right; files from before this
 * process are hashed when first asked for; what was used least recently goes first when there is too much.
 */
export class DiskContentStore implements ContentStore {
  readonly #layout: ContentLayout;
  readonly #index: ContentIndex;
  readonly #events: ContentStoreEvents;
  readonly #maxBytes: number;
  readonly #openTemporary: (path: string) => Promise<FileHandle>;
  readonly #verifications = new SingleFlight<Digest, boolean>();
  #isClosed = false;

  constructor(options: DiskContentStoreOptions) {
    const { maxBytes, clock } = options;
    this.#layout = new ContentLayout(options.folder);
    this.#events = options.events ?? NO_CONTENT_EVENTS;
    this.#maxBytes = maxBytes;
    this.#index = new ContentIndex({ layout: this.#layout, maxBytes, clock, events: this.#events });
    this.#openTemporary = options.openTemporary ?? openExclusively;
  }

  /** Resolves when all that was there at the start is counted towards the limit. */
  get indexed(): Promise<void> {
    return this.#index.indexed;
  }

  /** Bytes kept, as far as known. */
  get totalBytes(): number {
    return this.#index.totalBytes;
  }

  /** Makes the folders and begins to look through what is there; content can be opened and stored from then on. */
  async start(): Promise<void> {
    await this.#index.start();
  }

  /** Resolves when the store is within its limit, as far as content in use allows. */
  async settled(): Promise<void> {
    await this.#index.settled();
  }

  /** Ends background work; what is open stays readable until it is closed. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#index.close();
  }

  has(digest: Digest): boolean {
    return this.#index.has(digest);
  }

  async open(digest: Digest): Promise<StoredContent | undefined> {
    // More than one turn only when the file is replaced between being verified and being opened.
    for (let turn = 0; turn < 3; turn += 1) {
      const content = await this.#openVerified(digest);
      if (content !== undefined) {
        this.#events.hit();
        return content;
      }
      if (!(await this.#verifications.run(digest, () => this.#verify(digest)))) break;
    }
    this.#events.miss();
    return undefined;
  }

  async create(digest: Digest, size: number): Promise<ContentWriter> {
    if (size > this.#maxBytes || this.#isClosed) return NO_WRITER;
    const temporaryPath = this.#layout.newTemporaryPath();
    try {
      return new DiskContentWriter(await this.#openTemporary(temporaryPath), {
        ...{ temporaryPath, finalPath: this.#layout.pathOf(digest), digest, size },
        onFailed: () => this.#events.writeFailed(),
        onCommitted: (stamp) => this.#index.add(digest, stamp),
      });
    } catch {
      // No space, no permission, no descriptors: content streams without being stored.
      this.#events.writeFailed();
      return NO_WRITER;
    }
  }

  async #openVerified(digest: Digest): Promise<StoredContent | undefined> {
    const release = this.#index.hold(digest);
    const handle = await openForReading(this.#layout.pathOf(digest));
    try {
      const stamp = await handle?.stat({ bigint: true });
      if (handle !== undefined && stamp !== undefined && this.#index.isVerified(digest, stamp)) {
        await this.#touch(digest, handle);
        return new OpenFile(handle, Number(stamp.size), release);
      }
    } catch {
      // What cannot be looked at is not verified.
    }
    release();
    await handle?.close();
    return undefined;
  }

  async #touch(digest: Digest, handle: FileHandle): Promise<void> {
    const seconds = this.#index.noteUse(digest);
    if (seconds === undefined) return;
    // Where the time cannot be set, only the order of eviction after a restart suffers.
    await handle.utimes(seconds, seconds).catch(() => this.#index.noteUntouched(digest, seconds));
  }

  async #verify(digest: Digest): Promise<boolean> {
    const path = this.#layout.pathOf(digest);
    const verdict = await verifyFile(path, digest, () => this.#isClosed);
    if (verdict.kind === 'verified') {
      this.#index.add(digest, verdict.stamp);
      return true;
    }
    this.#index.forget(digest);
    if (verdict.kind === 'broken') {
      this.#events.corrupt();
      await removeBroken(path, verdict.stamp);
    }
    return false;
  }
}

/** A file that was verified, kept open. */
class OpenFile implements StoredContent {
  readonly size: number;
  readonly #handle: FileHandle;
  readonly #release: () => void;
  #isClosed = false;

  constructor(handle: FileHandle, size: number, release: () => void) {
    this.size = size;
    this.#handle = handle;
    this.#release = release;
  }

  async read(buffer: Uint8Array, position: number): Promise<number> {
    const { bytesRead } = await this.#handle.read(buffer, 0, buffer.length, position);
    return bytesRead;
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    // A descriptor of a file that was only read: closing it cannot lose anything.
    this.#handle.close().catch(() => undefined);
    this.#release();
  }
}

function openExclusively(path: string): Promise<FileHandle> {
  return open(path, 'wx+', 0o600);
}
