import type { FileHandle } from 'node:fs/promises';
import type { Clock, Timer } from '../base/clock.ts';
import type { Digest } from '../oci/digest.ts';

/** A file that may be read until it is released. */
export interface OpenFile {
  readonly handle: FileHandle;
  /** To be called once. */
  release(): void;
}

/** Options of `OpenFiles`. */
export interface OpenFilesOptions {
  /** How many files may stay open that nobody reads; 0 closes each when its last reader has gone. */
  readonly maxIdle: number;
  readonly clock: Clock;
}

interface Kept {
  readonly handle: FileHandle;
  readers: number;
  /** Whether it was read since the last look. */
  isUsed: boolean;
  /** Whether it is to be closed with its last reader. */
  isLeaving: boolean;
}

/** A file that nobody read for this long, or for up to twice as long, is closed. Milliseconds. */
const IDLE_MS = 10_000;

/** Keeps files open that are read again and again: opening and closing one costs more than reading a small one. */
export class OpenFiles {
  readonly #options: OpenFilesOptions;
  /** Least recently opened first. */
  readonly #kept = new Map<Digest, Kept>();
  #timer: Timer | undefined;
  #isClosed = false;

  constructor(options: OpenFilesOptions) {
    this.#options = options;
  }

  /** The open file of a digest, if there is one. */
  take(digest: Digest): OpenFile | undefined {
    const kept = this.#kept.get(digest);
    if (kept === undefined) return undefined;
    this.#kept.delete(digest);
    this.#kept.set(digest, kept);
    return lend(kept);
  }

  /** Takes over a file that was just opened. */
  add(digest: Digest, handle: FileHandle): OpenFile {
    const kept = { handle, readers: 0, isUsed: true, isLeaving: true };
    if (this.#options.maxIdle > 0 && !this.#isClosed && !this.#kept.has(digest)) {
      kept.isLeaving = false;
      this.#kept.set(digest, kept);
      this.#makeRoom();
      this.#timer ??= this.#options.clock.after(IDLE_MS, () => this.#look());
    }
    return lend(kept);
  }

  /** Has a file closed as soon as nobody reads it: it is gone from its place, or another one has come there. */
  drop(digest: Digest): void {
    const kept = this.#kept.get(digest);
    if (kept === undefined) return;
    this.#kept.delete(digest);
    kept.isLeaving = true;
    closeIfDone(kept);
  }

  /** Has all files closed as soon as nobody reads them. */
  close(): void {
    this.#isClosed = true;
    this.#timer?.cancel();
    for (const digest of [...this.#kept.keys()]) this.drop(digest);
  }

  #makeRoom(): void {
    const [oldest] = this.#kept.keys();
    if (this.#kept.size > this.#options.maxIdle && oldest !== undefined) this.drop(oldest);
  }

  /** An open file keeps its bytes on the disk, even when another process has removed it. */
  #look(): void {
    this.#timer = undefined;
    for (const [digest, kept] of this.#kept) {
      if (kept.readers === 0 && !kept.isUsed) this.drop(digest);
      kept.isUsed = false;
    }
    if (this.#kept.size > 0) this.#timer = this.#options.clock.after(IDLE_MS, () => this.#look());
  }
}

function lend(kept: Kept): OpenFile {
  kept.readers += 1;
  kept.isUsed = true;
  return {
    handle: kept.handle,
    release() {
      kept.readers -= 1;
      closeIfDone(kept);
    },
  };
}

function closeIfDone({ handle, readers, isLeaving }: Kept): void {
  // A descriptor of a file that was only read: closing it cannot lose anything.
  if (isLeaving && readers === 0) handle.close().catch(() => undefined);
}
