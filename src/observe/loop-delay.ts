import { monitorEventLoopDelay } from 'node:perf_hooks';

/** The part of Node's histogram that is read, in nanoseconds. */
export interface IntervalHistogram {
  readonly count: number;
  readonly max: number;
  percentile(percentile: number): number;
  reset(): void;
}

/** For how long the event loop was held, in seconds. */
export interface LoopDelays {
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

/** How often is looked, in milliseconds: half of what the loop may be held, so that such a hold is not missed. */
const RESOLUTION_MS = 5;
const NANOSECONDS = 1e9;

/**
 * Watches for how long the event loop is held. A timer fires every 5 ms, and what Node counts is the time from one to the
 * next: what is more than that is delay. A hold shows by up to 5 ms too short, never too long.
 */
export class LoopDelay {
  readonly #intervals: IntervalHistogram;
  readonly #stop: () => void;

  /** @param intervals - default: those of this process */
  constructor(intervals?: IntervalHistogram) {
    if (intervals !== undefined) {
      this.#intervals = intervals;
      this.#stop = () => undefined;
      return;
    }
    const watched = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
    watched.enable();
    this.#intervals = watched;
    this.#stop = () => void watched.disable();
  }

  /** The delays since the last call; undefined when nothing was seen. */
  take(): LoopDelays | undefined {
    const { count, max } = this.#intervals;
    const [p50, p99] = [this.#intervals.percentile(50), this.#intervals.percentile(99)];
    this.#intervals.reset();
    if (count === 0) return undefined;
    return { p50: delayOf(p50), p99: delayOf(p99), max: delayOf(max) };
  }

  /** Stops watching. */
  stop(): void {
    this.#stop();
  }
}

function delayOf(nanoseconds: number): number {
  return Math.max(0, nanoseconds / NANOSECONDS - RESOLUTION_MS / 1000);
}
