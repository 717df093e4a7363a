import assert from 'node:assert/strict';
import { mkdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, it, type TestContext } from 'node:test';
import { openSqliteFile } from '../../../src/store/sqlite-file.ts';
import { SqliteJournal } from '../../../src/store/sqlite-journal.ts';
import { SqliteState, STATE_FILE } from '../../../src/store/sqlite-state.ts';
import { ALPINE, bytes, pinOf } from '../../contract/state-samples.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { filledState, folderOf, isStateError, openState } from './sqlite-fixture.ts';
import { KEY, LAYER, MANIFEST, NEW, OTHER, recordOf } from './sqlite-samples.ts';

describe('a state that is closed and opened again', () => {
  it('has everything that was stored', async (t) => {
    const folder = folderOf(t);
    const before = await filledState(folder);
    const secret = await before.secret('decoy');
    const record = await before.load(KEY);
    before.close();
    before.close();
    const after = openState(t, folder);
    assert.deepEqual(await after.load(KEY), record);
    assert.deepEqual(await after.list(), [KEY, OTHER]);
    assert.deepEqual(await after.secret('decoy'), secret);
    assert.equal(await after.newestTimeSeen(), 1234);
    assert.equal(await after.wasPinned(ALPINE, MANIFEST.digest), true);
    assert.deepEqual(await after.vouched(ALPINE, LAYER.digest), { descriptor: LAYER });
    assert.equal((await after.events(10)).length, 1);
  });

  it('is readable by its owner alone', async (t) => {
    const folder = folderOf(t);
    const state = await filledState(folder);
    assert.equal(statSync(folder).mode & 0o777, 0o700);
    for (const suffix of ['', '-wal', '-shm']) {
      assert.equal(statSync(join(folder, `${STATE_FILE}${suffix}`)).mode & 0o777, 0o600);
    }
    state.close();
  });

  it('leaves a folder that was there as it was', (t) => {
    const folder = folderOf(t);
    mkdirSync(folder, { mode: 0o750 });
    openState(t, folder);
    assert.equal(statSync(folder).mode & 0o777, 0o750);
  });
});

const WRITES: readonly (readonly [string, (state: SqliteState) => Promise<unknown>])[] = [
  ['save', (state) => state.save(NEW, recordOf('x'.repeat(200_000)), 0)],
  ['reset', (state) => state.reset(KEY, 'x'.repeat(200_000))],
  ['noteTime', (state) => state.noteTime(9999)],
  ['secret', (state) => state.secret('x'.repeat(200_000))],
  ['recordPin', (state) => state.recordPin(pinOf('x'.repeat(200_000), MANIFEST.digest, 1))],
  [
    'recordClosure',
    (state) => state.recordClosure(ALPINE, { ...MANIFEST, mediaType: 'x'.repeat(200_000) }, []),
  ],
];

describe('a write that fails', () => {
  for (const [name, write] of WRITES) {
    it(`says so and changes nothing: ${name}, read-only`, async (t) => {
      const { state, execute } = await exposedState(t);
      execute('PRAGMA query_only = ON');
      await assert.rejects(write(state), (error) => isStateError(error, { problem: 'read-only' }));
      await requireUnchanged(state);
    });

    it(`says so and changes nothing: ${name}, locked by another process`, async (t) => {
      const { state, execute, path } = await exposedState(t);
      execute('PRAGMA busy_timeout = 1');
      const holder = new DatabaseSync(path);
      holder.exec('BEGIN IMMEDIATE');
      await assert.rejects(write(state), (error) => isStateError(error, { problem: 'busy' }));
      await requireUnchanged(state);
      holder.close();
      await write(state);
    });

    // The newest time fits where the old one was.
    if (name === 'noteTime') continue;
    it(`says so and changes nothing: ${name}, disk full`, async (t) => {
      const { state, execute } = await exposedState(t);
      execute('PRAGMA max_page_count = 1');
      await assert.rejects(
        write(state),
        (error) => isStateError(error, { problem: 'full' }) && error.cause instanceof Error,
      );
      await requireUnchanged(state);
      execute('PRAGMA max_page_count = 100000');
      await write(state);
    });
  }
});

describe('writing only what changed', () => {
  it('does not write a closure twice, nor a pin within the precision', async (t) => {
    const { state, writes } = await exposedState(t);
    const before = writes();
    await state.recordClosure(ALPINE, MANIFEST, [LAYER]);
    await state.recordPin(pinOf('3.20', MANIFEST.digest, 1000 + 59_999));
    await state.noteTime(1234);
    await state.secret('decoy');
    assert.equal(writes(), before);
    await state.recordPin(pinOf('3.20', MANIFEST.digest, 1000 + 60_000));
    assert.equal(writes(), before + 1);
  });

  it('writes only the metadata files that are new', async (t) => {
    const { state, writes } = await exposedState(t);
    const stored = await state.load(KEY);
    assert.ok(stored);
    const before = writes();
    const record = { ...stored.record, timestamp: bytes('next'), checkedAt: 9 };
    await state.save(KEY, record, stored.revision);
    // The revision counter, the record and the timestamp.
    assert.equal(writes(), before + 3);
    assert.deepEqual((await state.load(KEY))?.record, record);
  });

  it('refuses a precision that is none', (t) => {
    const folder = folderOf(t);
    const open = () => SqliteState.open(folder, { clock: new FakeClock(), pinPrecisionMs: -1 });
    assert.throws(open, RangeError);
  });
});

/** A filled state and the connection below it, to make that one fail. */
async function exposedState(t: TestContext): Promise<{
  readonly state: SqliteState;
  readonly path: string;
  readonly execute: (sql: string) => void;
  readonly writes: () => number;
}> {
  const folder = folderOf(t);
  (await filledState(folder)).close();
  const path = join(folder, STATE_FILE);
  const file = openSqliteFile(path, {
    busyTimeoutMs: 1000,
    initialise: (made) => new SqliteJournal(made).begin(0),
  });
  const state = new SqliteState(file, { clock: new FakeClock() });
  t.after(() => state.close());
  const changes = file.prepare('SELECT total_changes() AS n');
  return {
    state,
    path,
    execute: (sql) => file.execute(sql),
    writes: () => Number(Object.values(changes.get() ?? {})[0]),
  };
}

async function requireUnchanged(state: SqliteState): Promise<void> {
  assert.deepEqual(await state.list(), [KEY, OTHER]);
  assert.equal(await state.newestTimeSeen(), 1234);
  assert.equal((await state.pins(ALPINE)).length, 1);
  assert.deepEqual(await state.vouched(ALPINE, MANIFEST.digest), { descriptor: MANIFEST });
  assert.equal((await state.events(10)).length, 1);
}
