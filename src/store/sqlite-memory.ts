import { LRUCache } from 'lru-cache';
import type { SqliteFile } from './sqlite-file.ts';

/**
 * Rows of a state file as they were read, for as long as nobody has changed the file: each look asks SQLite whether another
 * process has, and whoever writes here calls `forget`.
 *
 * @source SQLite (pragma.html#pragma_data_version)
 */
export class RowsInMemory<Row extends object> {
  readonly #file: SqliteFile;
  readonly #rows: LRUCache<string, Row>;
  #version: number | undefined;

  /** @param max - how many rows are kept; the least recently used go first */
  constructor(file: SqliteFile, max: number) {
    this.#file = file;
    this.#rows = new LRUCache({ max });
  }

  /** The row as the file has it now: from memory, or as `read` finds it; a row that is not there is looked for each time. */
  get(key: string, read: () => Row | undefined): Row | undefined {
    // Looked at before the row is read: what changes in between is noticed the next time.
    const version = this.#file.dataVersion();
    if (version !== this.#version) {
      this.#rows.clear();
      this.#version = version;
    }
    const known = this.#rows.get(key);
    if (known !== undefined) return known;
    const row = read();
    if (row !== undefined) this.#rows.set(key, row);
    return row;
  }

  /** To be called after every write of this process: SQLite tells only of those of others. */
  forget(): void {
    this.#rows.clear();
  }
}
