import { type Clock, systemClock, type Timer } from '../base/clock.ts';
import type { TextSink } from './check-config.ts';

/** A step is worth a line after this time, and another one each time so much more has passed; milliseconds. */
const FIRST_MS = 1_000;
const NEXT_MS = 10_000;

/** Tells a person at a terminal what a command waits for, once it takes longer than a second; silent elsewhere. */
export class Progress {
  readonly #sink: TextSink;
  readonly #clock: Clock;
  #timer: Timer | undefined;

  constructor(sink: TextSink, clock: Clock = systemClock) {
    this.#sink = sink;
    this.#clock = clock;
  }

  /** Begins a step, which ends the one before. @param what - as in `asking the trust server` */
  step(what: string): void {
    this.end();
    if (this.#sink.isTTY !== true) return;
    this.#await(what, { startMs: this.#clock.monotonicMs(), delayMs: FIRST_MS });
  }

  /** Ends the last step. */
  end(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #await(what: string, wait: { readonly startMs: number; readonly delayMs: number }): void {
    this.#timer = this.#clock.after(wait.delayMs, () => {
      const seconds = Math.round((this.#clock.monotonicMs() - wait.startMs) / 1000);
      const line = wait.delayMs === FIRST_MS ? `${what} ...` : `still ${what} (${seconds} s) ...`;
      this.#sink.write(`${line}\n`);
      this.#await(what, { startMs: wait.startMs, delayMs: NEXT_MS });
    });
  }
}
