import type { Facts } from '../base/coded-error.ts';
import { SHARED_GUN } from '../base/shared-gun.ts';
import type { CollectionKey } from '../metadata/ports.ts';
import { StateError } from './errors.ts';

/** What kept the state from being read or written; `detail.problem` of the error. */
export type StateProblem =
  | 'not-a-database'
  | 'foreign-database'
  | 'newer-version'
  | 'check-failed'
  | 'orphaned-log'
  | 'row-damaged'
  | 'busy'
  | 'full'
  | 'read-only'
  | 'cannot-open'
  | 'io';

/** Which row was found damaged. */
export interface RowPlace {
  readonly file: string;
  readonly table: string;
  /** Set when the row belongs to one collection, which then can be reset alone. */
  readonly collection?: CollectionKey;
}

const NEEDS_RECOVERY: ReadonlySet<StateProblem> = new Set<StateProblem>([
  'not-a-database',
  'foreign-database',
  'newer-version',
  'check-failed',
  'orphaned-log',
  'row-damaged',
]);

/** What happened, by SQLite's primary result code. */
const PROBLEMS: ReadonlyMap<number, readonly [StateProblem, string]> = new Map<
  number,
  readonly [StateProblem, string]
>([
  [3, ['cannot-open', 'may not be opened by this user']],
  [5, ['busy', 'is locked by another process']],
  [6, ['busy', 'is locked by another connection']],
  [8, ['read-only', 'cannot be written: it or its folder is read-only']],
  [10, ['io', 'cannot be read or written: the disk reports an error']],
  [11, ['check-failed', 'is damaged']],
  [13, ['full', 'cannot be written: the disk is full']],
  [14, ['cannot-open', 'cannot be opened']],
  [26, ['not-a-database', 'is not a database']],
]);

/** An error about the whole state file; it names the way out where there is nothing to repair first. */
export function fileUnusable(
  file: string,
  problem: StateProblem,
  options: { readonly sentence: string; readonly facts?: Facts; readonly cause?: unknown },
): StateError {
  const remedy = NEEDS_RECOVERY.has(problem) ? `; ${startAgain(file)}` : '';
  return new StateError('state_unreadable', `trust state ${file} ${options.sentence}${remedy}`, {
    detail: { ...options.facts, file, problem },
    cause: options.cause,
  });
}

/** An error about one row whose content is not what was stored. */
export function rowDamaged(place: RowPlace, cause?: unknown): StateError {
  const { file, table, collection } = place;
  if (collection === undefined) {
    return fileUnusable(file, 'row-damaged', {
      sentence: `has a damaged row in table ${table}`,
      facts: { table },
      cause,
    });
  }
  const { source, gun } = collection;
  const isShared = gun === SHARED_GUN;
  const [whose, named] = isShared ? ['all repositories', 'REPOSITORY'] : [gun, gun];
  return new StateError(
    'state_unreadable',
    `the trust state of ${whose} (source ${source}) in ${file} is damaged; to take its anchor from the configuration anew: pinnace trust reset ${named}`,
    { detail: { file, table, source, gun, problem: 'row-damaged' }, cause },
  );
}

/**
 * Runs `work` on the database at `file`.
 *
 * @throws {StateError} `state_unreadable` in place of every error of the database itself
 */
export function guarded<Result>(file: string, work: () => Result): Result {
  try {
    return work();
  } catch (error) {
    throw databaseError(file, error);
  }
}

function databaseError(file: string, error: unknown): unknown {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  // A number no program of ours stores: the value was altered.
  if (code === 'ERR_OUT_OF_RANGE') {
    return fileUnusable(file, 'check-failed', {
      sentence: 'holds an impossible value',
      cause: error,
    });
  }
  if (code !== 'ERR_SQLITE_ERROR' || !(error instanceof Error)) return error;
  const result = 'errcode' in error && typeof error.errcode === 'number' ? error.errcode : 1;
  const [problem, sentence] = PROBLEMS.get(result & 0xff) ?? [
    'check-failed',
    `does not have the expected form (${error.message})`,
  ];
  return fileUnusable(file, problem, { sentence, facts: { sqliteCode: result }, cause: error });
}

function startAgain(file: string): string {
  return `to give it up, move ${file} away together with ${file}-wal and ${file}-shm and start again; anchors are then taken from the configuration anew`;
}
