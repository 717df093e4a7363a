import type { Clock } from '../base/clock.ts';
import type { LoopTurns } from '../base/loop-turns.ts';
import type { Search } from '../trust/search.ts';
import { demandKey, demandOf, type Signers } from '../trust/signer-demand.ts';
import type { FoundTarget, TargetConvention } from '../trust/tag-search.ts';
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
  /** Where looking for a pin waits for its turn; default: nowhere. */
  readonly turns?: LoopTurns;
}

/** A tag's verified meaning and how long it may be used. */
export interface Pin extends FoundTarget {
  /** Milliseconds since the epoch: the earliest signed expiry the answer rests on. */
  readonly freshUntil: number;
  /** The denied key without whose signature the answer would not stand. Then it must not be served. */
  readonly deniedKey?: string;
}

/** A tag with a digest, and until when it may be said to have it (milliseconds since the epoch, or without end). */
interface TagOfDigest {
  readonly tag: string;
  readonly until: number;
}

/** Tags by SHA-256. */
type TagIndex = ReadonlyMap<string, readonly TagOfDigest[]>;

/** What a trust source says of the tags of one repository. */
export class Collection {
  readonly key: CollectionKey;
  /** Where the answers are drawn from. */
  readonly metadata: TrustedMetadata;
  readonly #convention: TargetConvention;
  readonly #clock: Clock;
  readonly #turns: LoopTurns | undefined;
  readonly #pins = new WeakMap<TrustedSet, Map<string, Pin>>();
  readonly #tagIndexes = new WeakMap<TrustedSet, Map<string, TagIndex>>();

  constructor({ key, convention, metadata, clock, turns }: CollectionOptions) {
    this.key = key;
    this.#turns = turns;
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
  pinNow(tag: string, signers: Signers): Pin | undefined {
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
  async pin(tag: string, signers: Signers, signal?: AbortSignal): Promise<Answer<Pin>> {
    return await this.metadata.answer(
      signal,
      async (set) => await this.#findPin(set, tag, signers),
    );
  }

  /** The tags that `pin` would answer; throws as `pin` does. */
  async tags(signers: Signers, signal?: AbortSignal): Promise<Answer<readonly string[]>> {
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

  /** The tags that are signed with this SHA-256 (lower-case hex) and in force; throws as `pin` does. */
  async tagsOf(sha256: string, signers: Signers, signal?: AbortSignal): Promise<readonly string[]> {
    const { value } = await this.metadata.answer(signal, async (set) => {
      const indexes = this.#tagIndexes.get(set) ?? new Map<string, TagIndex>();
      this.#tagIndexes.set(set, indexes);
      const key = demandKey(signers);
      const index = indexes.get(key) ?? (await this.#indexTags(set, signers));
      indexes.set(key, index);
      const now = this.#clock.now();
      return (index.get(sha256) ?? []).filter(({ until }) => until > now).map(({ tag }) => tag);
    });
    return value;
  }

  /** The tag that a target of the metadata stands for in this repository; undefined for what belongs to another one. */
  tagNamed(target: string): string | undefined {
    return this.#convention.tagNamed(target);
  }

  /** The pin last given for a tag, however old; for explanations, never for serving. */
  lastPin(tag: string, signers: Signers): Pin | undefined {
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

  async #findPin(set: TrustedSet, tag: string, signers: Signers): Promise<Pin> {
    const pins = this.#pins.get(set) ?? new Map<string, Pin>();
    this.#pins.set(set, pins);
    const known = pins.get(pinKey(tag, signers));
    if (known !== undefined && known.freshUntil > this.#clock.now()) return known;
    await this.#turns?.next();
    const visited = new Set<string>();
    const found = await this.metadata.search(set, this.#convention.find(tag, signers), visited);
    const now = this.#clock.now();
    set.requireFreshAt(now, visited);
    const { role, expiresAt: end = Number.POSITIVE_INFINITY } = found;
    // One tag may have been approved for a shorter time than the role stands.
    requireFresh(role, end, now);
    const deniedKey = deniedKeyBehind(set, visited, signers);
    const pin: Pin = {
      ...found,
      freshUntil: Math.min(set.freshUntil(visited, now), end),
      ...(deniedKey === undefined ? {} : { deniedKey }),
    };
    pins.set(pinKey(tag, signers), pin);
    return pin;
  }

  *#listInForce(signers: Signers): Search<readonly string[]> {
    const now = this.#clock.now();
    const tags: string[] = [];
    for (const tag of yield* this.#convention.list(signers)) {
      const { expiresAt = Number.POSITIVE_INFINITY, deniedSigner } = yield* this.#convention.find(
        tag,
        signers,
      );
      if (expiresAt > now && deniedSigner === undefined) tags.push(tag);
    }
    return tags;
  }

  async #indexTags(set: TrustedSet, signers: Signers): Promise<TagIndex> {
    const { find, list } = this.#convention;
    const bySha256 = new Map<string, TagOfDigest[]>();
    for (const tag of await this.metadata.search(set, list(signers), new Set())) {
      const found = await this.metadata.search(set, find(tag, signers), new Set());
      if (found.deniedSigner !== undefined) continue;
      const until = found.expiresAt ?? Number.POSITIVE_INFINITY;
      const known = bySha256.get(found.sha256);
      if (known === undefined) bySha256.set(found.sha256, [{ tag, until }]);
      else known.push({ tag, until });
    }
    return bySha256;
  }
}

function pinKey(tag: string, signers: Signers): string {
  const key = demandKey(signers);
  return key === '' ? tag : `${tag}\n${key}`;
}

function deniedKeyBehind(
  set: TrustedSet,
  roles: Iterable<string>,
  signers: Signers,
): string | undefined {
  const { deniedKeys } = demandOf(signers);
  return deniedKeys.size === 0 ? undefined : set.deniedKeyBehind(roles, deniedKeys);
}
