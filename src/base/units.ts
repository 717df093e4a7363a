import { CodedError } from './coded-error.ts';

/** What can be wrong with a text that should carry a unit. */
type UnitErrorCode = 'unit_missing' | 'unit_unknown' | 'not_a_number' | 'too_large';

/** A duration or size that cannot be read; `detail.suggestion`, where there is one, is what was probably meant. */
export class UnitError extends CodedError<UnitErrorCode> {}

/** Units of duration with their length in milliseconds, longest first. */
const DURATION_UNITS: ReadonlyMap<string, number> = new Map([
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1_000],
  ['ms', 1],
]);

/** Units of size with their length in bytes, longest first. */
const SIZE_UNITS: ReadonlyMap<string, number> = new Map([
  ['TiB', 2 ** 40],
  ['TB', 1e12],
  ['GiB', 2 ** 30],
  ['GB', 1e9],
  ['MiB', 2 ** 20],
  ['MB', 1e6],
  ['KiB', 2 ** 10],
  ['KB', 1e3],
  ['B', 1],
]);

/** The form of a duration as a regular expression, for schemas. */
export const DURATION_FORM = '^[0-9]+(?:ms|s|m|h|d)$';

/** The form of a size as a regular expression, for schemas. */
export const SIZE_FORM = '^[0-9]+(?:B|KB|KiB|MB|MiB|GB|GiB|TB|TiB)$';

const NUMBER_AND_REST = /^([0-9]{1,30})([^0-9].{0,15})?$/;

/** What is usually meant by units that are not ours. */
const ALIASES: ReadonlyMap<string, string> = new Map([
  ['sec', 's'],
  ['secs', 's'],
  ['second', 's'],
  ['seconds', 's'],
  ['min', 'm'],
  ['mins', 'm'],
  ['minute', 'm'],
  ['minutes', 'm'],
  ['hour', 'h'],
  ['hours', 'h'],
  ['day', 'd'],
  ['days', 'd'],
  ['k', 'KiB'],
  ['m', 'MiB'],
  ['g', 'GiB'],
  ['t', 'TiB'],
  ['ki', 'KiB'],
  ['mi', 'MiB'],
  ['gi', 'GiB'],
  ['ti', 'TiB'],
  ['byte', 'B'],
  ['bytes', 'B'],
]);

/**
 * Reads a duration such as `500ms`, `60s`, `5m`, `1h`, `2d`: a whole number and one unit.
 *
 * @returns milliseconds, at most 2^53 - 1
 * @throws {UnitError} `unit_missing`, `unit_unknown`, `not_a_number`, `too_large`
 */
export function parseDuration(text: string): number {
  return parseWithUnit(text, DURATION_UNITS, 's');
}

/**
 * Reads a size such as `4096B`, `64MiB` (powers of 1024) or `10GB` (powers of 1000): a whole number and one unit.
 *
 * @returns bytes, at most 2^53 - 1
 * @throws {UnitError} `unit_missing`, `unit_unknown`, `not_a_number`, `too_large`
 */
export function parseSize(text: string): number {
  return parseWithUnit(text, SIZE_UNITS, 'B');
}

/** Writes whole, non-negative milliseconds in the longest unit that loses nothing: `90000` is `90s`, `0` is `0s`. */
export function formatDuration(durationMs: number): string {
  return formatWithUnit(durationMs, DURATION_UNITS, 's');
}

/** Writes whole, non-negative bytes in the longest unit that loses nothing: `67108864` is `64MiB`, `0` is `0B`. */
export function formatSize(bytes: number): string {
  return formatWithUnit(bytes, SIZE_UNITS, 'B');
}

function parseWithUnit(text: string, units: ReadonlyMap<string, number>, plain: string): number {
  const known = [...units.keys()].toReversed().join(', ');
  const parts = NUMBER_AND_REST.exec(text);
  const digits = parts?.[1];
  if (digits === undefined) {
    throw new UnitError('not_a_number', `must be a whole number with a unit (${known})`);
  }
  const unit = parts?.[2];
  if (unit === undefined) {
    throw new UnitError('unit_missing', `has no unit (${known})`, {
      detail: { suggestion: `${digits}${plain}` },
    });
  }
  const factor = units.get(unit);
  if (factor === undefined) throw unknownUnit(digits, unit, units);
  const value = Number(digits) * factor;
  if (!Number.isSafeInteger(value)) throw new UnitError('too_large', 'is too large');
  return value;
}

function unknownUnit(digits: string, unit: string, units: ReadonlyMap<string, number>): UnitError {
  const wanted = unit.trim().toLowerCase();
  const meant =
    [...units.keys()].find((name) => name.toLowerCase() === wanted) ??
    [ALIASES.get(wanted)].find((name) => name !== undefined && units.has(name));
  return new UnitError(
    'unit_unknown',
    `has an unknown unit; known are ${[...units.keys()].toReversed().join(', ')}`,
    meant === undefined ? {} : { detail: { suggestion: `${digits}${meant}` } },
  );
}

function formatWithUnit(value: number, units: ReadonlyMap<string, number>, plain: string): string {
  if (value !== 0) {
    const longestFirst = [...units].sort((a, b) => b[1] - a[1]);
    // Fewest digits wins, so that 10 GB is not written as 9765625KiB.
    const forms = longestFirst
      .filter(([, factor]) => value % factor === 0)
      .map(([unit, factor]) => `${value / factor}${unit}`)
      .sort((a, b) => Number.parseInt(a, 10) - Number.parseInt(b, 10));
    const shortest = forms[0];
    if (shortest !== undefined) return shortest;
  }
  return `0${plain}`;
}
