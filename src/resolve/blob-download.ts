import type { Clock } from '../base/clock.ts';
import type { Digest } from '../oci/digest.ts';
import type { Repository } from '../oci/names.ts';
import { ContentCheck } from './blob-check.ts';
import { BlobSendError } from './blob-errors.ts';
import type { ContentStore, ContentWriter } from './blob-ports.ts';
import { BlobWindow } from './blob-window.ts';
import type { ByteBudget } from './byte-budget.ts';
import { PullError, UpstreamError } from './errors.ts';
import type { UpstreamContent } from './ports.ts';

/** How much of a blob is held back until its digest turned out right, in bytes. */
export const HOLD_BACK_BYTES: number = 64 * 1024;

/** The least of a blob that is held in memory however little there is, in bytes. */
export const MIN_WINDOW_BYTES: number = 256 * 1024;

/** The most chunks given to the disk in one call. */
const MAX_CHUNKS_PER_WRITE = 128;

/** One client of a download, as the download sees it. */
export interface AttachedReader {
  /** Everything before it has been handed over. */
  readonly position: number;
  /** Monotonic time of the last progress, in milliseconds. */
  readonly progressAtMs: number;
  /** Called when something changed. */
  wake(): void;
  /** Called when the reader holds up the others. */
  drop(error: BlobSendError): void;
}

/** What can end a download early. */
export type DownloadFailure = UpstreamError | PullError;

/** The blob to download, and the limits that apply. */
export interface DownloadOptions {
  readonly repository: Repository;
  readonly digest: Digest;
  readonly size: number;
  readonly upstream: UpstreamContent;
  readonly store: ContentStore;
  readonly clock: Clock;
  /** The memory that what is not stored yet is taken from. */
  readonly budget: ByteBudget;
  /** Waits for a place among the blobs being fetched. @throws {PullError} `overloaded` */
  readonly enter: (signal: AbortSignal) => Promise<() => void>;
  readonly windowBytes: number;
  readonly orphanDeadlineMs: number;
  readonly stalledReaderMs: number;
  /** Called once when it has a place and begins. */
  readonly onBegun: () => void;
  /** Called once when the download is over: stored, finished without being stored, or failed. */
  readonly onSettled: (error: DownloadFailure | undefined) => void;
  /** Called once when nobody needs the temporary file any more, with the promise of its closing. */
  readonly onReleased: (closing: Promise<void>) => void;
}

/**
 * One upstream read of a blob for any number of readers: bytes are hashed, stored, and handed to each reader at its own
 * pace, from memory or the disk. The last bytes become sendable only when digest and size turned out right. While the
 * disk works no reader slows the others; when it fails the slowest one sets the pace, within the window.
 */
export class BlobDownload {
  readonly repository: Repository;
  readonly size: number;
  readonly #options: DownloadOptions;
  readonly #check: ContentCheck;
  readonly #window: BlobWindow;
  readonly #readers = new Set<AttachedReader>();
  readonly #controller = new AbortController();
  #state: 'arriving' | 'verified' | 'failed' = 'arriving';
  #failure: DownloadFailure | undefined;
  #leave: (() => void) | undefined;
  #reportWrong: (() => boolean) | undefined;
  #writer: ContentWriter | undefined;
  #isWriting = false;
  #isSettled = false;
  #isReleased = false;
  #running: Promise<void> = Promise.resolve();
  #creating: Promise<ContentWriter> | undefined;
  #wakePump: (() => void) | undefined;
  #orphanTimer: { cancel(): void } | undefined;

  constructor(options: DownloadOptions) {
    this.repository = options.repository;
    this.size = options.size;
    this.#options = options;
    this.#window = new BlobWindow(options.budget);
    this.#check = new ContentCheck(options.digest, options.size);
  }

  /** Whether another reader can still be given all of it. */
  get isJoinable(): boolean {
    return this.#state !== 'failed' && !this.#isReleased && this.#coversAll;
  }

  /** Whether all of it is verified and at hand. */
  get isWhole(): boolean {
    return this.#state === 'verified' && this.#coversAll;
  }

  /** Whether it can never be whole: not stored, and larger than the window. */
  get cannotHoldWhole(): boolean {
    const writer = this.#writer;
    if (writer === undefined || writer.isStoring) return false;
    return this.size - writer.storedBytes > this.#windowBytes;
  }

