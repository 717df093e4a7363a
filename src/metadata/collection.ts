import { abortable } from '../base/abortable.ts';
import type { Clock } from '../base/clock.ts';
import { SingleFlight } from '../base/single-flight.ts';
import { TrustError } from '../trust/errors.ts';
import type { FoundTarget, RoleRequest, Search } from '../trust/tag-search.ts';
import type { TrustedSet } from '../trust/trusted-set.ts';
import { type AcceptedState, filesOf, restore, toRecord } from './accepted-state.ts';
import { inTime, withinDeadline } from './deadline.ts';
import { TrustServerError } from './errors.ts';
import type { CollectionKey, MetadataSource, TrustStateStore } from './ports.ts';
import { fetchNamed, refresh } from './refresh.ts';
import { type CollectionRules, METADATA_LIMITS } from './rules.ts';

/** What a collection reports as it goes along; for logs and metrics. */
export interface CollectionEvents {
  /** A refresh ended. `failure` is undefined when it went well. */
  refreshed(key: CollectionKey, durationMs: number, failure: unknown): void;
  /** A first root was trusted because it was the first one seen. */
  firstUse(key: CollectionKey, rootKeyIds: readonly string[]): void;
  /** The trusted versions moved. */
  advanced(key: CollectionKey, versions: ReadonlyMap<string, number>): void;
}

/** What a collection needs from its surroundings. */
export interface CollectionOptions {
  readonly key: CollectionKey;
  readonly rules: CollectionRules;
  readonly source: MetadataSource;
  readonly store: TrustStateStore;
  readonly clock: Clock;
  readonly events: CollectionEvents;
}

/** A tag's verified meaning and how long it may be used. */
export interface Pin extends FoundTarget {
  /** Milliseconds since the epoch: the earliest signed expiry the answer rests on. */
  readonly freshUntil: number;
}

/** An answer drawn from the collection. */
export interface Answer<Value> {
  readonly value: Value;
  /** Seconds since the trust server was last seen, when it cannot be asked now and the answer is served within the grace. */
  readonly staleSeconds: number | undefined;
}

/** A failure is remembered for at most this long, so that a crowd of engines does not become a crowd of refreshes. */
const MAX_FAILURE_MEMORY_MS = 5_000;
/** How long a pull waits for a refresh when an earlier answer may stand in. */
const PATIENCE_MS = 3_000;
/** How often a run is repeated when another process sharing the state was faster. */
const MAX_RACES = 5;
/** The time of the last check is written down at most this often when nothing else changed; milliseconds. */
const CHECK_NOTE_EVERY_MS = 60_000;

/** One collection of trust metadata: keeps it verified and fresh, and answers what a tag means. */
export class Collection {
  readonly key: CollectionKey;
  readonly #options: CollectionOptions;
  #state: AcceptedState | undefined;
  #revision = 0;
  #isLoaded = false;
  #refreshing: Promise<void> | undefined;
  /** Monotonic time of the last successful check in this process, or undefined before the first. */
  #checkedAtMs: number | undefined;
  #failure: { readonly error: unknown; readonly atMs: number } | undefined;
  #savedCheckAt = 0;
  #pins = new Map<string, Pin>();
  #lastUsedMs = 0;
  #attemptedAtMs = 0;
  readonly #tagIndexes = new WeakMap<TrustedSet, Map<string, ReadonlyMap<string, string>>>();
  readonly #fetches = new SingleFlight<string, Uint8Array>();
  readonly #unavailable = new WeakMap<TrustedSet, Set<string>>();

  constructor(options: CollectionOptions) {
    this.key = options.key;
    this.#options = options;
  }

  /** What is trusted now, for status pages; undefined before anything was. */
  get state(): AcceptedState | undefined {
    return this.#state;
  }

  /** The last refresh's error if it failed. */
  get failure(): unknown {
    return this.#failure?.error;
  }

  /** Monotonic milliseconds of the last question asked. */
  get lastUsedMs(): number {
    return this.#lastUsedMs;
  }

  /** How long an answer may be used without asking again, in milliseconds. */
  get maxAgeMs(): number {
    return this.#options.rules.maxAgeMs;
  }

  /** How much longer while the trust server cannot be asked, in milliseconds. */
  get outageGraceMs(): number {
    return this.#options.rules.outageGraceMs;
  }

  get isRefreshing(): boolean {
    return this.#refreshing !== undefined;
  }

  /** Monotonic milliseconds of the last attempt to refresh. */
  get attemptedAtMs(): number {
    return this.#attemptedAtMs;
  }

  /** Monotonic milliseconds of the last successful check, or undefined before the first. */
  get checkedAtMs(): number | undefined {
    return this.#checkedAtMs;
  }

