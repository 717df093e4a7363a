/** How much is done in one turn of the event loop, of what takes some milliseconds each. */
const PER_TURN = 2;

interface Waiter {
  readonly cost: number;
  readonly call: () => void;
}

/**
 * Spreads work that takes a while over turns of the event loop, in the order in which it was asked for. Whatever else the loop
 * has to do comes in between: hundreds who want something done at once hold up nobody else for longer than a turn's worth of it.
 */
export class LoopTurns {
  readonly #perTurn: number;
  #left: number;
  /** Who waits, from `#next` on. */
  #waiting: Waiter[] = [];
  #next = 0;
  #isScheduled = false;

  /** @param perTurn - how much is done in one turn; the last to begin in it may do more. Default 2, of what takes milliseconds */
  constructor(perTurn: number = PER_TURN) {
    this.#perTurn = perTurn;
    this.#left = perTurn;
  }

  /** Whether the caller may do so much now, as nobody waits and this turn has some left. */
  tryNow(cost: number): boolean {
    if (this.#left <= 0 || this.#waiting.length > 0) return false;
    this.#left -= cost;
    this.#schedule();
    return true;
  }

  /** Resolves when it is the caller's turn: in one of the next turns of the event loop, never in this one. */
  next(cost = 1): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.push({ cost, call: resolve });
      this.#schedule();
    });
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      this.#left = this.#perTurn;
      this.#callSome();
      // Once more even if nobody waits: the next turn has all of its own again.
      if (this.#left < this.#perTurn) this.#schedule();
    });
  }

  #callSome(): void {
    while (this.#left > 0) {
      const waiter = this.#waiting[this.#next];
      if (waiter === undefined) break;
      this.#next += 1;
      this.#left -= waiter.cost;
      waiter.call();
    }
    if (this.#next < this.#waiting.length) return;
    this.#waiting = [];
    this.#next = 0;
  }
}
