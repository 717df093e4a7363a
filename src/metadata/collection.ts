import type { Clock } from '../base/clock.ts';
import type { FoundTarget, Search, TargetConvention } from '../trust/tag-search.ts';
import { requireFresh } from '../trust/trusted-root.ts';
import type { TrustedSet } from '../trust/trusted-set.ts';
import type { AcceptedState } from './accepted-state.ts';
import type { CollectionKey } from './ports.ts';
import type { Answer, TrustedMetadata } from './trusted-metadata.ts';

/** What a collection is made of. */
export interface CollectionOptions {
  readonly key: CollectionKey;
  /** How targets stand for the tags of this repository. */
  readonly convention: TargetConvention;
  /** Its own, or shared with the other repositories of the source. */
  readonly metadata: TrustedMetadata;
  readonly clock: Clock;
}

/** A tag's verified meaning and how long it may be used. */
export interface Pin extends FoundTarget {
  /** Milliseconds since the epoch: the earliest signed expiry the answer rests on. */
  readonly freshUntil: number;
}

/** A tag with a digest, and until when it may be said to have it (milliseconds since the epoch, or without end). */
interface TagOfDigest {
  readonly tag: string;
  readonly until: number;
}

/** What a trust source says of the tags of one repository. */
export class Collection {
  readonly key: CollectionKey;
  /** Where the answers are drawn from. */
  readonly metadata: TrustedMetadata;
  readonly #convention: TargetConvention;
  readonly #clock: Clock;
  readonly #pins = new WeakMap<TrustedSet, Map<string, Pin>>();
  readonly #tagIndexes = new WeakMap<TrustedSet, Map<string, ReadonlyMap<string, TagOfDigest>>>();

  constructor({ key, convention, metadata, clock }: CollectionOptions) {
    this.key = key;
    this.metadata = metadata;
    this.#convention = convention;
    this.#clock = clock;
  }

  /** What is trusted now, for status pages; undefined before anything was. */
  get state(): AcceptedState | undefined {
    return this.metadata.state;
  }

  /** The last refresh's error if it failed. */
  get failure(): unknown {
    return this.metadata.failure;
  }

  /** How long an answer may be used without asking again, in milliseconds. */
  get maxAgeMs(): number {
    return this.metadata.maxAgeMs;
  }

  /** How much longer while the trust server cannot be asked, in milliseconds. */
  get outageGraceMs(): number {
    return this.metadata.outageGraceMs;
  }

  /** The pin of a tag if it is known, fresh and in force; no waiting, no network. For the hot path. */
  pinNow(tag: string, signers: readonly string[]): Pin | undefined {
    const set = this.metadata.setNow();
    const pin = set && this.#pins.get(set)?.get(pinKey(tag, signers));
    return pin !== undefined && pin.freshUntil > this.#clock.now() ? pin : undefined;
  }

  /**
   * What a tag means, verified and fresh.
   *
   * @throws {TrustError} proved bad, or not signed
   * @throws {TrustServerError} could not find out, and no earlier answer may stand in
   * @throws {StateError} `state_unreadable`
   */
  async pin(tag: string, signers: readonly string[], signal?: AbortSignal): Promise<Answer<Pin>> {
    return await this.metadata.answer(
      signal,
      async (set) => await this.#findPin(set, tag, signers),
    );
  }

