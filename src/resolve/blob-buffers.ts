import { LoopTurns } from '../base/loop-turns.ts';
import type { ByteBudget } from './byte-budget.ts';

const LARGE_BYTES = 512 * 1024;
const SMALL_BYTES = 64 * 1024;
const TINY_BYTES = 16 * 1024;
/** A few of each at hand are enough; the rest goes back to the system after a burst. */
const MOST_FREE = 16;
/** Bytes handed to the system in one turn of the event loop, which takes it a millisecond or less. */
const SENT_PER_TURN = 2 * 1024 * 1024;

/**
 * Lends reusable buffers for sending, within the memory that there is for content on its way: large ones as long as less than a
 * quarter of it is in use, small ones up to three quarters, and tiny ones beyond.
 */
export class BufferPool {
  /** When bytes are handed over: many who get room for some at once hold up nobody else. */
  readonly turns = new LoopTurns(SENT_PER_TURN);
  readonly #budget: ByteBudget;
  readonly #free = new Map<number, Uint8Array[]>([
    [LARGE_BYTES, []],
    [SMALL_BYTES, []],
    [TINY_BYTES, []],
  ]);

  constructor(budget: ByteBudget) {
    this.#budget = budget;
  }

  /** Lends a buffer, no larger than useful for `bytes` still to be sent. Give it back, or tell that it is lost. */
  lend(bytes: number): Uint8Array {
    const size = this.#sizeFor(bytes);
    this.#budget.take(size);
    return this.#buffer(size);
  }

  /**
   * Lends a buffer for what has not begun to be sent, when it is its turn.
   *
   * @throws {PullError} `overloaded`
   * @throws the signal's reason
   */
  async lendInTurn(bytes: number, signal: AbortSignal | undefined): Promise<Uint8Array> {
    const size = this.#sizeFor(bytes);
    await this.#budget.takeInTurn(size, signal);
    return this.#buffer(size);
  }

  /** Whether a buffer is larger than it should be now that many want one. */
  isTooLarge(buffer: Uint8Array): boolean {
    return buffer.length > TINY_BYTES && this.#budget.isTight;
  }

  /** Takes a buffer back that nobody reads any more. */
  giveBack(buffer: Uint8Array): void {
    const free = this.#free.get(buffer.length);
    if (free !== undefined && free.length < MOST_FREE) free.push(buffer);
    this.lost(buffer);
  }

  /** A lent buffer that somebody may still read, and that must never be lent again. */
  lost(buffer: Uint8Array): void {
    this.#budget.giveBack(buffer.length);
  }

  /** Notes that a sink holds bytes that are not lent, until `taken` is called for them. */
  held(bytes: number): void {
    this.#budget.take(bytes);
  }

  /** Notes that the sink has taken what it held. */
  taken(bytes: number): void {
    this.#budget.giveBack(bytes);
  }

  #sizeFor(bytes: number): number {
    if (bytes > SMALL_BYTES && this.#budget.fits(LARGE_BYTES, 1 / 4)) return LARGE_BYTES;
    if (bytes > TINY_BYTES && this.#budget.fits(SMALL_BYTES, 3 / 4)) return SMALL_BYTES;
    return TINY_BYTES;
  }

  #buffer(size: number): Uint8Array {
    return this.#free.get(size)?.pop() ?? Buffer.allocUnsafeSlow(size);
  }
}
