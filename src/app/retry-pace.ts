import type { Clock } from '../base/clock.ts';

const FIRST_MS = 1_000;
const LONGEST_MS = 5 * 60_000;

/**
 * Spaces attempts at something that has to succeed in the end: a second after the first failure, twice as long after each
 * further one, five minutes at most, each pause shortened by up to half at random so that replicas do not come back together.
 */
export class RetryPace {
  readonly #clock: Clock;
  #longestMs = LONGEST_MS;
  #failures = 0;
  #openAtMs = Number.NEGATIVE_INFINITY;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** How long the next attempt has to wait; 0: not at all. */
  get waitMs(): number {
    return Math.max(0, this.#openAtMs - this.#clock.monotonicMs());
  }

  /** Lets pauses grow no longer than this, from the next one on. */
  limit(longestMs: number): void {
    this.#longestMs = longestMs;
  }

  failed(): void {
    // Beyond this the doubling only overflows.
    const doublings = Math.min(this.#failures, 30);
    this.#failures += 1;
    const pauseMs = Math.min(FIRST_MS * 2 ** doublings, this.#longestMs);
    this.#openAtMs = this.#clock.monotonicMs() + pauseMs * (1 - Math.random() / 2);
  }

  succeeded(): void {
    this.#failures = 0;
    this.#openAtMs = Number.NEGATIVE_INFINITY;
  }
}
