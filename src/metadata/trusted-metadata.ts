import { abortable } from '../base/abortable.ts';
import { asError } from '../base/as-error.ts';
import type { Clock } from '../base/clock.ts';
import type { LoopTurns } from '../base/loop-turns.ts';
import { TrustError } from '../trust/errors.ts';
import type { Search } from '../trust/search.ts';
import type { TrustedSet } from '../trust/trusted-set.ts';
import type { AcceptedState } from './accepted-state.ts';
import { inTime } from './deadline.ts';
import { TrustServerError, withAge } from './errors.ts';
import { PacedSource } from './paced-source.ts';
import type { CollectionKey, MetadataSource, TrustStateStore } from './ports.ts';
import { refresh } from './refresh.ts';
import { RoleLoader } from './role-loader.ts';
import { RootChain } from './root-chain.ts';
import { METADATA_LIMITS, type MetadataRules } from './rules.ts';
import { Superseded } from './shared-state.ts';
import { MAX_FAILURE_MEMORY_MS, Standing } from './standing.ts';

/** What happens to metadata as it goes along; for logs and metrics. */
export interface CollectionEvents {
  /** A refresh ended. `failure` is undefined when it went well. */
  refreshed(key: CollectionKey, durationMs: number, failure: unknown): void;
  /** A first root was trusted because it was the first one seen. */
  firstUse(key: CollectionKey, rootKeyIds: readonly string[]): void;
  /** Answers drawn so far do not hold any more: other metadata is trusted now, or the trust server was proved bad. */
  superseded?(key: CollectionKey): void;
  /** The trusted versions moved. */
  advanced(key: CollectionKey, versions: ReadonlyMap<string, number>): void;
}

/** What metadata needs from its surroundings. */
export interface TrustedMetadataOptions {
  /** Under which it is on record. */
  readonly key: CollectionKey;
  readonly rules: MetadataRules;
  readonly source: MetadataSource;
  readonly store: TrustStateStore;
  readonly clock: Clock;
  readonly events: CollectionEvents;
  /** Where verifying waits for its turn; default: nowhere. */
  readonly turns?: LoopTurns;
  /** How it stands by an earlier configuration with the same rules; default: nothing is known but what is on record. */
  readonly standing?: Standing;
}

/** An answer drawn from metadata. */
export interface Answer<Value> {
  readonly value: Value;
  /** Seconds since the trust server was last seen, when it cannot be asked now and the answer is served within the grace. */
  readonly staleSeconds: number | undefined;
}

/** How long a pull waits for a refresh when an earlier answer may stand in. */
const PATIENCE_MS = 3_000;
const NOT_THE_LISTED_FILE: ReadonlySet<string> = new Set([
  'checksum_mismatch',
  'length_exceeded',
  'length_mismatch',
  'metadata_missing',
]);
/** How often a run or a search is repeated when somebody sharing the state was faster. */
const MAX_RACES = 5;

/**
 * The metadata that one root speaks for, kept verified, fresh and on record: of one collection in Notary v1, of all
 * repositories of the source in TUF 1.0.
 */
export class TrustedMetadata {
  readonly key: CollectionKey;
  readonly #options: TrustedMetadataOptions;
  readonly #loader: RoleLoader;
  readonly #roots: RootChain;
  /** May outlive this, and know more than happened here. */
  readonly standing: Standing;
  #refreshing: Promise<void> | undefined;
  #lastUsedMs = 0;
  /** Monotonic milliseconds of the last refresh because of a file that was not the one listed. */
  #doubtedAtMs = Number.NEGATIVE_INFINITY;

  constructor(options: TrustedMetadataOptions) {
    this.key = options.key;
    const { key, turns } = options;
    const source = turns === undefined ? options.source : new PacedSource(options.source, turns);
    this.#options = { ...options, source };
    this.#loader = new RoleLoader({ key, source });
    this.standing = options.standing ?? new Standing(options);
    this.standing.tell(() => options.events.superseded?.(options.key));
    this.#roots = new RootChain(this.#options);
  }

  /** What is trusted now; undefined before anything was. */
  get state(): AcceptedState | undefined {
    return this.standing.current;
  }

  /** The last refresh's error if it failed. */
  get failure(): unknown {
    return this.standing.failure;
  }

