import type { Digest } from '../oci/digest.ts';
import { matchesTag, parseTagPattern, type TagPattern } from './tag-pattern.ts';

/** What an operator wants never served, as written. */
export interface DenyEntries {
  /** Digests of manifests, indexes, configs or layers. */
  readonly digests: readonly Digest[];
  /** Tags or patterns for tags. */
  readonly tags: readonly string[];
  /** What one of these has signed, or published. */
  readonly signers: readonly string[];
  /** Keys whose signatures do not count. */
  readonly keys: readonly string[];
}

/** Nothing is denied. */
export const NOTHING_DENIED: DenyEntries = { digests: [], tags: [], signers: [], keys: [] };

/** Deny lists taken together, for quick questions. Nothing overrides it. */
export class DenyList {
  readonly signers: readonly string[];
  readonly keys: ReadonlySet<string>;
  readonly #digests: ReadonlySet<Digest>;
  readonly #tags: readonly TagPattern[];

  /** @throws {PolicyPatternError} `TAG_PATTERN_INVALID` */
  constructor(lists: readonly DenyEntries[]) {
    this.signers = [...new Set(lists.flatMap(({ signers }) => signers))];
    this.keys = new Set(lists.flatMap(({ keys }) => keys));
    this.#digests = new Set(lists.flatMap(({ digests }) => digests));
    this.#tags = lists.flatMap(({ tags }) => tags).map(parseTagPattern);
  }

  /** Whether content has to be looked at before it goes out. */
  get hasDigests(): boolean {
    return this.#digests.size > 0;
  }

  get isEmpty(): boolean {
    return this.#digests.size + this.#tags.length + this.signers.length + this.keys.size === 0;
  }

  /** The first of `digests` that is denied. */
  deniedDigest(digests: Iterable<Digest>): Digest | undefined {
    if (this.#digests.size === 0) return undefined;
    for (const digest of digests) if (this.#digests.has(digest)) return digest;
    return undefined;
  }

  /** The pattern by which a tag is denied. */
  deniedTag(tag: string): string | undefined {
    return this.#tags.find((pattern) => matchesTag(pattern, tag))?.text;
  }
}
