/** A running timer that can be stopped. */
export interface Timer {
  cancel(): void;
}

/**
 * Where time comes from. Everything that decides by time or waits takes a `Clock`; the tests pass one they move by hand.
 */
export interface Clock {
  /** Wall-clock time in milliseconds since the Unix epoch, for comparison with signed expiry times. */
  now(): number;
  /** A time in milliseconds that never goes back, for measuring durations and ages. */
  monotonicMs(): number;
  /** Calls `action` once after `delayMs` milliseconds; the timer alone does not keep the process alive. */
  after(delayMs: number, action: () => void): Timer;
}

/** The machine's clock. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonicMs: () => performance.now(),
  after(delayMs, action) {
    const timer = setTimeout(action, delayMs);
    timer.unref();
    return { cancel: () => clearTimeout(timer) };
  },
};