  /** Resolves when it is over: stored, finished without being stored, or failed. */
  get settled(): Promise<void> {
    return this.#running;
  }

  /** Begins; call once, after the first reader was attached. */
  start(): void {
    this.#running = this.#run().catch((cause: unknown) => this.#fail(asFailure(cause)));
  }

  attach(reader: AttachedReader): void {
    this.#readers.add(reader);
    this.#orphanTimer?.cancel();
  }

  detach(reader: AttachedReader): void {
    if (!this.#readers.delete(reader)) return;
    this.noteProgress();
    if (this.#readers.size > 0) return;
    if (this.#isSettled) this.#release();
    else if (this.#state === 'arriving') this.#orphaned();
  }

  /** Stops at once, and readers get an error; what is verified already is first put into the store. */
  async stop(): Promise<void> {
    this.#fail(unreachable('Pinnace is shutting down'));
    // Anything else may hang in the upstream and is left alone.
    if (this.#state === 'verified') await this.#running;
  }

  /** @throws {UpstreamError} what ended the download early @throws {PullError} `overloaded` */
  sendable(): number {
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#state === 'verified') return this.size;
    const heldBack = Math.min(HOLD_BACK_BYTES, this.size);
    return Math.max(0, Math.min(this.#window.end, this.size - heldBack));
  }

  /** Bytes that are still in memory. */
  chunkAt(position: number): Uint8Array | undefined {
    return this.#window.chunkAt(position);
  }

  /** Reads bytes that are on the disk; 0 when those are not. */
  async read(buffer: Uint8Array, position: number): Promise<number> {
    const writer = this.#writer;
    if (writer === undefined || position >= writer.storedBytes) return 0;
    return await writer.read(buffer.subarray(0, writer.storedBytes - position), position);
  }

  /** A reader has moved on: there may be room for more. */
  noteProgress(): void {
    this.#wakePump?.();
  }

  /** How much of it may be in memory now. */
  get #windowBytes(): number {
    const { budget, windowBytes } = this.#options;
    return budget.isTight ? MIN_WINDOW_BYTES : windowBytes;
  }

  get #coversAll(): boolean {
    return this.#window.start <= (this.#writer?.storedBytes ?? 0);
  }

  /** Waits for its place; false when nobody wants it any more. */
  async #enter(): Promise<boolean> {
    const { enter, onBegun } = this.#options;
    const leave = await enter(this.#controller.signal);
    if (this.#state === 'failed') {
      leave();
      return false;
    }
    this.#leave = leave;
    onBegun();
    return true;
  }

  async #run(): Promise<void> {
    const { store, upstream, repository, digest } = this.#options;
    if (!(await this.#enter())) return;
    this.#creating = store.create(digest, this.size);
    const writer = await this.#creating;
    this.#writer = writer;
    if (this.#state === 'failed') return;
    const blob = await upstream.fetchBlob(repository, digest, { signal: this.#controller.signal });
    this.#reportWrong = blob.reportWrong;
    if (blob.size !== undefined && blob.size !== this.size)
      return this.#fail(this.#mismatch(blob.size));
    for await (const chunk of blob.body) {
      if (this.#state !== 'arriving') return;
      this.#accept(chunk);
      while (!this.#hasRoom()) await this.#pumpPause();
      if (this.#state !== 'arriving') return;
    }
    if (this.#state === 'arriving') await this.#finish(writer);
  }

  #accept(chunk: Uint8Array): void {
    // Failing here and not by an exception: readers must not wait until the upstream's connection is closed.
    if (!this.#check.accept(chunk)) {
      this.#fail(this.#mismatch(this.#check.received));
      return;
    }
    this.#window.push(chunk);
    if (!this.#isWriting) {
      this.#isWriting = true;
      this.#writeOn().catch((cause: unknown) => this.#fail(asFailure(cause)));
    }
    this.#wakeReaders();
  }

  async #finish(writer: ContentWriter): Promise<void> {
    if (!this.#check.conclude()) return this.#fail(this.#mismatch(this.#check.received));
    this.#state = 'verified';
    this.#orphanTimer?.cancel();
    this.#wakeReaders();
    try {
      while (writer.isStoring && writer.storedBytes < this.size) await this.#pumpPause();
      await writer.commit(this.#check);
    } finally {
      this.#settle();
    }
  }

  /** Gives to the disk what is not on it yet, many chunks at a time, while more is arriving. */
  async #writeOn(): Promise<void> {
    const writer = this.#writer;
    while (writer?.isStoring === true && this.#state !== 'failed') {
      const chunks = this.#window.chunksFrom(writer.storedBytes, MAX_CHUNKS_PER_WRITE);
      if (chunks.length === 0) break;
      await writer.append(chunks);
      this.#window.trimTo(writer.storedBytes);
      this.noteProgress();
    }
    this.#isWriting = false;
    // When the disk has just failed, readers that wait for the whole may have to be told that it will not come.
    this.#wakeReaders();
  }

  #hasRoom(): boolean {
    const windowBytes = this.#windowBytes;
    const writer = this.#writer;
    if (this.#state !== 'arriving' || writer === undefined) return true;
    // All is here: only the end is still to be seen, and waiting readers may wait for just that.
    if (this.#check.received === this.size) return true;
    const unstored = this.#window.end - writer.storedBytes;
    if (writer.isStoring) return unstored < windowBytes / 2;
    let slowest = this.#window.end;
    for (const reader of this.#readers) slowest = Math.min(slowest, reader.position);
    const needed = Math.max(slowest, writer.storedBytes);
    this.#window.trimTo(needed);
    return this.#window.end - needed < windowBytes;
  }

  /** Waits for a write, or a reader's progress; a reader that makes none for too long is dropped. */
  async #pumpPause(): Promise<void> {
    const { clock, stalledReaderMs } = this.#options;
    const timer = clock.after(stalledReaderMs, () => this.#dropStalled());
    await new Promise<void>((resolve) => {
      this.#wakePump = resolve;
    });
    this.#wakePump = undefined;
    timer.cancel();
  }

  #dropStalled(): void {
    const { clock, stalledReaderMs } = this.#options;
    if (this.#writer?.isStoring === false && this.#state === 'arriving') {
      const since = clock.monotonicMs() - stalledReaderMs;
      const end = this.sendable();
      for (const reader of [...this.#readers]) {
        // One that has taken all there is waits for us, not we for it.
        if (reader.position >= end || reader.progressAtMs > since) continue;
        reader.drop(
          new BlobSendError(
            'client_stalled',
            'the client took nothing while content is not stored',
          ),
        );
      }
    }
    this.noteProgress();
  }

  #orphaned(): void {
    const abandon = (): void => this.#fail(unreachable('nobody waits for the blob any more'));
    // Without a disk, or before it has begun, nothing would be gained from going on.
    if (this.#leave === undefined || this.#writer?.isStoring === false) abandon();
    else this.#orphanTimer = this.#options.clock.after(this.#options.orphanDeadlineMs, abandon);
  }

  #mismatch(receivedBytes: number): UpstreamError {
    const detail = { digest: this.#options.digest, expectedBytes: this.size, receivedBytes };
    const message = 'the upstream sent other content than the digest names';
    // An upstream with fallbacks has somebody else to ask, and then this one is not the last word.
    const isElsewhere = this.#reportWrong?.() ?? false;
    return new UpstreamError('digest_mismatch', message, { detail, isElsewhere });
  }

  #fail(error: DownloadFailure): void {
    if (this.#state !== 'arriving') return;
    this.#state = 'failed';
    this.#failure = error;
    this.#orphanTimer?.cancel();
    this.#controller.abort(error);
    this.#release();
    this.#settle(error);
    this.noteProgress();
    this.#wakeReaders();
  }

  #settle(error?: DownloadFailure): void {
    this.#isSettled = true;
    this.#leave?.();
    this.#options.onSettled(error);
    if (this.#readers.size === 0) this.#release();
  }

  #release(): void {
    if (this.#isReleased) return;
    this.#isReleased = true;
    this.#window.trimTo(this.#window.end);
    if (this.#creating !== undefined) {
      this.#options.onReleased(this.#creating.then((writer) => writer.close()));
    }
  }

  #wakeReaders(): void {
    for (const reader of this.#readers) reader.wake();
  }
}

function unreachable(message: string, cause?: unknown): UpstreamError {
  return new UpstreamError('upstream_unreachable', message, { cause });
}

function asFailure(cause: unknown): DownloadFailure {
  if (cause instanceof UpstreamError || cause instanceof PullError) return cause;
  return unreachable('the download broke off', cause);
}
