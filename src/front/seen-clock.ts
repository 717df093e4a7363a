import { isClockTrue } from '../resolve/clock-guard.ts';
import type { ClockWitness } from '../resolve/ports.ts';

/** What a front knows of the clock: its own looks at it, and those of the core. */
export class SeenClock {
  #newest = 0;
  #resets = 0;

  /** Whether the clock can be relied on that shows this, in milliseconds since the epoch; remembers it if so. */
  isTrue(now: number): boolean {
    if (!isClockTrue(now, this.#newest)) return false;
    if (now > this.#newest) this.#newest = now;
    return true;
  }

  /** The core may have seen a later time, or have been told that the latest one was wrong. */
  look({ newest, resets }: ClockWitness): void {
    this.#newest = this.#resets === resets ? Math.max(newest, this.#newest) : newest;
    this.#resets = resets;
  }
}
