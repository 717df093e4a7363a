import type { Clock } from '../base/clock.ts';
import { type WaitingLimits, WaitingLine } from '../base/waiting-line.ts';
import { PullError } from './errors.ts';

/** How much memory content on its way may take, and how many wait for how long for some. */
export interface ByteLimits {
  readonly bufferedBytes: number;
  readonly waiting: WaitingLimits;
}

/** The share of the memory from which on it is used sparingly. */
const TIGHT = 0.75;

/** The memory that content on its way may take, of all clients and downloads together. */
export class ByteBudget {
  readonly #line: WaitingLine<number>;
  #most: number;
  #taken = 0;
  #turnedAway = 0;

  constructor(clock: Clock, limits: ByteLimits) {
    this.#most = limits.bufferedBytes;
    this.#line = new WaitingLine(clock, limits.waiting);
  }

  /** The most at once, in bytes. */
  get most(): number {
    return this.#most;
  }

  /** Bytes in use. */
  get taken(): number {
    return this.#taken;
  }

  get waiting(): number {
    return this.#line.length;
  }

  /** Blobs for which no memory came free in time, since the start. */
  get turnedAway(): number {
    return this.#turnedAway;
  }

  /** Whether most of it is in use, so that whoever has much should have less. */
  get isTight(): boolean {
    return this.#taken > this.#most * TIGHT;
  }

  /** Takes other limits; what is in use stays so. */
  configure(limits: ByteLimits): void {
    this.#most = limits.bufferedBytes;
    this.#line.limits = limits.waiting;
    this.#call();
  }

  /** Whether so many bytes more would take no more than a share of the whole. */
  fits(bytes: number, share: number): boolean {
    return this.#taken + bytes <= this.#most * share;
  }

  /** Takes bytes whether there are some or not: for what goes on, and would hold others up if it waited. */
  take(bytes: number): void {
    this.#taken += bytes;
  }

  /**
   * Takes bytes for what has not begun, at once or when it is its turn.
   *
   * @throws {PullError} `overloaded` when too many wait, or for too long
   * @throws the signal's reason
   */
  async takeInTurn(bytes: number, signal: AbortSignal | undefined): Promise<void> {
    if (this.#line.length === 0 && this.#hasRoomFor(bytes)) {
      this.#taken += bytes;
      return;
    }
    if ((await this.#line.wait(bytes, signal)) === 'called') return;
    this.#turnedAway += 1;
    throw new PullError('overloaded', 'no memory came free for content on its way', {
      detail: { limit: 'bufferedBytes', most: this.#most },
    });
  }

  giveBack(bytes: number): void {
    this.#taken -= bytes;
    if (this.#line.length > 0) this.#call();
  }

  /** One that needs more than all there is may have it while nobody else has memory. */
  #hasRoomFor(bytes: number): boolean {
    return this.#taken === 0 || this.#taken + bytes <= this.#most;
  }

  #call(): void {
    let isOpen = true;
    // In order, and nobody past one who has to wait for more: the one in front would wait for ever.
    this.#line.call((bytes) => {
      isOpen &&= this.#hasRoomFor(bytes);
      if (isOpen) this.#taken += bytes;
      return isOpen;
    });
  }
}
