/** What many latencies come to, in milliseconds. */
export interface LatencySummary {
  readonly count: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
}

/** Each bucket ends 2 % above the one before: that is how exact a percentile is. */
const FACTOR = 1.02;
const LEAST_MS = 0.01;
const BUCKETS = 1_000;

/** Counts latencies in a bounded space, however many there are. */
export class Latencies {
  readonly #counts = new Uint32Array(BUCKETS);
  #count = 0;
  #maxMs = 0;

  add(ms: number): void {
    const index = Math.ceil(Math.log(Math.max(ms, LEAST_MS) / LEAST_MS) / Math.log(FACTOR));
    const bucket = Math.min(BUCKETS - 1, index);
    this.#counts[bucket] = (this.#counts[bucket] ?? 0) + 1;
    this.#count += 1;
    this.#maxMs = Math.max(this.#maxMs, ms);
  }

  /** What was counted so far; all zeros when nothing was. */
  get summary(): LatencySummary {
    return {
      count: this.#count,
      p50Ms: this.#at(0.5),
      p99Ms: this.#at(0.99),
      maxMs: this.#maxMs,
    };
  }

  #at(share: number): number {
    let left = Math.ceil(share * this.#count);
    if (left === 0) return 0;
    for (const [bucket, count] of this.#counts.entries()) {
      left -= count;
      if (left <= 0) return Math.min(LEAST_MS * FACTOR ** bucket, this.#maxMs);
    }
    return this.#maxMs;
  }
}
