import { randomBytes } from 'node:crypto';
import type { StatementSync } from 'node:sqlite';
import { requireWhole, SECRET_BYTES, type StateEvent } from './durable-state.ts';
import { rowDamaged } from './sqlite-errors.ts';
import type { SqliteFile } from './sqlite-file.ts';
import { RowReader, seal } from './sqlite-row.ts';

const EVENT_KINDS = ['created', 'first-use', 'reset', 'clock-reset'] as const;
const REVISION = 'revision';
const NEWEST_TIME = 'newest-time';

/** The single values of a state file: counters, secrets, and the record of events. */
export class SqliteJournal {
  readonly #file: SqliteFile;
  readonly #selectNumber: StatementSync;
  readonly #raiseNumber: StatementSync;
  readonly #lowerNumber: StatementSync;
  readonly #selectSecret: StatementSync;
  readonly #insertSecret: StatementSync;
  readonly #insertEvent: StatementSync;
  readonly #selectEvents: StatementSync;
  readonly #countEvents: StatementSync;
  /** The newest time known to be stored, which spares most writes. */
  #notedTime = 0;

  constructor(file: SqliteFile) {
    this.#file = file;
    this.#selectNumber = file.prepare('SELECT value, seal FROM number WHERE name = ?');
    this.#raiseNumber = file.prepare(
      'UPDATE number SET value = ?, seal = ? WHERE name = ? AND value < ?',
    );
    this.#lowerNumber = file.prepare(
      'UPDATE number SET value = ?, seal = ? WHERE name = ? AND value > ?',
    );
    this.#selectSecret = file.prepare('SELECT value, seal FROM secret WHERE name = ?');
    this.#insertSecret = file.prepare('INSERT INTO secret (name, value, seal) VALUES (?, ?, ?)');
    this.#insertEvent = file.prepare(
      'INSERT INTO event (kind, source, gun, reason, at, seal) VALUES (?, ?, ?, ?, ?, ?)',
    );
    this.#selectEvents = file.prepare(
      'SELECT kind, source, gun, reason, at, seal FROM event ORDER BY id DESC LIMIT ?',
    );
    this.#countEvents = file.prepare('SELECT COUNT(*) AS count FROM event WHERE kind = ?');
  }

  /** Writes the first rows of a new file; call once, inside the transaction that makes it. */
  begin(at: number): void {
    const insert = this.#file.prepare('INSERT INTO number (name, value, seal) VALUES (?, 0, ?)');
    for (const name of [REVISION, NEWEST_TIME]) insert.run(name, seal('number', [name, 0]));
    this.append({ kind: 'created', collection: undefined, reason: '', at });
  }

  /**
   * A revision number never used before; call inside a transaction. One counter for all collections, so that a number
   * does not come back after a reset and a writer that loaded before it cannot bring back what was forgotten.
   */
  nextRevision(): number {
    const next = this.#number(REVISION) + 1;
    this.#raise(REVISION, next);
    return next;
  }

  /** As `TrustStateStore.newestTimeSeen`. */
  newestTime(): number {
    const newest = this.#file.run(() => this.#number(NEWEST_TIME));
    // Another process may have lowered it: what this one wrote before is then no longer stored.
    this.#notedTime = Math.min(this.#notedTime, newest);
    return newest;
  }

  /** As `TrustStateStore.noteTime`. */
  noteTime(now: number): void {
    requireWhole(now, 'now');
    if (now <= this.#notedTime) return;
    this.#file.run(() => this.#raise(NEWEST_TIME, now));
    this.#notedTime = now;
  }

  /** As `DurableState.resetTime`. */
  resetTime(reason: string, at: number): number | undefined {
    requireWhole(at, 'at');
    const before = this.#file.transaction(() => {
      const stored = this.#number(NEWEST_TIME);
      if (stored <= at) return undefined;
      this.#lowerNumber.run(at, seal('number', [NEWEST_TIME, at]), NEWEST_TIME, at);
      this.append({ kind: 'clock-reset', collection: undefined, reason, at });
      return stored;
    });
    this.#notedTime = Math.min(this.#notedTime, at);
    return before;
  }

  /** As `DurableState.timeResets`. */
  timeResets(): number {
    return this.#file.run(() => Number(this.#countEvents.get('clock-reset')?.['count'] ?? 0));
  }

  /** As `DurableState.secret`. */
  secret(name: string): Uint8Array {
    return this.#file.run(
      () => this.#storedSecret(name) ?? this.#file.transaction(() => this.#makeSecret(name)),
    );
  }

  /** Adds an event to the record; call inside the transaction that does what it tells of. */
  append(event: StateEvent): void {
    const { kind, collection, at } = event;
    const { source, gun } = collection ?? { source: null, gun: null };
    const values = [kind, source, gun, event.reason.toWellFormed(), at] as const;
    this.#insertEvent.run(...values, seal('event', values));
  }

  /** As `DurableState.events`. */
  events(limit: number): readonly StateEvent[] {
    requireWhole(limit, 'limit');
    return this.#file.run(() =>
      this.#selectEvents.all(limit).map((row) => {
        const reader = new RowReader(row, { file: this.#file.path, table: 'event' });
        const kind = reader.oneOf('kind', EVENT_KINDS);
        const [source, gun] = [reader.textOrNull('source'), reader.textOrNull('gun')];
        const [reason, at] = [reader.text('reason'), reader.integer('at')];
        reader.requireSeal([kind, source, gun, reason, at]);
        const collection = source === null || gun === null ? undefined : { source, gun };
        return { kind, collection, reason, at };
      }),
    );
  }

  #number(name: string): number {
    const place = { file: this.#file.path, table: 'number' };
    const row = this.#selectNumber.get(name);
    if (row === undefined) throw rowDamaged(place);
    const reader = new RowReader(row, place);
    const value = reader.integer('value');
    reader.requireSeal([name, value]);
    return value;
  }

  #raise(name: string, value: number): void {
    this.#raiseNumber.run(value, seal('number', [name, value]), name, value);
  }

  #storedSecret(name: string): Uint8Array | undefined {
    const row = this.#selectSecret.get(name);
    if (row === undefined) return undefined;
    const place = { file: this.#file.path, table: 'secret' };
    const reader = new RowReader(row, place);
    const value = reader.bytes('value');
    reader.requireSeal([name, value]);
    return value;
  }

  #makeSecret(name: string): Uint8Array {
    // Another process may have made it since it was looked for.
    const stored = this.#storedSecret(name);
    if (stored !== undefined) return stored;
    const value = Uint8Array.from(randomBytes(SECRET_BYTES));
    this.#insertSecret.run(name, value, seal('secret', [name, value]));
    return value;
  }
}
