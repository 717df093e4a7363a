import type { Writable } from 'node:stream';
import type { Clock } from '../base/clock.ts';
import type { BufferPool } from './blob-buffers.ts';
import type { AttachedReader, BlobDownload } from './blob-download.ts';
import { BlobSendError } from './blob-errors.ts';
import { type SendSource, sendRange } from './blob-sender.ts';
import type { BlobContent, ByteRange } from './ports.ts';

/** What an `ArrivingBlob` needs besides its download. */
export interface ArrivingBlobOptions {
  readonly buffers: BufferPool;
  readonly clock: Clock;
}

/** How `ready` waits. */
export interface ReadyOptions {
  readonly wholeFirst?: boolean;
  readonly signal?: AbortSignal;
}

/** One client's view of a blob that is being downloaded. Reads at its own pace; attached from construction to `close`. */
export class ArrivingBlob implements BlobContent, SendSource, AttachedReader {
  readonly size: number;
  readonly #download: BlobDownload;
  readonly #options: ArrivingBlobOptions;
  #position = 0;
  #progressAtMs: number;
  readonly #ended = new AbortController();
  #waiting: (() => void)[] = [];

  constructor(download: BlobDownload, options: ArrivingBlobOptions) {
    this.size = download.size;
    this.#download = download;
    this.#options = options;
    this.#progressAtMs = options.clock.monotonicMs();
    download.attach(this);
  }

  get isVerified(): boolean {
    return this.#download.isWhole;
  }

  get position(): number {
    return this.#position;
  }

  get progressAtMs(): number {
    return this.#progressAtMs;
  }

  /**
   * Resolves when the first byte may be sent; with `wholeFirst` when all of it is verified, unless it can be neither
   * stored nor held, in which case it resolves with `isVerified` false.
   *
   * @throws {UpstreamError}
   */
  async ready(options: ReadyOptions): Promise<void> {
    const wake = (): void => this.wake();
    options.signal?.addEventListener('abort', wake, { once: true });
    try {
      for (;;) {
        options.signal?.throwIfAborted();
        if (this.#isReady(options.wholeFirst ?? false)) return;
        await this.changed();
      }
    } finally {
      options.signal?.removeEventListener('abort', wake);
    }
  }

  async send(sink: Writable, range: ByteRange, signal?: AbortSignal): Promise<void> {
    const isWholeRange = range.start === 0 && range.end === this.size;
    if (!isWholeRange && !this.isVerified) {
      throw new BlobSendError('content_lost', 'a range of content that is not verified was asked');
    }
    const ended = this.#ended.signal;
    await sendRange(this, sink, {
      ...{ range, buffers: this.#options.buffers },
      // A sink that takes nothing must not keep the one who is dropped because of it waiting.
      signal: signal === undefined ? ended : AbortSignal.any([signal, ended]),
    });
  }

  close(): void {
    this.drop(new BlobSendError('content_lost', 'the content was closed'));
  }

  sendable(): number {
    this.#ended.signal.throwIfAborted();
    return this.#download.sendable();
  }

  chunkAt(position: number): Uint8Array | undefined {
    return this.#download.chunkAt(position);
  }

  read(buffer: Uint8Array, position: number): Promise<number> {
    return this.#download.read(buffer, position);
  }

  changed(): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
    });
  }

  wake(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resolve of waiting) resolve();
  }

  advanced(position: number): void {
    this.#position = Math.max(this.#position, position);
    this.#progressAtMs = this.#options.clock.monotonicMs();
    this.#download.noteProgress();
  }

  drop(error: BlobSendError): void {
    this.#ended.abort(error);
    this.#download.detach(this);
    this.wake();
  }

  #isReady(wholeFirst: boolean): boolean {
    const hasFirstBytes = this.sendable() > 0 || this.isVerified;
    if (!wholeFirst) return hasFirstBytes;
    return this.isVerified || (this.#download.cannotHoldWhole && hasFirstBytes);
  }
}
