import { systemClock } from '../base/clock.ts';

/** For so long after the first signal further ones are taken for copies of it; milliseconds. */
const COPIES_MS = 2_000;

/** Waits for SIGTERM or SIGINT, from construction to `release`. */
export class StopSignal {
  /** Resolves at the first signal. */
  readonly received: Promise<void>;
  readonly #onSignal: () => void;
  #hasCome = false;

  constructor() {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.received = promise;
    this.#onSignal = () => {
      resolve();
      // A signal to a whole process group comes once more from npm, which passes it on. Only one that comes later means
      // that somebody does not want to wait; it then has its usual effect.
      if (!this.#hasCome) systemClock.after(COPIES_MS, () => this.release());
      this.#hasCome = true;
    };
    process.on('SIGTERM', this.#onSignal);
    process.on('SIGINT', this.#onSignal);
  }

  /** Whether a signal has come. */
  get hasCome(): boolean {
    return this.#hasCome;
  }

  /** Leaves signals to their usual effect. */
  release(): void {
    process.off('SIGTERM', this.#onSignal);
    process.off('SIGINT', this.#onSignal);
  }
}
