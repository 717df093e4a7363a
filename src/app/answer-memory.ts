import type { Pin } from '../metadata/collection.ts';
import type { ServedManifest } from '../resolve/pull-service.ts';
import type { AnswerCache } from '../resolve/verified-pulls.ts';

/** Counts how often verified answers were at hand; plain numbers, since it stands on the hot path. */
export class AnswerMemory implements AnswerCache {
  readonly #cache: AnswerCache;
  #hits = 0;
  #misses = 0;

  constructor(cache: AnswerCache) {
    this.#cache = cache;
  }

  /** Answers that were at hand. */
  get hits(): number {
    return this.#hits;
  }

  /** Answers that had to be made. */
  get misses(): number {
    return this.#misses;
  }

  get(pin: Pin): ServedManifest | undefined {
    const answer = this.#cache.get(pin);
    if (answer !== undefined) this.#hits += 1;
    return answer;
  }

  set(pin: Pin, answer: ServedManifest): void {
    this.#misses += 1;
    this.#cache.set(pin, answer);
  }
}
