import type { Clock, Timer } from '../../src/base/clock.ts';

interface Scheduled {
  readonly dueMs: number;
  readonly action: () => void;
}

/** A clock that stands still until a test moves it. */
export class FakeClock implements Clock {
  #wallMs: number;
  #monotonicMs = 0;
  readonly #timers = new Set<Scheduled>();

  constructor(at: Date | string = '2026-11-23T00:00:00Z') {
    this.#wallMs = new Date(at).getTime();
  }

  now(): number {
    return this.#wallMs;
  }

  monotonicMs(): number {
    return this.#monotonicMs;
  }

  after(delayMs: number, action: () => void): Timer {
    const scheduled: Scheduled = { dueMs: this.#monotonicMs + delayMs, action };
    this.#timers.add(scheduled);
    return { cancel: () => this.#timers.delete(scheduled) };
  }

  /** Timers that have neither run out nor been cancelled. */
  get pendingTimers(): number {
    return this.#timers.size;
  }

  /** Moves wall time and monotonic time forward together and runs the timers that fall due, in order. */
  advance(durationMs: number): void {
    const end = this.#monotonicMs + durationMs;
    for (;;) {
      const next = [...this.#timers]
        .filter((timer) => timer.dueMs <= end)
        .sort((a, b) => a.dueMs - b.dueMs)[0];
      if (next === undefined) break;
      this.#timers.delete(next);
      this.#step(next.dueMs - this.#monotonicMs);
      next.action();
    }
    this.#step(end - this.#monotonicMs);
  }

  /** Sets the wall clock alone, as an administrator or a broken battery would. */
  setWallTime(at: Date | string): void {
    this.#wallMs = new Date(at).getTime();
  }

  #step(durationMs: number): void {
    this.#monotonicMs += durationMs;
    this.#wallMs += durationMs;
  }
}
