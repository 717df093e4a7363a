import type { Clock } from './clock.ts';

/** How many may wait, and for how long. */
export interface WaitingLimits {
  readonly most: number;
  readonly waitMs: number;
}

/** The limits of a line as the configuration says them. */
export function waitingLimits(line: {
  readonly queue: number;
  readonly queueTimeoutMs: number;
}): WaitingLimits {
  return { most: line.queue, waitMs: line.queueTimeoutMs };
}

/** How a wait ended: it was somebody's turn, or the line was full, or its turn did not come in time. */
export type WaitEnd = 'called' | 'full' | 'late';

interface Waiting<Wish> {
  readonly wish: Wish;
  readonly end: (outcome: 'called' | 'late') => void;
}

/** Those who wait until there is room for them, in the order in which they came; bounded in number and in time. */
export class WaitingLine<Wish> {
  readonly #clock: Clock;
  readonly #waiting = new Set<Waiting<Wish>>();
  limits: WaitingLimits;

  constructor(clock: Clock, limits: WaitingLimits) {
    this.#clock = clock;
    this.limits = limits;
  }

  get length(): number {
    return this.#waiting.size;
  }

  /**
   * Waits to be called. Whoever is called has what it asked for, even if it has gone meanwhile: it has to give it back.
   *
   * @throws the signal's reason, if that fires first
   */
  async wait(wish: Wish, signal?: AbortSignal): Promise<WaitEnd> {
    signal?.throwIfAborted();
    if (this.#waiting.size >= this.limits.most) return 'full';
    const { promise, resolve, reject } = Promise.withResolvers<WaitEnd>();
    const waiting: Waiting<Wish> = { wish, end: resolve };
    this.#waiting.add(waiting);
    const onAbort = (): void => {
      if (this.#waiting.delete(waiting)) reject(signal?.reason);
    };
    const timer = this.#clock.after(this.limits.waitMs, () => {
      if (this.#waiting.delete(waiting)) resolve('late');
    });
    signal?.addEventListener('abort', onAbort, { once: true });
    try {
      return await promise;
    } finally {
      timer.cancel();
      signal?.removeEventListener('abort', onAbort);
    }
  }

  /** Calls, in order, those for whom `admit` finds room; it is asked about each that waits. */
  call(admit: (wish: Wish) => boolean): void {
    for (const waiting of this.#waiting) {
      if (!admit(waiting.wish)) continue;
      this.#waiting.delete(waiting);
      waiting.end('called');
    }
  }

  /** Calls the first in the line; does nothing when there is none. */
  callFirst(): void {
    for (const waiting of this.#waiting) {
      this.#waiting.delete(waiting);
      waiting.end('called');
      return;
    }
  }
}