  /** How long an answer may be used without asking again, in milliseconds. */
  get maxAgeMs(): number {
    return this.#options.rules.maxAgeMs;
  }

  /** For how much longer answers may be drawn without asking again, in milliseconds; 0 when the server has to be asked. */
  get freshForMs(): number {
    return this.standing.freshForMs;
  }

  /** How much longer while the trust server cannot be asked, in milliseconds. */
  get outageGraceMs(): number {
    return this.#options.rules.outageGraceMs;
  }

  get isRefreshing(): boolean {
    return this.#refreshing !== undefined;
  }

  /** Monotonic milliseconds of the last question. */
  get lastUsedMs(): number {
    return this.#lastUsedMs;
  }

  /** Monotonic milliseconds of the last attempt to refresh. */
  get attemptedAtMs(): number {
    return this.standing.attemptedAtMs;
  }

  /** Monotonic milliseconds of the last successful check in this process, or undefined before the first. */
  get checkedAtMs(): number | undefined {
    return this.standing.checkedAtMs;
  }

  /** What answers may be drawn from right now; undefined when the trust server has to be asked first. Counts as a use. */
  setNow(): TrustedSet | undefined {
    const nowMs = this.#options.clock.monotonicMs();
    if (!this.standing.isFreshAt(nowMs)) return undefined;
    this.#lastUsedMs = nowMs;
    return this.state?.set;
  }

  /**
   * Draws an answer from metadata that is fresh, or that may stand in while the trust server cannot be asked.
   *
   * @throws {TrustError} proved bad
   * @throws {TrustServerError} could not find out, and no earlier answer may stand in
   * @throws {StateError} `state_unreadable`
   */
  async answer<Value>(
    signal: AbortSignal | undefined,
    draw: (set: TrustedSet) => Promise<Value>,
  ): Promise<Answer<Value>> {
    const nowMs = this.#options.clock.monotonicMs();
    this.#lastUsedMs = nowMs;
    const isFresh = this.standing.isFreshAt(nowMs);
    const staleSeconds = isFresh ? undefined : await this.#makeFresh(signal);
    for (let race = 0; race < MAX_RACES; race += 1) {
      const set = this.state?.set;
      if (set === undefined) throw this.standing.failure ?? new Error('refreshed without a result');
      try {
        return { value: await draw(set), staleSeconds };
      } catch (error) {
        if (!(error instanceof Superseded)) throw withAge(error, staleSeconds);
      }
    }
    throw new Error('the shared trust state kept changing');
  }

  /** Drives a search through a set, getting the roles it asks for. `visited` collects the roles whose content had a say. */
  async search<Result>(
    set: TrustedSet,
    search: Search<Result>,
    visited: Set<string>,
  ): Promise<Result> {
    try {
      return await this.#loader.drive(set, search, { visited, known: this.state });
    } catch (error) {
      if (isNotTheListedFile(error, set)) await this.#requireCurrent(set);
      throw error;
    } finally {
      // Before any answer is given: what had a say in it is a floor from now on, whatever happens next.
      await this.standing.state.keepLearned(set);
    }
  }

  /** A root of the chain that led to the one trusted now, verified; undefined for what is no part of it. Throws as `answer`. */
  async rootVersion(version: number): Promise<Uint8Array | undefined> {
    const { state } = this;
    return state === undefined ? undefined : await this.#roots.version(state.root, version);
  }

  /**
   * Looks whether the publisher has moved on since `set` was made: a file that is fetched only now may have been replaced or
   * taken away by an honest one. Not more often than failures are forgotten, or bad files would cost a refresh per pull.
   *
   * @throws {Superseded} when there is something newer
   */
  async #requireCurrent(set: TrustedSet): Promise<void> {
    const nowMs = this.#options.clock.monotonicMs();
    if (nowMs - this.#doubtedAtMs < MAX_FAILURE_MEMORY_MS) return;
    this.#doubtedAtMs = nowMs;
    // Whether the server cannot be asked or what it says is bad: the search has failed already.
    await this.refreshNow().catch(() => undefined);
    const now = this.state?.set;
    if (now !== undefined && now !== set) throw new Superseded('the publisher has moved on');
  }

