import type { Clock } from '../base/clock.ts';

const PAUSE_MS = 1_000;

/** Says when to write a line about something that may come in floods: at once, and then once a second for all of it. */
export class PacedCount {
  readonly #clock: Clock;
  #untold = 0;
  #toldAtMs = Number.NEGATIVE_INFINITY;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Notes one more; gives back how many there were since the last time it gave a number, if it is time. */
  note(): number | undefined {
    this.#untold += 1;
    const now = this.#clock.monotonicMs();
    if (now - this.#toldAtMs < PAUSE_MS) return undefined;
    const count = this.#untold;
    this.#toldAtMs = now;
    this.#untold = 0;
    return count;
  }
}
