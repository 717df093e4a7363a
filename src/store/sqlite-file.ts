import { randomBytes } from 'node:crypto';
import {
  closeSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  rmSync,
  type Stats,
  statSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { fileUnusable, guarded } from './sqlite-errors.ts';
import { APPLICATION_ID, MIGRATIONS, SCHEMA, SCHEMA_VERSION } from './sqlite-schema.ts';

/** How a state file is opened. */
export interface SqliteFileOptions {
  /** How long a write waits for another process to finish its own, in milliseconds. */
  readonly busyTimeoutMs: number;
  /** Called on the new database while it is still nobody else's, to write its first rows. */
  readonly initialise: (file: SqliteFile) => void;
}

/** One open state database. Its errors are `StateError`s, its transactions all or nothing. */
export class SqliteFile {
  readonly path: string;
  readonly #database: DatabaseSync;
  #versionOfData: StatementSync | undefined;

  constructor(path: string, database: DatabaseSync) {
    this.path = path;
    this.#database = database;
  }

  /** Another number whenever another connection, of this process or not, has changed the file. @throws {StateError} */
  dataVersion(): number {
    this.#versionOfData ??= this.prepare('PRAGMA data_version');
    const statement = this.#versionOfData;
    return Number(this.run(() => statement.get())?.['data_version']);
  }

  /** Compiles a statement. @throws {StateError} */
  prepare(sql: string): StatementSync {
    return this.run(() => this.#database.prepare(sql));
  }

  /** Runs statements that give no rows. @throws {StateError} */
  execute(sql: string): void {
    this.run(() => this.#database.exec(sql));
  }

  /** Runs `work`, whose database errors become `StateError`s. */
  run<Result>(work: () => Result): Result {
    return guarded(this.path, work);
  }

  /** Runs `work` alone among all writers of the file: all of it is stored durably, or, when it throws, nothing. */
  transaction<Result>(work: () => Result): Result {
    return this.run(() => {
      this.#database.exec('BEGIN IMMEDIATE');
      try {
        const result = work();
        this.#database.exec('COMMIT');
        return result;
      } catch (error) {
        // Some failures, a full disk among them, have ended the transaction already.
        if (this.#database.isTransaction) this.#database.exec('ROLLBACK');
        throw error;
      }
    });
  }

  close(): void {
    if (this.#database.isOpen) this.run(() => this.#database.close());
  }
}

/**
 * Opens the state database at `path`, making it (mode 0600) and its folder (0700) if they are not there, and checks it.
 *
 * A new database is made under another name and moved into place complete. So an empty or half-made file at `path` is
 * always damage, and is refused like any other, never taken for a fresh start.
 *
 * @throws {StateError} `state_unreadable`
 */
export function openSqliteFile(path: string, options: SqliteFileOptions): SqliteFile {
  // The log is looked for first: another process that is just making the database has the file before the log.
  const log = fileStats(`${path}-wal`);
  if (fileStats(path) === undefined) {
    if (log !== undefined) {
      throw fileUnusable(path, 'orphaned-log', { sentence: 'is missing, but its log is there' });
    }
    create(path, options);
  }
  if (fileStats(path)?.size === 0) {
    throw fileUnusable(path, 'not-a-database', { sentence: 'is empty' });
  }
  const file = connect(path, options.busyTimeoutMs);
  try {
    requireIntact(file);
    return file;
  } catch (error) {
    file.close();
    throw error;
  }
}

function connect(path: string, busyTimeoutMs: number): SqliteFile {
  const database = guarded(path, () => new DatabaseSync(path, { timeout: busyTimeoutMs }));
  return new SqliteFile(path, database);
}

function requireIntact(file: SqliteFile): void {
  // Before the first statement that touches the content: nothing in the file may run as code, wrong cells are noticed.
  file.execute('PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON');
  const applicationId = pragma(file, 'application_id');
  const version = pragma(file, 'user_version');
  if (applicationId !== APPLICATION_ID || Number(version) < 1) {
    throw fileUnusable(file.path, 'foreign-database', {
      sentence: 'is the database of something else',
    });
  }
  if (Number(version) > SCHEMA_VERSION) {
    throw fileUnusable(file.path, 'newer-version', {
      sentence: `has schema version ${version}, this program knows ${SCHEMA_VERSION}: run the newer Pinnace that wrote it`,
      facts: { schemaVersion: Number(version), knownVersion: SCHEMA_VERSION },
    });
  }
  const verdict = pragma(file, 'quick_check');
  if (verdict !== 'ok') {
    throw fileUnusable(file.path, 'check-failed', {
      sentence: 'is damaged',
      facts: { finding: String(verdict) },
    });
  }
  file.execute('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON');
  migrate(file);
}

/** Brings a database of an earlier version up to this one; of several processes that try, the first one does it. */
function migrate(file: SqliteFile): void {
  if (pragma(file, 'user_version') === SCHEMA_VERSION) return;
  file.transaction(() => {
    const from = Number(pragma(file, 'user_version'));
    for (let version = from; version < SCHEMA_VERSION; version += 1) {
      file.execute(`${MIGRATIONS.get(version) ?? ''}; PRAGMA user_version = ${version + 1}`);
    }
  });
}

/** The first value of a pragma. */
function pragma(file: SqliteFile, name: string): unknown {
  const row = file.run(() => file.prepare(`PRAGMA ${name}`).get());
  return row === undefined ? undefined : Object.values(row)[0];
}

function create(path: string, options: SqliteFileOptions): void {
  const draft = `${path}.new-${process.pid}-${randomBytes(6).toString('hex')}`;
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    closeSync(openSync(draft, 'wx', 0o600));
    try {
      fill(connect(draft, options.busyTimeoutMs), options);
      putInPlace(draft, path);
    } finally {
      for (const suffix of ['', '-wal', '-shm']) rmSync(`${draft}${suffix}`, { force: true });
    }
  } catch (error) {
    if (!isSystemError(error)) throw error;
    throw fileUnusable(path, 'cannot-open', { sentence: 'cannot be created', cause: error });
  }
}

/** Writes the schema and the first rows of a new database, then closes it, which leaves one complete file. */
function fill(file: SqliteFile, options: SqliteFileOptions): void {
  try {
    file.execute(`PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; BEGIN; ${SCHEMA}
      PRAGMA application_id = ${APPLICATION_ID}; PRAGMA user_version = ${SCHEMA_VERSION}`);
    options.initialise(file);
    file.execute('COMMIT');
  } finally {
    file.close();
  }
}

/** Unlike a rename, a link never replaces what another process has put there meanwhile. */
function putInPlace(draft: string, path: string): void {
  try {
    linkSync(draft, path);
  } catch (error) {
    if (isSystemError(error) && error.code === 'EEXIST') return;
    throw error;
  }
  // Windows has no such thing as opening a folder, and writes its entries through.
  if (process.platform === 'win32') return;
  const folder = openSync(dirname(path), 'r');
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}

function fileStats(path: string): Stats | undefined {
  try {
    return statSync(path, { throwIfNoEntry: false });
  } catch (error) {
    throw fileUnusable(path, 'cannot-open', { sentence: 'cannot be looked at', cause: error });
  }
}

function isSystemError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && 'syscall' in error;
}
