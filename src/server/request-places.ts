import type { Clock } from '../base/clock.ts';
import { type WaitEnd, WaitingLine, waitingLimits } from '../base/waiting-line.ts';

/** How many requests are answered at once, and how many wait for how long where they may. */
export interface RequestLimits {
  readonly requests: number;
  /** Requests that wait in each of the two lines. */
  readonly queue: number;
  readonly queueTimeoutMs: number;
}

/** Why a request has to be turned away: all places are taken, and it may not wait, or not any longer. */
export type NoPlace = Exclude<WaitEnd, 'called'>;

/**
 * The places of requests under way, of all registry listeners of a process together. Where requests may wait, pulls that
 * have begun go before new ones: a pull that fails half-way makes some engines ask elsewhere, and one that has not begun can
 * be stopped.
 */
export class RequestPlaces {
  readonly #begun: WaitingLine<undefined>;
  readonly #fresh: WaitingLine<undefined>;
  #most: number;
  #taken = 0;
  #turnedAway = 0;

  constructor(clock: Clock, limits: RequestLimits) {
    this.#most = limits.requests;
    this.#begun = new WaitingLine(clock, waitingLimits(limits));
    this.#fresh = new WaitingLine(clock, waitingLimits(limits));
  }

  /** The most at once. */
  get most(): number {
    return this.#most;
  }

  get taken(): number {
    return this.#taken;
  }

  get waiting(): number {
    return this.#begun.length + this.#fresh.length;
  }

  /** Requests that got no place, since the start. */
  get turnedAway(): number {
    return this.#turnedAway;
  }

  /** Takes other limits; those who wait go on as they began, and places are taken up at once. */
  configure(limits: RequestLimits): void {
    this.#most = limits.requests;
    this.#begun.limits = waitingLimits(limits);
    this.#fresh.limits = waitingLimits(limits);
    this.#callNext();
  }

  /** Takes a place if there is one; it has to be given back by `leave`. Those who wait have it first. */
  tryEnter(): boolean {
    if (this.#taken >= this.#most) return false;
    this.#taken += 1;
    return true;
  }

  /**
   * Waits for a place; after `called`, it has to be given back by `leave`.
   *
   * @param hasBegun - whether the request is part of a pull whose tag has been answered
   * @throws the signal's reason
   */
  async wait(hasBegun: boolean, signal: AbortSignal): Promise<WaitEnd> {
    const line = hasBegun ? this.#begun : this.#fresh;
    return await line.wait(undefined, signal);
  }

  /** Gives a place back: to the next who waits, if there is one. */
  leave(): void {
    this.#taken -= 1;
    if (this.waiting > 0) this.#callNext();
  }

  /** Notes that a request got no place. */
  countTurnedAway(): void {
    this.#turnedAway += 1;
  }

  #callNext(): void {
    while (this.#taken < this.#most && this.waiting > 0) {
      this.#taken += 1;
      const line = this.#begun.length > 0 ? this.#begun : this.#fresh;
      line.callFirst();
    }
  }
}
