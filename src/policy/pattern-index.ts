import type { Repository } from '../oci/names.ts';
import { matchesName, type NamePattern } from './name-pattern.ts';
import { compareSpecificity } from './specificity.ts';

/** Anything that applies to the repositories its pattern covers: a policy rule, a trust anchor. */
export interface Patterned {
  readonly pattern: NamePattern;
}

/** Finds, among entries with patterns, the one whose pattern covers a repository most specifically. */
export class PatternIndex<Entry extends Patterned> {
  /** Most specific first, so that the first match is the answer. */
  readonly #entries: readonly Entry[];

  constructor(entries: readonly Entry[]) {
    this.#entries = [...entries].sort((a, b) => compareSpecificity(a.pattern, b.pattern));
  }

  /** The entry that applies to `repository`, or undefined when none covers it; of equal patterns, the one given first. */
  find(repository: Repository): Entry | undefined {
    return this.#entries.find((entry) => matchesName(entry.pattern, repository));
  }
}

/** The most specific of `entries` that covers `repository`; for repeated questions build a `PatternIndex` once. */
export function mostSpecific<Entry extends Patterned>(
  entries: readonly Entry[],
  repository: Repository,
): Entry | undefined {
  return new PatternIndex(entries).find(repository);
}
