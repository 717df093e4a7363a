import type { Clock, Timer } from '../base/clock.ts';
import type { LoopTurns } from '../base/loop-turns.ts';
import { SHARED_GUN } from '../base/shared-gun.ts';
import { Collection } from './collection.ts';
import type { CollectionKey, MetadataSource, TrustStateStore } from './ports.ts';
import type { CollectionRules } from './rules.ts';
import type { Standing } from './standing.ts';
import { type CollectionEvents, TrustedMetadata } from './trusted-metadata.ts';

/** One configured trust source: where its metadata comes from and which rules hold for a collection of it. */
export interface TrustSource {
  readonly source: MetadataSource;
  /** Whether one set of metadata speaks for all repositories, so that rules differ in their conventions only; default false. */
  readonly isShared?: boolean;
  rulesFor(gun: string): CollectionRules;
}

/** Options of `Collections`. */
export interface CollectionsOptions {
  /** By name in the configuration. */
  readonly sources: ReadonlyMap<string, TrustSource>;
  readonly store: TrustStateStore;
  readonly clock: Clock;
  readonly events: CollectionEvents;
  /** Where verifying waits for its turn; default: nowhere. */
  readonly turns?: LoopTurns;
  /** How many collections are kept in memory, those not used lately going first; default 10 000. */
  readonly maxCollections?: number;
}

const DEFAULT_MAX_COLLECTIONS = 10_000;
/** A collection that was not asked for in this time is not kept fresh any more. */
const IN_USE_MS = 10 * 60_000;
/** Share of `maxAge` after which a collection in use is refreshed, so that no pull has to wait for it. */
const REFRESH_AHEAD = 0.8;
const TICK_MS = 250;
/** Background refreshes at a time. */
const MAX_BACKGROUND = 16;

/** A collection in memory. */
interface Kept {
  readonly collection: Collection;
  /** Whether it was asked for since it last came up for leaving. */
  isUsed: boolean;
}

/** All collections that were asked for, and the background work that keeps those in use fresh. */
export class Collections {
  readonly #options: CollectionsOptions;
  /** Next to leave first. */
  readonly #open = new Map<string, Kept>();
  /** By source. */
  readonly #shared = new Map<string, TrustedMetadata>();
  /** How collections stand that an earlier configuration had open and nobody has asked for yet; by name. */
  readonly #inherited = new Map<string, Standing>();
  #timer: Timer | undefined;
  #inBackground = 0;

  constructor(options: CollectionsOptions) {
    this.#options = options;
  }

  /**
   * The collection for a GUN in a trust source.
   *
   * @throws {Error} for a source that is not configured, which the configuration check rules out
   */
  open(key: CollectionKey): Collection {
    return this.opener(key)();
  }

  /** What `open` does for one key, again and again; cheap, for the hot path. */
  opener(key: CollectionKey): () => Collection {
    const name = nameOf(key);
    return () => {
      const known = this.#open.get(name);
      if (known === undefined) return this.#take(name, key);
      known.isUsed = true;
      return known.collection;
    };
  }

  /** The collections in memory. */
  list(): readonly Collection[] {
    return [...this.#open.values()].map(({ collection }) => collection);
  }

  /**
   * Goes on where the collections of an earlier configuration stand, so that nothing is fetched and verified again. Only those
   * that are fresh, and only for sources that `isSame` vouches for: all rules for them, and where they come from, are the same.
   */
  inherit(earlier: Collections, isSame: (source: string) => boolean): void {
    const { maxCollections = DEFAULT_MAX_COLLECTIONS } = this.#options;
    for (const standing of earlier.#standings()) {
      if (this.#inherited.size >= maxCollections) return;
      if (standing.freshForMs === 0 || !isSame(standing.key.source)) continue;
      // Until it is asked for here nothing of it can have been told anybody.
      standing.tell(() => undefined);
      this.#inherited.set(nameOf(standing.key), standing);
    }
  }

  *#standings(): Iterable<Standing> {
    for (const { collection } of this.#open.values()) yield collection.metadata.standing;
    yield* this.#inherited.values();
  }

  /** Begins to keep collections in use fresh. */
  start(): void {
    this.#timer = this.#options.clock.after(TICK_MS, () => {
      this.#tick();
      this.start();
    });
  }

  /** Ends the background work. */
  stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #create(key: CollectionKey): Collection {
    const { sources, clock } = this.#options;
    const trust = sources.get(key.source);
    if (trust === undefined) throw new Error(`no trust source is called ${key.source}`);
    const rules = trust.rulesFor(key.gun);
    const { convention } = rules;
    const metadata = this.#metadata(key, trust, rules);
    return new Collection({ key, convention, metadata, clock, ...this.#turns });
  }

  #metadata(key: CollectionKey, trust: TrustSource, rules: CollectionRules): TrustedMetadata {
    if (trust.isShared !== true) return this.#make(key, trust, rules);
    const known = this.#shared.get(key.source);
    if (known !== undefined) return known;
    const made = this.#make({ source: key.source, gun: SHARED_GUN }, trust, rules);
    this.#shared.set(key.source, made);
    return made;
  }

  #make(key: CollectionKey, { source }: TrustSource, rules: CollectionRules): TrustedMetadata {
    const { store, clock, events } = this.#options;
    const own = { key, rules, source, store, clock, events, ...this.#turns };
    const name = nameOf(key);
    const standing = this.#inherited.get(name);
    this.#inherited.delete(name);
    return new TrustedMetadata(standing === undefined ? own : { ...own, standing });
  }

  get #turns(): Pick<CollectionsOptions, 'turns'> {
    const { turns } = this.#options;
    return turns === undefined ? {} : { turns };
  }

  #take(name: string, key: CollectionKey): Collection {
    const collection = this.#create(key);
    const { maxCollections = DEFAULT_MAX_COLLECTIONS } = this.#options;
    if (this.#open.size >= maxCollections) this.#evict();
    this.#open.set(name, { collection, isUsed: false });
    return collection;
  }

  /** Has one leave that was not asked for since it last came up: a use costs a mark, and no place in an order. */
  #evict(): void {
    // What was used goes to the end, unmarked, and is met again there.
    for (const [name, kept] of this.#open) {
      this.#open.delete(name);
      if (!kept.isUsed) return;
      kept.isUsed = false;
      this.#open.set(name, kept);
    }
  }

  #tick(): void {
    const nowMs = this.#options.clock.monotonicMs();
    for (const { collection } of this.#open.values()) {
      const { metadata } = collection;
      if (this.#inBackground >= MAX_BACKGROUND) return;
      if (!isDue(metadata, nowMs)) continue;
      this.#inBackground += 1;
      metadata
        .refreshNow()
        // Reported through the collection's events; the next pull decides what it means.
        .catch(() => undefined)
        .finally(() => {
          this.#inBackground -= 1;
        });
    }
  }
}

function nameOf({ source, gun }: CollectionKey): string {
  return JSON.stringify([source, gun]);
}

function isDue(metadata: TrustedMetadata, nowMs: number): boolean {
  const { checkedAtMs, maxAgeMs, isRefreshing, attemptedAtMs, lastUsedMs } = metadata;
  if (checkedAtMs === undefined || maxAgeMs === 0 || isRefreshing) return false;
  if (nowMs - lastUsedMs > IN_USE_MS) return false;
  const aheadMs = maxAgeMs * REFRESH_AHEAD;
  // After a failure the next attempt waits as long as after a success.
  return nowMs - checkedAtMs >= aheadMs && nowMs - attemptedAtMs >= Math.min(aheadMs, 5_000);
}
