import { LRUCache } from 'lru-cache';
import type { Clock } from '../base/clock.ts';
import type { Digest } from '../oci/digest.ts';

/** What went wrong with the content of a digest at one server. */
export type Setback =
  /** It was something else: the server is not asked for it. */
  | 'wrong'
  /** It broke off: the server is asked for it last. */
  | 'broken-off';

const MAX_SETBACKS = 10_000;
const REMEMBERED_MS = 60_000;

/** Remembers for a minute which servers gave no good content for a digest, so that the next attempt begins elsewhere. */
export class Setbacks {
  readonly #seen: LRUCache<string, Setback>;

  constructor(clock: Clock) {
    this.#seen = new LRUCache({
      max: MAX_SETBACKS,
      ttl: REMEMBERED_MS,
      ttlResolution: 0,
      // One is added because the cache takes a start of 0 for "no time limit".
      perf: { now: () => clock.monotonicMs() + 1 },
    });
  }

  note(server: string, digest: Digest, setback: Setback): void {
    this.#seen.set(`${digest} ${server}`, setback);
  }

  of(server: string, digest: Digest): Setback | undefined {
    return this.#seen.get(`${digest} ${server}`);
  }
}