  /** The tags that `pin` would answer; throws as `pin` does. */
  async tags(signers: readonly string[], signal?: AbortSignal): Promise<Answer<readonly string[]>> {
    return await this.draw(() => this.#listInForce(signers), signal);
  }

  /** Draws the result of any search from fresh metadata; throws as `pin` does, and what the search throws. */
  async draw<Result>(search: () => Search<Result>, signal?: AbortSignal): Promise<Answer<Result>> {
    return await this.metadata.answer(signal, async (set) => {
      const visited = new Set<string>();
      const result = await this.metadata.search(set, search(), visited);
      set.requireFreshAt(this.#clock.now(), visited);
      return result;
    });
  }

  /** A tag that is signed with this SHA-256 (lower-case hex), or undefined when there is none; throws as `pin` does. */
  async tagOf(
    sha256: string,
    signers: readonly string[],
    signal?: AbortSignal,
  ): Promise<string | undefined> {
    const { value } = await this.metadata.answer(signal, async (set) => {
      const index =
        this.#tagIndexes.get(set) ?? new Map<string, ReadonlyMap<string, TagOfDigest>>();
      this.#tagIndexes.set(set, index);
      const key = pinKey('', signers);
      const known = index.get(key) ?? (await this.#indexTags(set, signers));
      index.set(key, known);
      const found = known.get(sha256);
      return found !== undefined && found.until > this.#clock.now() ? found.tag : undefined;
    });
    return value;
  }

  /** The tag that a target of the metadata stands for in this repository; undefined for what belongs to another one. */
  tagNamed(target: string): string | undefined {
    return this.#convention.tagNamed(target);
  }

  /** The pin last given for a tag, however old; for explanations, never for serving. */
  lastPin(tag: string, signers: readonly string[]): Pin | undefined {
    const set = this.state?.set;
    return set && this.#pins.get(set)?.get(pinKey(tag, signers));
  }

  /** Asks the trust server now, or joins the refresh that is under way; throws as `pin` does. */
  async refreshNow(): Promise<void> {
    await this.metadata.refreshNow();
  }

  /** Asks the trust server now with a request that begins after this call; throws as `pin` does. */
  async refreshAnew(): Promise<void> {
    await this.metadata.refreshAnew();
  }

  /** Reads what is on record without asking the trust server. @throws {StateError} `state_unreadable` */
  async loadOnly(): Promise<void> {
    await this.metadata.loadOnly();
  }

  async #findPin(set: TrustedSet, tag: string, signers: readonly string[]): Promise<Pin> {
    const pins = this.#pins.get(set) ?? new Map<string, Pin>();
    this.#pins.set(set, pins);
    const known = pins.get(pinKey(tag, signers));
    if (known !== undefined && known.freshUntil > this.#clock.now()) return known;
    const visited = new Set<string>();
    const found = await this.metadata.search(set, this.#convention.find(tag, signers), visited);
    const now = this.#clock.now();
    set.requireFreshAt(now, visited);
    const { role, expiresAt: end = Number.POSITIVE_INFINITY } = found;
    // One tag may have been approved for a shorter time than the role stands.
    requireFresh(role, end, now);
    const pin: Pin = { ...found, freshUntil: Math.min(set.freshUntil(visited, now), end) };
    pins.set(pinKey(tag, signers), pin);
    return pin;
  }

  *#listInForce(signers: readonly string[]): Search<readonly string[]> {
    const now = this.#clock.now();
    const tags: string[] = [];
    for (const tag of yield* this.#convention.list(signers)) {
      const { expiresAt } = yield* this.#convention.find(tag, signers);
      if (expiresAt === undefined || expiresAt > now) tags.push(tag);
    }
    return tags;
  }

  async #indexTags(
    set: TrustedSet,
    signers: readonly string[],
  ): Promise<ReadonlyMap<string, TagOfDigest>> {
    const { find, list } = this.#convention;
    const bySha256 = new Map<string, TagOfDigest>();
    for (const tag of await this.metadata.search(set, list(signers), new Set())) {
      const found = await this.metadata.search(set, find(tag, signers), new Set());
      const until = found.expiresAt ?? Number.POSITIVE_INFINITY;
      const earlier = bySha256.get(found.sha256);
      // Of several tags with one digest the one that lasts longest says most.
      if (earlier === undefined || until >= earlier.until)
        bySha256.set(found.sha256, { tag, until });
    }
    return bySha256;
  }
}

function pinKey(tag: string, signers: readonly string[]): string {
  return signers.length === 0 ? tag : `${tag}\n${signers.join('\n')}`;
}