  /** Asks the trust server now, or joins the refresh that is under way; throws as `answer` does. */
  async refreshNow(): Promise<void> {
    this.#refreshing ??= this.#refresh().finally(() => {
      this.#refreshing = undefined;
    });
    await this.#refreshing;
  }

  /** Asks the trust server now with a request that begins after this call; throws as `answer` does. */
  async refreshAnew(): Promise<void> {
    // One under way may have asked before the change that the caller wants to see.
    await this.#refreshing?.catch(() => undefined);
    await this.refreshNow();
  }

  /** Reads what is on record without asking the trust server. @throws {StateError} `state_unreadable` */
  async loadOnly(): Promise<void> {
    await this.standing.state.load();
  }

  /** @returns the age to declare if an earlier answer has to stand in, else undefined */
  async #makeFresh(signal: AbortSignal | undefined): Promise<number | undefined> {
    try {
      const { recentFailure } = this.standing;
      if (recentFailure !== undefined) throw recentFailure;
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

  /** The age of the last good check in whole seconds if the grace covers it. What was proved bad never gets here. */
  #graceAge(): number | undefined {
    const { clock, rules } = this.#options;
    const { state } = this;
    if (state?.set === undefined) return undefined;
    const ageMs = clock.now() - state.checkedAt;
    // A last check that lies in the future was noted by a clock that ran ahead: its age is not known.
    if (ageMs < 0 || ageMs > rules.maxAgeMs + rules.outageGraceMs) return undefined;
    return Math.floor(ageMs / 1000);
  }

  async #refresh(): Promise<void> {
    const { clock, events } = this.#options;
    const attempt = this.standing.begin();
    let failure: Error | undefined;
    try {
      await this.standing.state.load();
      failure = await this.#refreshAndSave();
    } catch (error) {
      failure = asError(error);
    }
    events.refreshed(this.key, clock.monotonicMs() - attempt.startedMs, failure);
    if (failure !== undefined) throw this.standing.fail(attempt, failure);
    this.standing.succeed(attempt);
  }

  /** @returns what went wrong in the refresh, after its progress was saved; undefined when it went well */
  async #refreshAndSave(): Promise<Error | undefined> {
    const { source, rules, clock, key } = this.#options;
    for (let race = 0; race < MAX_RACES; race += 1) {
      const before = this.state;
      const signal = AbortSignal.timeout(METADATA_LIMITS.refreshMs);
      const context = { source, gun: key.gun, rules, now: clock.now(), signal };
      const outcome = await refresh(context, before);
      if (outcome.state === undefined || (await this.standing.state.save(before, outcome.state))) {
        this.#announce(before, outcome.state);
        return outcome.failure === undefined ? undefined : asError(inTime(outcome.failure, signal));
      }
      // Somebody sharing the state was faster. What was accepted there sets the floors, so run again from it.
      await this.standing.state.load();
    }
    return new Error('the shared trust state kept changing');
  }

  #announce(before: AcceptedState | undefined, after: AcceptedState | undefined): void {
    const { events } = this.#options;
    // Also when the rest of the refresh failed: the root is trusted, and on record, all the same.
    if (before === undefined && after?.admission === 'first-use') {
      events.firstUse(this.key, [...after.root.authority('root').keys.keys()]);
    }
    if (after?.set !== undefined && after.set !== before?.set) {
      events.advanced(this.key, versionsOf(after.set));
    }
  }
}

/** Whether a role could not be read because what has its name is not the file that the snapshot of `set` lists. */
function isNotTheListedFile(error: unknown, set: TrustedSet): boolean {
  if (!(error instanceof TrustError) || !NOT_THE_LISTED_FILE.has(error.code)) return false;
  // What is not listed was not asked for, and nobody can have moved it away.
  return (
    error.code !== 'metadata_missing' || set.expected(String(error.detail['role'])) !== undefined
  );
}

/** The versions a set holds, by role. */
function versionsOf(set: TrustedSet): ReadonlyMap<string, number> {
  const versions = new Map([
    ['root', set.root.body.version],
    ['timestamp', set.timestamp.body.version],
    ['snapshot', set.snapshot.body.version],
  ]);
  for (const [role, file] of set.targets) versions.set(role, file.body.version);
  return versions;
}
