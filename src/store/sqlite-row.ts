import { createHash } from 'node:crypto';
import type { SQLOutputValue } from 'node:sqlite';
import { type RowPlace, rowDamaged } from './sqlite-errors.ts';

/** What a seal covers: the row's own columns, or, for a record, rows that belong to it. */
export type Sealable = string | number | null | Uint8Array | readonly Sealable[];

/**
 * SHA-256 over the canonical form of `values`: JSON of an array that begins with the table's name, bytes in hex. Two
 * different rows of a table never have the same canonical form.
 */
export function seal(table: string, values: readonly Sealable[]): Uint8Array {
  const text = JSON.stringify(canonical([table, ...values]));
  return createHash('sha256').update(text).digest();
}

function canonical(value: Sealable): unknown {
  if (value instanceof Uint8Array) return [Buffer.from(value).toString('hex')];
  if (typeof value === 'object' && value !== null) return value.map(canonical);
  return value;
}

/** Reads the columns of one row as what they must be. */
export class RowReader {
  readonly #row: Readonly<Record<string, SQLOutputValue>>;
  readonly #place: RowPlace;

  constructor(row: Readonly<Record<string, SQLOutputValue>>, place: RowPlace) {
    this.#row = row;
    this.#place = place;
  }

  /** @throws {StateError} `state_unreadable` when the column holds anything else */
  text(column: string): string {
    const value = this.#row[column];
    if (typeof value !== 'string') throw rowDamaged(this.#place);
    return value;
  }

  /** @throws {StateError} `state_unreadable` when the column holds anything else */
  integer(column: string): number {
    const value = this.#row[column];
    if (typeof value !== 'number') throw rowDamaged(this.#place);
    return value;
  }

  /** @throws {StateError} `state_unreadable` when the column holds anything else */
  bytes(column: string): Uint8Array {
    const value = this.#row[column];
    if (!(value instanceof Uint8Array)) throw rowDamaged(this.#place);
    return value;
  }

  /** Null stays null. @throws {StateError} `state_unreadable` when the column holds anything else */
  textOrNull(column: string): string | null {
    return this.#row[column] === null ? null : this.text(column);
  }

  /** One of `allowed`. @throws {StateError} `state_unreadable` when the column holds anything else */
  oneOf<Choice extends string>(column: string, allowed: readonly Choice[]): Choice {
    const value = this.text(column);
    const choice = allowed.find((candidate) => candidate === value);
    if (choice === undefined) throw rowDamaged(this.#place);
    return choice;
  }

  /** @throws {StateError} `state_unreadable` when the row's seal is not that of `values` */
  requireSeal(values: readonly Sealable[]): void {
    const expected = seal(this.#place.table, values);
    if (Buffer.compare(this.bytes('seal'), expected) !== 0) throw rowDamaged(this.#place);
  }
}
