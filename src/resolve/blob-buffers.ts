const LARGE_BYTES = 512 * 1024;
const SMALL_BYTES = 64 * 1024;

/** Options of a `BufferPool`. */
export interface BufferPoolOptions {
  /** How many large buffers (512 KiB) may be lent at once; beyond that small ones (64 KiB) are; default 64. */
  readonly maxLarge?: number;
}

/** Lends reusable buffers for sending, so that memory stays bounded however many clients there are. */
export class BufferPool {
  readonly #maxLarge: number;
  readonly #large: Uint8Array[] = [];
  readonly #small: Uint8Array[] = [];
  #lentLarge = 0;

  constructor(options: BufferPoolOptions = {}) {
    this.#maxLarge = options.maxLarge ?? 64;
  }

  /** Lends a buffer, no larger than useful for `bytes` still to be sent. Give it back, or tell that it is lost. */
  lend(bytes: number): Uint8Array {
    if (bytes <= SMALL_BYTES || this.#lentLarge >= this.#maxLarge) {
      return this.#small.pop() ?? Buffer.allocUnsafeSlow(SMALL_BYTES);
    }
    this.#lentLarge += 1;
    return this.#large.pop() ?? Buffer.allocUnsafeSlow(LARGE_BYTES);
  }

  /** Takes a buffer back that nobody reads any more. */
  giveBack(buffer: Uint8Array): void {
    const free = buffer.length === LARGE_BYTES ? this.#large : this.#small;
    // A few at hand are enough; the rest goes back to the system after a burst.
    if (free.length < 16) free.push(buffer);
    this.lost(buffer);
  }

  /** A lent buffer that somebody may still read, and that must never be lent again. */
  lost(buffer: Uint8Array): void {
    if (buffer.length === LARGE_BYTES) this.#lentLarge -= 1;
  }
}
