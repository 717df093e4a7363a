import type { Clock } from '../base/clock.ts';
import { type WaitEnd, WaitingLine, waitingLimits } from '../base/waiting-line.ts';

/** How many connections are open at once, and how many wait for how long where they may. */
export interface ConnectionLimits {
  readonly connections: number;
  readonly queue: number;
  readonly queueTimeoutMs: number;
}

/** Connections above the limit that are kept for as long as it takes to tell them so. */
const MOST_SURPLUS = 128;

/** The places of connections, of all registry listeners of a process together. */
export class ConnectionPlaces {
  readonly #line: WaitingLine<undefined>;
  #most: number;
  #taken = 0;
  #surplus = 0;
  #turnedAway = 0;

  constructor(clock: Clock, limits: ConnectionLimits) {
    this.#most = limits.connections;
    this.#line = new WaitingLine(clock, waitingLimits(limits));
  }

  get most(): number {
    return this.#most;
  }

  get taken(): number {
    return this.#taken;
  }

  get waiting(): number {
    return this.#line.length;
  }

  /** Connections that were closed for want of a place, since the start. */
  get turnedAway(): number {
    return this.#turnedAway;
  }

  /** Takes other limits; connections that stand stay, and those who wait go on as they began. */
  configure(limits: ConnectionLimits): void {
    this.#most = limits.connections;
    this.#line.limits = waitingLimits(limits);
    this.#callNext();
  }

  /** Takes a place if there is one; it has to be given back by `leave`. */
  tryEnter(): boolean {
    if (this.#taken >= this.#most) return false;
    this.#taken += 1;
    return true;
  }

  /** Waits for a place; after `called`, it has to be given back by `leave`. @throws the signal's reason */
  async wait(signal: AbortSignal): Promise<WaitEnd> {
    return await this.#line.wait(undefined, signal);
  }

  leave(): void {
    this.#taken -= 1;
    this.#callNext();
  }

  /** Turns a connection away: true if it may be told so first, and then calls `leaveSurplus`. */
  turnAway(): boolean {
    this.#turnedAway += 1;
    if (this.#surplus >= MOST_SURPLUS) return false;
    this.#surplus += 1;
    return true;
  }

  leaveSurplus(): void {
    this.#surplus -= 1;
  }

  #callNext(): void {
    while (this.#line.length > 0 && this.tryEnter()) this.#line.callFirst();
  }
}
