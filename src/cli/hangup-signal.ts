/** Receives SIGHUP, from construction to `release`; one that comes before somebody listens is told as soon as somebody does. */
export class HangupSignal {
  readonly #onSignal: () => void;
  #listener: (() => void) | undefined;
  #isWaiting = false;

  constructor() {
    this.#onSignal = () => {
      if (this.#listener === undefined) this.#isWaiting = true;
      else this.#listener();
    };
    process.on('SIGHUP', this.#onSignal);
  }

  /** Calls `listener` at each signal from now on, and now if one has come before. */
  listen(listener: () => void): void {
    this.#listener = listener;
    if (this.#isWaiting) listener();
    this.#isWaiting = false;
  }

  /** Leaves the signal to its usual effect. */
  release(): void {
    process.off('SIGHUP', this.#onSignal);
  }
}
