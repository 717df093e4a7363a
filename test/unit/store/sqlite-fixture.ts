import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { TestContext } from 'node:test';
import { StateError } from '../../../src/store/errors.ts';
import { SqliteState } from '../../../src/store/sqlite-state.ts';
import { ALPINE, pinOf } from '../../contract/state-samples.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { KEY, LAYER, MANIFEST, OTHER, recordOf } from './sqlite-samples.ts';

/** A new state in `folder` with some of everything in it. */
export async function filledState(folder: string): Promise<SqliteState> {
  const state = SqliteState.open(folder, { clock: new FakeClock() });
  await state.save(KEY, recordOf('alpine'), 0);
  await state.save(OTHER, recordOf('busybox'), 0);
  await state.noteTime(1234);
  await state.secret('decoy');
  await state.recordPin(pinOf('3.20', MANIFEST.digest, 1000));
  await state.recordClosure(ALPINE, MANIFEST, [LAYER]);
  return state;
}

/** Opens the state in `folder` until the test ends. */
export function openState(t: TestContext, folder: string): SqliteState {
  const state = SqliteState.open(folder, { clock: new FakeClock() });
  t.after(() => state.close());
  return state;
}

/** A folder that does not exist yet, below one that goes when the test ends. */
export function folderOf(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'pinnace-sqlite-'));
  t.after(() => rmSync(folder, { recursive: true }));
  return join(folder, 'data');
}

/** Does to a closed state file what a careless or hostile hand could. */
export function edit(path: string, sql: string): void {
  const database = new DatabaseSync(path);
  database.exec(sql);
  database.close();
}

/** Asserts that `error` is a StateError with these facts; true, for use in `assert.throws`. */
export function isStateError(
  error: unknown,
  facts: Readonly<Record<string, string>>,
): error is StateError {
  assert.ok(error instanceof StateError);
  assert.equal(error.code, 'state_unreadable');
  for (const [name, value] of Object.entries(facts)) assert.equal(error.detail[name], value);
  return true;
}
