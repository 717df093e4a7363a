import type { LoopTurns } from '../base/loop-turns.ts';
import type { TargetsBody } from '../trust/model.ts';
import type { TrustedSet } from '../trust/trusted-set.ts';
import type { VerifiedFile } from '../trust/verified-file.ts';
import { type AcceptedState, filesOf, restore, saysTheSame, toRecord } from './accepted-state.ts';
import type { CollectionKey, TrustRecord, TrustStateStore } from './ports.ts';
import type { MetadataRules } from './rules.ts';

/** Says that what an answer was to be drawn from has been replaced meanwhile: draw it again, from what is trusted now. */
export class Superseded extends Error {}

/** The time of the last check is written down at most this often when nothing else changed; milliseconds. */
const CHECK_NOTE_EVERY_MS = 60_000;

/**
 * What is trusted of one collection, in memory and on record at once. Other processes may share the record, and searches
 * learn delegations while a refresh runs; whatever has a say in an answer is on record before the answer is given.
 */
export class SharedState {
  readonly #key: CollectionKey;
  readonly #rules: MetadataRules;
  readonly #store: TrustStateStore;
  readonly #turns: LoopTurns | undefined;
  readonly #onReplaced: () => void;
  #state: AcceptedState | undefined;
  #revision = 0;
  #isLoaded = false;
  #savedCheckAt = 0;
  /** Targets files that are on record. */
  readonly #onRecord = new WeakSet<VerifiedFile<TargetsBody>>();
  /** Whoever reads or writes the record waits for those before. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(options: {
    readonly key: CollectionKey;
    readonly rules: MetadataRules;
    readonly store: TrustStateStore;
    /** Where verifying waits for its turn; default: nowhere. */
    readonly turns?: LoopTurns;
    /** Called at once when answers drawn so far do not hold any more: other metadata has taken the place of theirs. */
    readonly onReplaced: () => void;
  }) {
    this.#key = options.key;
    this.#rules = options.rules;
    this.#store = options.store;
    this.#turns = options.turns;
    this.#onReplaced = options.onReplaced;
  }

  get current(): AcceptedState | undefined {
    return this.#state;
  }

  /** Takes over what is on record, unless it is what is in memory. @throws {StateError} {TrustError} as `restore` does */
  async load(): Promise<void> {
    await this.#inTurn(async () => await this.#load());
  }

  /**
   * Puts `next`, to which a refresh came from `before`, on record.
   *
   * @returns false when another process, or a search in this one, was faster: run again from `current` after `load`
   * @throws {StateError}
   */
  async save(before: AcceptedState | undefined, next: AcceptedState): Promise<boolean> {
    return await this.#inTurn(async () => {
      const merged = this.#merged(before, next);
      return merged !== undefined && (await this.#save(merged));
    });
  }

  /**
   * Puts on record the delegations that `set` has accepted on demand, so that their versions are floors from now on.
   *
   * @throws {Superseded} when `set` is not what is trusted any more
   * @throws {StateError}
   */
  async keepLearned(set: TrustedSet): Promise<void> {
    if (this.#isKept(set)) return;
    await this.#inTurn(async () => {
      if (this.#isKept(set)) return;
      const state = this.#state;
      if (state?.set !== set) throw new Superseded('the metadata was replaced meanwhile');
      const next = { ...state, files: filesOf(set, state.files) };
      if (!this.#isOnRecord(next) && !(await this.#write(next))) {
        await this.#load();
        throw new Superseded('another process was faster');
      }
      this.#adopt(next);
    });
  }

  #isOnRecord(next: AcceptedState): boolean {
    if (this.#state === undefined) return false;
    const isSameObject = next.root === this.#state.root && next.files === this.#state.files;
    return isSameObject || saysTheSame(toRecord(next), toRecord(this.#state));
  }

  #isInMemory(record: TrustRecord): boolean {
    return this.#state !== undefined && saysTheSame(record, toRecord(this.#state));
  }

  #isKept(set: TrustedSet): boolean {
    return [...set.targets.values()].every((file) => this.#onRecord.has(file));
  }

  /** A search may have learned a delegation while the refresh ran: its version is a floor that must not be written over. */
  #merged(before: AcceptedState | undefined, next: AcceptedState): AcceptedState | undefined {
    const current = this.#state;
    if (current === before) return next;
    if (current?.set === undefined || current.set !== next.set) return undefined;
    return { ...current, checkedAt: next.checkedAt, rootCheckedAt: next.rootCheckedAt };
  }

  async #load(): Promise<void> {
    if (this.#isLoaded && (await this.#store.revision(this.#key)) === this.#revision) return;
    const stored = await this.#store.load(this.#key);
    // Another process may only have noted the time: what is in memory is the same, and already verified.
    if (stored === undefined || !this.#isInMemory(stored.record)) {
      if (stored !== undefined) await this.#turns?.next();
      this.#adopt(stored && restore(stored.record, this.#key.gun, this.#rules));
    }
    // Only now: a record that could not be adopted must not be written over by what is in memory.
    this.#revision = stored?.revision ?? 0;
    this.#savedCheckAt = stored?.record.checkedAt ?? 0;
    this.#isLoaded = true;
  }

  async #save(next: AcceptedState): Promise<boolean> {
    const isDue = next.checkedAt - this.#savedCheckAt >= CHECK_NOTE_EVERY_MS;
    if (isDue || !this.#isOnRecord(next)) {
      if (!(await this.#write(next))) return false;
    } else if ((await this.#store.revision(this.#key)) !== this.#revision) {
      return false;
    }
    this.#adopt(next);
    return true;
  }

  /** @returns false when another process was faster */
  async #write(next: AcceptedState): Promise<boolean> {
    const revision = await this.#store.save(this.#key, toRecord(next), this.#revision);
    if (revision === undefined) return false;
    this.#revision = revision;
    this.#savedCheckAt = next.checkedAt;
    return true;
  }

  #adopt(next: AcceptedState | undefined): void {
    const before = this.#state?.set;
    this.#state = next;
    if (before !== undefined && before !== next?.set) this.#onReplaced();
    for (const file of next?.files.targets.values() ?? []) {
      if (!(file instanceof Uint8Array)) this.#onRecord.add(file);
    }
  }

  #inTurn<Result>(work: () => Promise<Result>): Promise<Result> {
    const result = this.#turn.then(work);
    // Whoever comes next is not concerned by how this one ended.
    this.#turn = result.catch(() => undefined);
    return result;
  }
}
