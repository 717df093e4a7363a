import { type FileHandle, lutimes, open } from 'node:fs/promises';
import type { Clock } from '../base/clock.ts';
import { SingleFlight } from '../base/single-flight.ts';
import { type Digest, hasDigest } from '../oci/digest.ts';
import type { ContentStore, ContentWriter, StoredContent } from '../resolve/blob-ports.ts';
import type { StoredFile } from '../resolve/ports.ts';
import { type ContentStoreEvents, NO_CONTENT_EVENTS } from './content-events.ts';
import { ContentIndex } from './content-index.ts';
import { ContentLayout } from './content-layout.ts';
import { ContentInMemory, ContentMemory } from './content-memory.ts';
import { openUnseen, removeBroken, verifyFile } from './content-verify.ts';
import { DiskContentWriter, NO_WRITER } from './content-writer.ts';
import { type OpenFile, OpenFiles } from './open-files.ts';

/** Where and how much a `DiskContentStore` stores. */
export interface DiskContentStoreOptions {
  /** The store's own folder; made if it is not there. Several processes may share it. */
  readonly folder: string;
  /** The most bytes to keep, at least 0; downloads under way and content in use come on top. */
  readonly maxBytes: number;
  readonly clock: Clock;
  readonly events?: ContentStoreEvents;
  /** The most bytes of small content (up to 64 KiB each) kept in memory; default 0, none. */
  readonly memoryBytes?: number;
  /** How many files may stay open for the next reader; default 0, none. */
  readonly maxIdleFiles?: number;
  /** Opens a temporary file exclusively, for reading and writing; tests pass one that fails. */
  readonly openTemporary?: (path: string) => Promise<FileHandle>;
}

const NS_PER_SECOND = 1_000_000_000n;

/**
 * Content on disk by digest. Written to a temporary file and renamed when complete and right; files from before this
 * process are hashed when first asked for; what was used least recently goes first when there is too much.
 */
export class DiskContentStore implements ContentStore {
  readonly #layout: ContentLayout;
  readonly #index: ContentIndex;
  readonly #events: ContentStoreEvents;
  readonly #maxBytes: number;
  readonly #memory: ContentMemory;
  readonly #files: OpenFiles;
  readonly #openTemporary: (path: string) => Promise<FileHandle>;
  readonly #verifications = new SingleFlight<Digest, boolean>();
  #isClosed = false;

  constructor(options: DiskContentStoreOptions) {
    const { maxBytes, clock } = options;
    this.#layout = new ContentLayout(options.folder);
    this.#events = options.events ?? NO_CONTENT_EVENTS;
    this.#maxBytes = maxBytes;
    this.#memory = new ContentMemory(options.memoryBytes ?? 0);
    this.#files = new OpenFiles({ maxIdle: options.maxIdleFiles ?? 0, clock });
    this.#index = new ContentIndex({
      ...{ layout: this.#layout, maxBytes, clock, events: this.#events },
      onRemoved: (digest) => {
        this.#memory.drop(digest);
        this.#files.drop(digest);
      },
    });
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
    this.#files.close();
    await this.#index.close();
  }

  has(digest: Digest): boolean {
    return this.#index.has(digest);
  }

  openNow(digest: Digest): StoredContent | undefined {
    const content = this.#memory.get(digest);
    if (content === undefined) return undefined;
    const seconds = this.#index.noteUse(digest);
    if (seconds !== undefined) {
      const path = this.#layout.pathOf(digest);
      this.#set(digest, seconds, lutimes(path, seconds, seconds)).catch(() => undefined);
    }
    this.#events.hit();
    return content;
  }

  async open(digest: Digest): Promise<StoredContent | undefined> {
    const inMemory = this.openNow(digest);
    if (inMemory !== undefined) return inMemory;
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
    const file = this.#files.take(digest) ?? (await this.#openFile(digest));
    try {
      const content = file && (await this.#contentOf(digest, file, release));
      if (content !== undefined) return content;
    } catch {
      // What cannot be looked at is not verified.
    }
    this.#files.drop(digest);
    file?.release();
    release();
    return undefined;
  }

  async #openFile(digest: Digest): Promise<OpenFile | undefined> {
    const handle = await openUnseen(this.#layout.pathOf(digest));
    return handle && this.#files.add(digest, handle);
  }

  /** The content of an open file if it is still the one that was verified; then it closes the file, too. */
  async #contentOf(
    digest: Digest,
    file: OpenFile,
    release: () => void,
  ): Promise<StoredContent | undefined> {
    const { handle } = file;
    const stamp = await handle.stat({ bigint: true });
    // Without links it was removed from its place while it was open.
    if (!stamp.isFile() || stamp.nlink === 0n) return undefined;
    if (!this.#index.isVerified(digest, stamp)) return undefined;
    const seconds = this.#index.noteUse(digest);
    if (seconds !== undefined) await this.#set(digest, seconds, handle.utimes(seconds, seconds));
    const size = Number(stamp.size);
    if (!this.#memory.takes(size)) {
      const { ino } = stamp;
      const mtimeNs = seconds === undefined ? stamp.mtimeNs : BigInt(seconds) * NS_PER_SECOND;
      const stored = { digest, size: stamp.size, mtimeNs, ino };
      return new ContentOfFile(file, { stored, release });
    }
    const bytes = Buffer.allocUnsafeSlow(size);
    const { bytesRead } = await handle.read(bytes, 0, size, 0);
    // It may look like the file that was verified and be another one.
    if (bytesRead !== size || !hasDigest(bytes, digest)) return undefined;
    const content = new ContentInMemory(bytes);
    // What the index has let go of meanwhile must not stay here.
    if (this.#index.has(digest)) this.#memory.keep(digest, content);
    file.release();
    release();
    return content;
  }

  /** Where the time cannot be set, only the order of eviction after a restart suffers. */
  async #set(digest: Digest, seconds: number, setting: Promise<void>): Promise<void> {
    await setting.catch(() => this.#index.noteUntouched(digest, seconds));
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
class ContentOfFile implements StoredContent {
  readonly size: number;
  readonly file: StoredFile;
  readonly #file: OpenFile;
  readonly #release: () => void;
  #isClosed = false;

  constructor(
    file: OpenFile,
    { stored, release }: { readonly stored: StoredFile; readonly release: () => void },
  ) {
    this.size = Number(stored.size);
    this.file = stored;
    this.#file = file;
    this.#release = release;
  }

  async read(buffer: Uint8Array, position: number): Promise<number> {
    const { bytesRead } = await this.#file.handle.read(buffer, 0, buffer.length, position);
    return bytesRead;
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#file.release();
    this.#release();
  }
}

function openExclusively(path: string): Promise<FileHandle> {
  return open(path, 'wx+', 0o600);
}
