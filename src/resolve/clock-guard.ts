import type { Clock } from '../base/clock.ts';
import { PullError } from './errors.ts';
import type { ClockWitness } from './ports.ts';

/** Where the newest time ever seen is kept. */
export interface TimeRecord {
  newestTimeSeen(): Promise<number>;
  noteTime(now: number): Promise<void>;
  /** How often an operator has lowered the newest time. */
  timeResets(): Promise<number>;
}

/** How far the clock may step back without meaning; time services correct a clock by less. Milliseconds. */
const TOLERANCE_MS = 60_000;
const NOTE_EVERY_MS = 60_000;

/** Whether a clock can be relied on that shows `now` after `newest` was seen. */
export function isClockTrue(now: number, newest: number): boolean {
  return now + TOLERANCE_MS >= newest;
}

/**
 * Notices a clock that went back: expired metadata would otherwise come back to life.
 *
 * @source TUF 1.0.34 §5.1 (fixed update start time) assumes a clock that can be relied on
 */
export class ClockGuard {
  readonly #clock: Clock;
  readonly #record: TimeRecord;
  #newest = 0;
  #notedAt = 0;
  #resets = 0;

  constructor(clock: Clock, record: TimeRecord) {
    this.#clock = clock;
    this.#record = record;
  }

  /** Reads what is on record. @throws {StateError} `state_unreadable` */
  async start(): Promise<void> {
    this.#resets = await this.#record.timeResets();
    this.#newest = await this.#record.newestTimeSeen();
    this.#note(this.#clock.now());
  }

  /** What has been seen of the clock so far. */
  get witness(): ClockWitness {
    return { newest: this.#newest, resets: this.#resets };
  }

  /** Whether the clock can be relied on now; cheap, for the hot path. */
  isTrue(): boolean {
    const now = this.#clock.now();
    if (!isClockTrue(now, this.#newest)) return false;
    this.#note(now);
    return true;
  }

  /**
   * Requires a clock that can be relied on. Looks at the record before it refuses: an operator may have lowered the newest
   * time by another process.
   *
   * @throws {PullError} `clock_went_back`
   * @throws {StateError} `state_unreadable`
   */
  async require(): Promise<void> {
    if (this.isTrue()) return;
    if ((await this.#adoptReset()) && this.isTrue()) return;
    throw new PullError('clock_went_back', 'the clock shows an earlier time than it did before', {
      detail: {
        now: new Date(this.#clock.now()).toISOString(),
        newestSeen: new Date(this.#newest).toISOString(),
      },
    });
  }

  /** @returns whether there was a reset since the last look */
  async #adoptReset(): Promise<boolean> {
    const resets = await this.#record.timeResets();
    if (resets === this.#resets) return false;
    this.#newest = await this.#record.newestTimeSeen();
    this.#notedAt = 0;
    this.#resets = resets;
    return true;
  }

  #note(now: number): void {
    if (now > this.#newest) this.#newest = now;
    if (now - this.#notedAt < NOTE_EVERY_MS) return;
    this.#notedAt = now;
    // A failure shows at the next read of the state, which fails closed.
    this.#record.noteTime(now).catch(() => undefined);
  }
}
