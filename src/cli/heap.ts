import { PerformanceObserver } from 'node:perf_hooks';
import { getHeapSpaceStatistics, setFlagsFromString } from 'node:v8';

/** How large the young generation may become: two halves of 4 MiB, of which one is in use. */
export const YOUNG_BYTES = 8 * 1024 * 1024;
/** By how much old objects may grow before they are collected, in per cent of those that were alive at the last collection. */
const GROWTH_PERCENT = 50;

/** Has V8 hold less memory than it would. It has to be called before anything large is loaded. */
export function keepHeapSmall(): void {
  keepYoungGenerationSmall();
  keepOldGenerationSmall();
}

/**
 * Has V8 stop at a small young generation, instead of one as large as a burst of requests makes it (64 MiB and more). V8 has no
 * setting for that once it runs, but it grows the young generation by a factor that may be changed. It also makes it smaller
 * while there is little to do, and would never grow it again by a factor of one; so the factor is chosen anew after each
 * collection (docs/adr/0022).
 */
export function keepYoungGenerationSmall(): void {
  let factor = 1;
  setGrowth(factor);
  const collections = new PerformanceObserver(() => {
    const wanted = youngBytes() < YOUNG_BYTES ? 2 : 1;
    if (wanted !== factor) setGrowth(wanted);
    factor = wanted;
  });
  collections.observe({ entryTypes: ['gc'] });
}

/** The bytes that V8 holds for young objects now. */
export function youngBytes(): number {
  const spaces = getHeapSpaceStatistics();
  return spaces.find(({ space_name: name }) => name === 'new_space')?.space_size ?? 0;
}

function setGrowth(factor: number): void {
  setFlagsFromString(`--semi-space-growth-factor=${factor}`);
}

/**
 * Has V8 collect old objects when half as many again have come, instead of when there are two to four times as many: garbage
 * that nobody reads would be most of what Pinnace holds (docs/adr/0025). V8 looks the figure up at each collection, so it may be set
 * while it runs; where it is not heeded things are as they were.
 */
export function keepOldGenerationSmall(): void {
  setFlagsFromString(`--heap-growing-percent=${GROWTH_PERCENT}`);
}
