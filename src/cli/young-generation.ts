import { PerformanceObserver } from 'node:perf_hooks';
import { getHeapSpaceStatistics, setFlagsFromString } from 'node:v8';

/** How large the young generation may become: two halves of 4 MiB, of which one is in use. */
export const YOUNG_BYTES = 8 * 1024 * 1024;

/**
 * Has V8 stop at a small young generation, instead of one as large as a burst of requests makes it (64 MiB and more). V8 has no
 * setting for that once it runs, but it grows the young generation by a factor that may be changed. It also makes it smaller
 * while there is little to do, and would never grow it again by a factor of one; so the factor is chosen anew after each
 * collection (docs/adr/0022). It has to be called before anything large is loaded.
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
