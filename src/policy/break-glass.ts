import type { Digest } from '../oci/digest.ts';
import { type Repository, repositoryName, type Tag } from '../oci/names.ts';

/** An exception for one exact image, until it ends by itself. */
export interface BreakGlassEntry {
  /** As written: `registry.example.com/team/app:1.0`. */
  readonly image: string;
  readonly repository: Repository;
  /** The tag it is for; absent: for the digest alone. */
  readonly tag?: Tag;
  /** What is served; nothing else ever is. */
  readonly digest: Digest;
  /** Who has approved it. */
  readonly approvedBy: string;
  readonly reason: string;
  /** When it ends, milliseconds since the epoch. */
  readonly until: number;
}

/** The exceptions of one configuration. Time is an argument: each ends when it ends, without anybody's doing. */
export class BreakGlass {
  readonly #byRepository = new Map<string, BreakGlassEntry[]>();

  constructor(entries: readonly BreakGlassEntry[]) {
    for (const entry of entries) {
      const name = repositoryName(entry.repository);
      const known = this.#byRepository.get(name);
      if (known === undefined) this.#byRepository.set(name, [entry]);
      else known.push(entry);
    }
  }

  /** Whether there are none, ended or not. */
  get isEmpty(): boolean {
    return this.#byRepository.size === 0;
  }

  /** Those that are in force at `now`, the one that ends first coming first. */
  active(now: number): readonly BreakGlassEntry[] {
    return [...this.#byRepository.values()]
      .flat()
      .filter((entry) => entry.until > now)
      .sort((a, b) => a.until - b.until);
  }

  /** Those of a repository that are in force at `now`. */
  of(repository: Repository, now: number): readonly BreakGlassEntry[] {
    const entries = this.#byRepository.get(repositoryName(repository)) ?? [];
    return entries.filter((entry) => entry.until > now);
  }
}