  /** The pin of a tag if it is known, fresh and in force; no waiting, no network. For the hot path. */
  pinNow(tag: string, signers: readonly string[]): Pin | undefined {
    if (!this.#isFresh()) return undefined;
    this.#lastUsedMs = this.#options.clock.monotonicMs();
    const pin = this.#pins.get(pinKey(tag, signers));
    return pin !== undefined && pin.freshUntil > this.#options.clock.now() ? pin : undefined;
  }

  /**
   * What a tag means, verified and fresh.
   *
   * @throws {TrustError} proved bad, or not signed
   * @throws {TrustServerError} could not find out, and no earlier answer may stand in
   * @throws {StateError} `state_unreadable`
   */
  async pin(tag: string, signers: readonly string[], signal?: AbortSignal): Promise<Answer<Pin>> {
    return await this.#answer(signal, async (set) => await this.#findPin(set, tag, signers));
  }

  /** The tags that `pin` would answer; throws as `pin` does. */
  async tags(signers: readonly string[], signal?: AbortSignal): Promise<Answer<readonly string[]>> {
    return await this.draw(() => this.#options.rules.convention.list(signers), signal);
  }

  /** Draws the result of any search from fresh metadata; throws as `pin` does, and what the search throws. */
  async draw<Result>(search: () => Search<Result>, signal?: AbortSignal): Promise<Answer<Result>> {
    return await this.#answer(signal, async (set) => {
      const visited = new Set<string>();
      const result = await this.#search(set, search(), visited);
      set.requireFreshAt(this.#options.clock.now(), visited);
      return result;
    });
  }

  /** A tag that is signed with this SHA-256 (lower-case hex), or undefined when there is none; throws as `pin` does. */
  async tagOf(
    sha256: string,
    signers: readonly string[],
    signal?: AbortSignal,
  ): Promise<string | undefined> {
    const { value } = await this.#answer(signal, async (set) => {
      const index = this.#tagIndexes.get(set) ?? new Map<string, ReadonlyMap<string, string>>();
      this.#tagIndexes.set(set, index);
      const key = pinKey('', signers);
      const known = index.get(key) ?? (await this.#indexTags(set, signers));
      index.set(key, known);
      return known.get(sha256);
    });
    return value;
  }

