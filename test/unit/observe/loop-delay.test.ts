import assert from 'node:assert/strict';
import { it } from 'node:test';
import { type IntervalHistogram, LoopDelay } from '../../../src/observe/loop-delay.ts';

/** Intervals in milliseconds, the shortest first. */
function intervals(): IntervalHistogram & { seen: number[] } {
  return {
    seen: [],
    get count() {
      return this.seen.length;
    },
    get max() {
      return (this.seen.at(-1) ?? 0) * 1e6;
    },
    percentile(percentile) {
      const at = Math.ceil((percentile / 100) * this.seen.length) - 1;
      return (this.seen[at] ?? 0) * 1e6;
    },
    reset() {
      this.seen = [];
    },
  };
}

it('tells what an interval is longer than the time between two looks', () => {
  const watched = intervals();
  const delay = new LoopDelay(watched);
  assert.equal(delay.take(), undefined);
  watched.seen = [4.9, 5, 25];
  assert.deepEqual(delay.take(), { p50: 0, p99: 0.02, max: 0.02 });
  assert.equal(delay.take(), undefined, 'each is told once');
  watched.seen = [4, 4.5];
  assert.deepEqual(delay.take(), { p50: 0, p99: 0, max: 0 }, 'never less than nothing');
});
