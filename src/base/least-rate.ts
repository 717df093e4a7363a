const OVER_MS = 60_000;

/**
 * Judges whether what is waited for comes fast enough, on average over each minute of waiting: a sender that drips is within
 * every limit on pauses, and never ends.
 *
 * @source TUF 1.0.34 §1.5.2 (slow retrieval attacks)
 */
export class LeastRate {
  readonly #bytesPerSecond: number;
  #waitedMs = 0;
  #bytes = 0;

  /** @param bytesPerSecond - 0: whatever comes is enough */
  constructor(bytesPerSecond: number) {
    this.#bytesPerSecond = bytesPerSecond;
  }

  /** Notes a wait, in milliseconds, and the bytes that ended it; false when too few have come. */
  note(waitedMs: number, bytes: number): boolean {
    this.#waitedMs += waitedMs;
    this.#bytes += bytes;
    if (this.#waitedMs < OVER_MS) return true;
    const isEnough = this.#bytes * 1_000 >= this.#bytesPerSecond * this.#waitedMs;
    this.#waitedMs = 0;
    this.#bytes = 0;
    return isEnough;
  }
}
