import type { Pin } from '../metadata/collection.ts';
import type { ServedManifest } from '../resolve/pull-service.ts';
import type { AnswerCache } from '../resolve/verified-pulls.ts';

/** How often verified answers were at hand; plain numbers, since they stand on the hot path. */
export class AnswerCounts {
  /** Answers that were at hand. */
  hits = 0;
  /** Answers that had to be made. */
  misses = 0;
}

/** Verified answers of one configuration, counted together with those of the ones before it. */
export class AnswerMemory implements AnswerCache {
  readonly #cache: AnswerCache;
  readonly #counts: AnswerCounts;

  constructor(cache: AnswerCache, counts: AnswerCounts) {
    this.#cache = cache;
    this.#counts = counts;
  }

  get(pin: Pin): ServedManifest | undefined {
    const answer = this.#cache.get(pin);
    if (answer !== undefined) this.#counts.hits += 1;
    return answer;
  }

  has(pin: Pin): boolean {
    return this.#cache.has(pin);
  }

  set(pin: Pin, answer: ServedManifest): void {
    this.#counts.misses += 1;
    this.#cache.set(pin, answer);
  }
}
