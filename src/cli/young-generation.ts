import { getHeapSpaceStatistics, setFlagsFromString } from 'node:v8';

/** How large the young generation may become: two halves of 4 MiB, of which one is in use. */
export const YOUNG_BYTES = 8 * 1024 * 1024;

const PIECES = 20_000;
/** Far more rounds than it takes; where V8 counts in another way, it stays as it is. */
const MOST_ROUNDS = 100;

/**
 * Has V8 stop at a small young generation, instead of one as large as a burst of requests makes it (64 MiB and more, kept for
 * good). It has to be called before anything large is loaded. V8 has no setting for that once it runs, but it grows the young
 * generation by a factor that may be changed, so it is made to grow as far as wanted and no further (docs/adr/0022).
 */
export function keepYoungGenerationSmall(): void {
  for (let round = 0; round < MOST_ROUNDS && youngBytes() < YOUNG_BYTES; round += 1) churn();
  setFlagsFromString('--semi-space-growth-factor=1');
}

/** The bytes that V8 holds for young objects now. */
export function youngBytes(): number {
  const spaces = getHeapSpaceStatistics();
  return spaces.find(({ space_name: name }) => name === 'new_space')?.space_size ?? 0;
}

/** Makes objects that live long enough for V8 to want more room. */
function churn(): readonly object[] {
  return Array.from({ length: PIECES }, (_, index) => ({ index }));
}
