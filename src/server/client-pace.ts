import type { Clock, Timer } from '../base/clock.ts';

/** What a client took, in bytes, and in how long. */
export interface Took {
  readonly bytes: number;
  readonly ms: number;
}

/** Somebody who is being sent something. */
export interface Taker {
  /** Bytes that it has taken so far. */
  taken(): number;
  /** Whether bytes wait for it to take them. */
  isOwed(): boolean;
  /** Ends it, since it takes too little; given what it took, in bytes, and in how long. */
  cut(took: Took): void;
}

/** The pace that is demanded. */
export interface PaceLimits {
  /** Bytes a second, on average over `overMs`; 0: whatever it takes. */
  readonly minRate: number;
  readonly overMs: number;
}

interface Watched {
  sinceMs: number;
  taken: number;
}

/** Between two looks: often enough to see a pause as one. */
const LOOKS = 10;
const SHORTEST_MS = 1_000;

/**
 * Cuts those who take too little of what waits for them, so that nobody holds memory and places for as long as they like.
 * It looks now and then at everybody, which costs requests nothing. Who waits for us is given all the time it takes.
 */
export class ClientPace {
  readonly #clock: Clock;
  readonly #limits: PaceLimits;
  readonly #takers: () => Iterable<Taker>;
  #watched = new Map<Taker, Watched>();
  #timer: Timer | undefined;

  /** @param takers - everybody, each time as the same object */
  constructor(clock: Clock, limits: PaceLimits, takers: () => Iterable<Taker>) {
    this.#clock = clock;
    this.#limits = limits;
    this.#takers = takers;
  }

  start(): void {
    if (this.#limits.minRate > 0) this.#sleep();
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #sleep(): void {
    const pauseMs = Math.max(SHORTEST_MS, this.#limits.overMs / LOOKS);
    this.#timer = this.#clock.after(pauseMs, () => {
      this.#look();
      this.#sleep();
    });
  }

  #look(): void {
    const now = this.#clock.monotonicMs();
    const before = this.#watched;
    this.#watched = new Map();
    for (const taker of this.#takers()) {
      if (!taker.isOwed()) continue;
      const taken = taker.taken();
      const watched = before.get(taker) ?? { sinceMs: now, taken };
      if (!this.#judge(taker, watched, { now, taken })) this.#watched.set(taker, watched);
    }
  }

  /** @returns whether it was cut */
  #judge(
    taker: Taker,
    watched: Watched,
    { now, taken }: { readonly now: number; readonly taken: number },
  ): boolean {
    const ms = now - watched.sinceMs;
    if (ms < this.#limits.overMs) return false;
    const bytes = taken - watched.taken;
    if (bytes * 1_000 < this.#limits.minRate * ms) {
      taker.cut({ bytes, ms });
      return true;
    }
    watched.sinceMs = now;
    watched.taken = taken;
    return false;
  }
}
