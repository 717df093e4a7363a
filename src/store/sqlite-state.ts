import { join } from 'node:path';
import type { Clock } from '../base/clock.ts';
import type { CollectionKey, StoredTrustRecord, TrustRecord } from '../metadata/ports.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';
import type { Repository } from '../oci/names.ts';
import type { PinRecord, VouchedContent } from '../resolve/ports.ts';
import {
  type DurableState,
  type PinHistory,
  type RecordedManifest,
  requireWhole,
  type StateEvent,
} from './durable-state.ts';
import { openSqliteFile, type SqliteFile } from './sqlite-file.ts';
import { SqliteJournal } from './sqlite-journal.ts';
import { SqlitePins } from './sqlite-pins.ts';
import { SqliteTrustRecords } from './sqlite-trust.ts';

/** The state file's name within the data folder. */
export const STATE_FILE = 'state.sqlite';

/** How many rows are read at a time, which takes milliseconds. */
const PAGE_ROWS = 500;

/** How the state of one machine is kept. */
export interface SqliteStateOptions {
  /** Gives the times of events. */
  readonly clock: Clock;
  /**
   * How long a write waits for another process to finish its own, in milliseconds; default 5000. The whole process
   * waits, which is bearable because a write takes milliseconds.
   */
  readonly busyTimeoutMs?: number;
  /** A pin verified again within this time is not written again, milliseconds; default 60000, 0 writes each. */
  readonly pinPrecisionMs?: number;
}

/**
 * The durable state of one machine, in one SQLite file that several processes may share.
 *
 * What a method has stored when it resolves survives the loss of the process and of power. Every method rejects with
 * `StateError` `state_unreadable` when the file cannot be read back whole or cannot be written (`detail.problem` says
 * which: `row-damaged`, `busy`, `full`, …); nothing is ever replaced by an empty state instead.
 */
export class SqliteState implements DurableState {
  readonly #file: SqliteFile;
  readonly #clock: Clock;
  readonly #journal: SqliteJournal;
  readonly #records: SqliteTrustRecords;
  readonly #pins: SqlitePins;

  /**
   * Opens `state.sqlite` in `folder`; both are made if they are not there.
   *
   * @throws {StateError} `state_unreadable` when there is a file and it cannot be believed, or none can be made
   */
  static open(folder: string, options: SqliteStateOptions): SqliteState {
    const file = openSqliteFile(join(folder, STATE_FILE), {
      busyTimeoutMs: options.busyTimeoutMs ?? 5000,
      initialise: (made) => new SqliteJournal(made).begin(options.clock.now()),
    });
    try {
      return new SqliteState(file, options);
    } catch (error) {
      file.close();
      throw error;
    }
  }

  /**
   * Takes over a file that is already open; `open` is the usual way.
   *
   * @throws {StateError} `state_unreadable` when its tables are not the expected ones
   * @throws {RangeError} for a negative `pinPrecisionMs`
   */
  constructor(file: SqliteFile, options: SqliteStateOptions) {
    const pinPrecisionMs = options.pinPrecisionMs ?? 60_000;
    requireWhole(pinPrecisionMs, 'pinPrecisionMs');
    this.#file = file;
    this.#clock = options.clock;
    this.#journal = new SqliteJournal(file);
    this.#records = new SqliteTrustRecords(file, this.#journal);
    this.#pins = new SqlitePins(file, pinPrecisionMs);
  }

  async load(key: CollectionKey): Promise<StoredTrustRecord | undefined> {
    return this.#records.load(key);
  }

  async revision(key: CollectionKey): Promise<number> {
    return this.#records.revision(key);
  }

  async save(
    key: CollectionKey,
    record: TrustRecord,
    expectedRevision: number,
  ): Promise<number | undefined> {
    return this.#records.save(key, record, expectedRevision);
  }

  async reset(key: CollectionKey, reason: string): Promise<boolean> {
    return this.#records.reset(key, reason, this.#clock.now());
  }

  async list(): Promise<readonly CollectionKey[]> {
    return this.#records.list();
  }

  async newestTimeSeen(): Promise<number> {
    return this.#journal.newestTime();
  }

  async noteTime(now: number): Promise<void> {
    this.#journal.noteTime(now);
  }

  async resetTime(reason: string): Promise<number | undefined> {
    return this.#journal.resetTime(reason, this.#clock.now());
  }

  async timeResets(): Promise<number> {
    return this.#journal.timeResets();
  }

  async recordPin(pin: PinRecord): Promise<void> {
    this.#pins.recordPin(pin);
  }

  async recordClosure(
    repository: Repository,
    manifest: Descriptor,
    parts: readonly Descriptor[],
  ): Promise<void> {
    this.#pins.recordClosure(repository, manifest, parts);
  }

  async vouched(repository: Repository, digest: Digest): Promise<VouchedContent | undefined> {
    const descriptor = this.#pins.vouched(repository, digest);
    return descriptor && { descriptor };
  }

  async parents(repository: Repository, digest: Digest): Promise<readonly Digest[]> {
    return this.#pins.parents(repository, digest);
  }

  async pinsOf(repository: Repository, digest: Digest): Promise<readonly PinHistory[]> {
    return this.#pins.pinsOf(repository, digest);
  }

  async wasPinned(repository: Repository, digest: Digest): Promise<boolean> {
    return this.#pins.wasPinned(repository, digest);
  }

  async recordReferrer(
    repository: Repository,
    manifest: Descriptor,
    parts: readonly Descriptor[],
  ): Promise<boolean> {
    return this.#pins.recordReferrer(repository, manifest, parts);
  }

  async referred(repository: Repository, digest: Digest): Promise<VouchedContent | undefined> {
    const descriptor = this.#pins.referred(repository, digest);
    return descriptor && { descriptor };
  }

  async pinnedRepositories(): Promise<readonly string[]> {
    return this.#pins.pinnedRepositories();
  }

  async pins(repository: Repository): Promise<readonly PinHistory[]> {
    return this.#pins.pins(repository);
  }

  async *recordedManifests(only?: ReadonlySet<string>): AsyncIterable<RecordedManifest> {
    let after: Parameters<SqlitePins['manifestsAfter']>[0] | undefined = {
      repository: '',
      digest: '',
    };
    while (after !== undefined) {
      const { rows, last } = this.#pins.manifestsAfter(after, { limit: PAGE_ROWS, only });
      yield* rows;
      after = last;
      // Reading is synchronous: pulls get their turn between two pages.
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  async secret(name: string): Promise<Uint8Array> {
    return this.#journal.secret(name);
  }

  async events(limit: number): Promise<readonly StateEvent[]> {
    return this.#journal.events(limit);
  }

  close(): void {
    this.#file.close();
  }
}