  /** Asks the trust server now, or joins the refresh that is under way; throws as `pin` does. */
  async refreshNow(): Promise<void> {
    this.#refreshing ??= this.#refresh().finally(() => {
      this.#refreshing = undefined;
    });
    await this.#refreshing;
  }

  /** The pin last given for a tag, however old; for explanations, never for serving. */
  lastPin(tag: string, signers: readonly string[]): Pin | undefined {
    return this.#pins.get(pinKey(tag, signers));
  }

  /** Reads what is on record without asking the trust server. @throws {StateError} `state_unreadable` */
  async loadOnly(): Promise<void> {
    await this.#load();
  }

  /** Asks the trust server now with a request that begins after this call; throws as `pin` does. */
  async refreshAnew(): Promise<void> {
    // One under way may have asked before the change that the caller wants to see.
    await this.#refreshing?.catch(() => undefined);
    await this.refreshNow();
  }

  async #answer<Value>(
    signal: AbortSignal | undefined,
    draw: (set: TrustedSet) => Promise<Value>,
  ): Promise<Answer<Value>> {
    this.#lastUsedMs = this.#options.clock.monotonicMs();
    const staleSeconds = this.#isFresh() ? undefined : await this.#makeFresh(signal);
    const set = this.#state?.set;
    if (set === undefined) throw this.#failure?.error ?? new Error('refreshed without a result');
    return { value: await draw(set), staleSeconds };
  }

  #isFresh(): boolean {
    const { clock, rules } = this.#options;
    // An answer proved bad counts at once; an outage only when the last good answer has aged.
    const isProvedBad =
      this.#failure !== undefined && !(this.#failure.error instanceof TrustServerError);
    if (this.#checkedAtMs === undefined || isProvedBad) return false;
    return clock.monotonicMs() - this.#checkedAtMs < rules.maxAgeMs;
  }

  /** @returns the age to declare if an earlier answer has to stand in, else undefined */
  async #makeFresh(signal: AbortSignal | undefined): Promise<number | undefined> {
    try {
      this.#rethrowRecentFailure();
      const isCovered = this.#graceAge() !== undefined;
      await this.#waitFor(this.refreshNow(), isCovered, signal);
      return undefined;
    } catch (error) {
      if (!(error instanceof TrustServerError)) throw error;
      const staleSeconds = this.#graceAge();
      if (staleSeconds === undefined) throw error;
      return staleSeconds;
    }
  }

  /** With an earlier answer at hand nobody waits long for a server that does not answer; the refresh goes on meanwhile. */
  async #waitFor(
    refreshing: Promise<void>,
    isCovered: boolean,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const { promise: tooLong, reject } = Promise.withResolvers<never>();
    const timer = this.#options.clock.after(PATIENCE_MS, () => {
      if (isCovered) {
        reject(
          new TrustServerError('trust_server_unreachable', 'the trust server is slow to answer'),
        );
      }
    });
    tooLong.catch(() => undefined);
    try {
      await abortable(Promise.race([refreshing, tooLong]), signal);
    } finally {
      timer.cancel();
    }
  }

  #rethrowRecentFailure(): void {
    const { clock, rules } = this.#options;
    if (this.#failure === undefined) return;
    const memoryMs = Math.min(rules.maxAgeMs, MAX_FAILURE_MEMORY_MS);
    if (clock.monotonicMs() - this.#failure.atMs < memoryMs) throw this.#failure.error;
  }

  /** The age of the last good check in whole seconds if the grace covers it. What was proved bad never gets here. */
  #graceAge(): number | undefined {
    const { clock, rules } = this.#options;
    if (this.#state?.set === undefined) return undefined;
    const ageMs = clock.now() - this.#state.checkedAt;
    // A last check that lies in the future was noted by a clock that ran ahead: its age is not known.
    if (ageMs < 0 || ageMs > rules.maxAgeMs + rules.outageGraceMs) return undefined;
    return Math.floor(ageMs / 1000);
  }

  async #refresh(): Promise<void> {
    const { clock, events } = this.#options;
    const startedMs = clock.monotonicMs();
    this.#attemptedAtMs = startedMs;
    let failure: unknown;
    try {
      await this.#load();
      failure = await this.#refreshAndSave();
    } catch (error) {
      failure = error;
    }
    events.refreshed(this.key, clock.monotonicMs() - startedMs, failure);
    if (failure !== undefined) {
      this.#failure = { error: failure, atMs: clock.monotonicMs() };
      throw failure;
    }
    this.#failure = undefined;
    // Counted from before the request went out: what was published since may be missing in the answer.
    this.#checkedAtMs = startedMs;
  }

  async #load(): Promise<void> {
    const { store, key, rules } = this.#options;
    if (this.#isLoaded) {
      if ((await store.revision(key)) === this.#revision) return;
    }
    const stored = await store.load(key);
    this.#adopt(stored === undefined ? undefined : restore(stored.record, key.gun, rules));
    // Only now: a record that could not be adopted must not be written over by what is in memory.
    this.#revision = stored?.revision ?? 0;
    this.#savedCheckAt = stored?.record.checkedAt ?? 0;
    this.#isLoaded = true;
  }

  /** @returns what went wrong in the refresh, after its progress was saved; undefined when it went well */
  async #refreshAndSave(): Promise<unknown> {
    const { source, rules, clock, key } = this.#options;
    for (let race = 0; race < MAX_RACES; race += 1) {
      const before = this.#state;
      const signal = AbortSignal.timeout(METADATA_LIMITS.refreshMs);
      const context = { source, gun: key.gun, rules, now: clock.now(), signal };
      const outcome = await refresh(context, before);
      if (outcome.state === undefined || (await this.#save(outcome.state))) {
        this.#announce(before, outcome.state);
        return inTime(outcome.failure, signal);
      }
      // Another process sharing the state was faster. What it accepted sets the floors, so run again from there.
      await this.#load();
    }
    return new Error('the shared trust state kept changing');
  }

  async #save(next: AcceptedState): Promise<boolean> {
    const { store, key } = this.#options;
    const isNewContent = next.root !== this.#state?.root || next.files !== this.#state.files;
    const isDue = next.checkedAt - this.#savedCheckAt >= CHECK_NOTE_EVERY_MS;
    if (isNewContent || isDue) {
      const revision = await store.save(key, toRecord(next), this.#revision);
      if (revision === undefined) return false;
      this.#revision = revision;
      this.#savedCheckAt = next.checkedAt;
    } else if ((await store.revision(key)) !== this.#revision) {
      return false;
    }
    this.#adopt(next);
    return true;
  }

  #adopt(next: AcceptedState | undefined): void {
    if (next?.set !== this.#state?.set) this.#pins = new Map();
    this.#state = next;
  }

  #announce(before: AcceptedState | undefined, after: AcceptedState | undefined): void {
    const { events } = this.#options;
    // Also when the rest of the refresh failed: the root is trusted, and on record, all the same.
    if (before === undefined && after?.admission === 'first-use') {
      events.firstUse(this.key, [...after.root.authority('root').keys.keys()]);
    }
    if (after?.set !== undefined && after.set !== before?.set)
      events.advanced(this.key, versionsOf(after.set));
  }

  async #findPin(set: TrustedSet, tag: string, signers: readonly string[]): Promise<Pin> {
    const { clock } = this.#options;
    const known = this.#pins.get(pinKey(tag, signers));
    if (known !== undefined && known.freshUntil > clock.now()) return known;
    const visited = new Set<string>();
    const found = await this.#search(
      set,
      this.#options.rules.convention.find(tag, signers),
      visited,
    );
    const now = clock.now();
    set.requireFreshAt(now, visited);
    const pin: Pin = { ...found, freshUntil: set.freshUntil(visited, now) };
    if (set === this.#state?.set) this.#pins.set(pinKey(tag, signers), pin);
    return pin;
  }

  async #indexTags(
    set: TrustedSet,
    signers: readonly string[],
  ): Promise<ReadonlyMap<string, string>> {
    const bySha256 = new Map<string, string>();
    for (const tag of await this.#search(
      set,
      this.#options.rules.convention.list(signers),
      new Set(),
    )) {
      bySha256.set(
        (await this.#search(set, this.#options.rules.convention.find(tag, signers), new Set()))
          .sha256,
        tag,
      );
    }
    return bySha256;
  }

  /** Drives a search, getting the roles it asks for. `visited` collects the roles whose content had a say. */
  async #search<Result>(
    set: TrustedSet,
    search: Search<Result>,
    visited: Set<string>,
  ): Promise<Result> {
    const sizeBefore = set.targets.size;
    try {
      let step = search.next();
      while (step.done !== true) {
        const { role } = step.value;
        const isThere = await this.#ensureRole(set, step.value);
        if (isThere) visited.add(role);
        step = search.next(isThere ? set.targets.get(role)?.body : undefined);
      }
      return step.value;
    } finally {
      if (set.targets.size > sizeBefore) await this.#keepLearned(set);
    }
  }

  async #ensureRole(set: TrustedSet, request: RoleRequest): Promise<boolean> {
    const { role, delegator, isNeeded } = request;
    if (set.isAccepted(role, delegator)) return true;
    const meta = set.expected(role);
    const state = this.#state;
    if (state === undefined) return false;
    if (meta === undefined) {
      if (set.root.dialect.unlistedDelegation === 'unpublished') return false;
      throw new TrustError('metadata_missing', `the snapshot does not list ${role}`, {
        detail: { role },
      });
    }
    const unavailable = this.#unavailable.get(set) ?? new Set();
    if (!isNeeded && unavailable.has(role)) return false;
    try {
      const { source, key } = this.#options;
      const fetching = (): Promise<Uint8Array> =>
        withinDeadline(METADATA_LIMITS.refreshMs, (signal) =>
          fetchNamed({ source, gun: key.gun, signal }, role, { meta, known: state }),
        );
      const known = set.targets.get(role)?.bytes;
      const name = state.root.dialect.fileName(role, meta, state.root.body);
      // Joined: a crowd that asks for a new tag asks for the same file.
      const bytes = known ?? (await this.#fetches.run(name, fetching));
      if (!set.isAccepted(role, delegator)) set.acceptTargets(role, bytes, delegator);
      return true;
    } catch (error) {
      if (isNeeded) throw error;
      // It could only have told "not released" from "not signed"; both refuse. Not asked again for this version.
      this.#unavailable.set(set, unavailable.add(role));
      return false;
    }
  }

  /** Writes down delegations that were fetched on demand, so that their versions are floors from now on. */
  async #keepLearned(set: TrustedSet): Promise<void> {
    const state = this.#state;
    if (state?.set !== set) return;
    const next = { ...state, files: filesOf(set, state.files) };
    const revision = await this.#options.store.save(this.key, toRecord(next), this.#revision);
    if (revision === undefined) return;
    this.#revision = revision;
    this.#adopt(next);
  }
}

/** The versions a set holds, by role. */
export function versionsOf(set: TrustedSet): ReadonlyMap<string, number> {
  const versions = new Map([
    ['root', set.root.body.version],
    ['timestamp', set.timestamp.body.version],
    ['snapshot', set.snapshot.body.version],
  ]);
  for (const [role, file] of set.targets) versions.set(role, file.body.version);
  return versions;
}

function pinKey(tag: string, signers: readonly string[]): string {
  return signers.length === 0 ? tag : `${tag}\n${signers.join('\n')}`;
}
