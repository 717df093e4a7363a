/** How much is done in one turn of the event loop, of what takes some milliseconds each. */
const PER_TURN = 2;

/**
 * Spreads work that computes for a while over turns of the event loop, in the order in which it was asked for. Whatever else the
 * loop has to do comes in between: hundreds who want something computed at once hold up nobody else for longer than two of them.
 */
export class LoopTurns {
  /** Who waits, from `#next` on. */
  #waiting: (() => void)[] = [];
  #next = 0;
  #isScheduled = false;

  /** Resolves when it is the caller's turn: in one of the next turns of the event loop, never in this one. */
  next(): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
      this.#schedule();
    });
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      this.#callSome();
      if (this.#waiting.length > 0) this.#schedule();
    });
  }

  #callSome(): void {
    for (let called = 0; called < PER_TURN; called += 1) {
      this.#waiting[this.#next]?.();
      this.#next += 1;
    }
    if (this.#next < this.#waiting.length) return;
    this.#waiting = [];
    this.#next = 0;
  }
}
