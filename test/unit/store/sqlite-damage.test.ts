import assert from 'node:assert/strict';
import {
  copyFileSync,
  mkdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { describe, it } from 'node:test';
import { StateError } from '../../../src/store/errors.ts';
import { type SqliteState, STATE_FILE } from '../../../src/store/sqlite-state.ts';
import { ALPINE, bytes, digestOf } from '../../contract/state-samples.ts';
import { edit, filledState, folderOf, isStateError, openState } from './sqlite-fixture.ts';
import { KEY, LAYER, NEW, OTHER, recordOf } from './sqlite-samples.ts';

interface FileDamage {
  readonly name: string;
  readonly problem: string;
  readonly apply: (path: string) => void;
}

const FILE_DAMAGES: readonly FileDamage[] = [
  {
    name: 'not a database',
    problem: 'not-a-database',
    apply: (path) => writeFileSync(path, 'never was a database '.repeat(100)),
  },
  { name: 'empty', problem: 'not-a-database', apply: (path) => truncateSync(path, 0) },
  { name: 'cut off', problem: 'check-failed', apply: (path) => truncateSync(path, 3 * 4096) },
  {
    name: 'pages overwritten',
    problem: 'check-failed',
    apply: (path) => {
      const content = readFileSync(path);
      writeFileSync(path, content.fill(0xa5, 4096, content.length - 4096));
    },
  },
  {
    name: 'missing beside its log',
    problem: 'orphaned-log',
    apply: (path) => {
      copyFileSync(path, `${path}-wal`);
      rmSync(path);
    },
  },
  {
    name: 'another schema version',
    problem: 'newer-version',
    apply: (path) => edit(path, 'PRAGMA user_version = 3'),
  },
  {
    name: 'the database of another program',
    problem: 'foreign-database',
    apply: (path) => edit(path, 'PRAGMA application_id = 7'),
  },
  {
    name: 'a database without a version',
    problem: 'foreign-database',
    apply: (path) => edit(path, 'PRAGMA user_version = 0'),
  },
  {
    name: 'a table missing',
    problem: 'check-failed',
    apply: (path) => edit(path, 'DROP TABLE vouched'),
  },
];

describe('a state file that cannot be believed', () => {
  for (const { name, problem, apply } of FILE_DAMAGES) {
    it(`is refused at every start and left as it is: ${name}`, async (t) => {
      const folder = folderOf(t);
      (await filledState(folder)).close();
      const path = join(folder, STATE_FILE);
      apply(path);
      for (const _attempt of [1, 2]) {
        assert.throws(
          () => openState(t, folder),
          (error) =>
            isStateError(error, { problem, file: path }) && /move .* away/.test(error.message),
        );
      }
    });
  }

  it('is refused where a folder has its name', (t) => {
    const folder = folderOf(t);
    mkdirSync(join(folder, STATE_FILE), { recursive: true });
    assert.throws(() => openState(t, folder), StateError);
  });

  it('is refused where its folder cannot be made', (t) => {
    const folder = folderOf(t);
    writeFileSync(folder, '');
    assert.throws(
      () => openState(t, join(folder, 'data')),
      (error) => isStateError(error, { problem: 'cannot-open' }),
    );
  });

  it('is refused where its folder has an impossible name', (t) => {
    const folder = join(folderOf(t), 'x'.repeat(300));
    assert.throws(
      () => openState(t, folder),
      (error) => isStateError(error, { problem: 'cannot-open' }),
    );
  });

  it('can be moved away, which is recorded in the new one', async (t) => {
    const folder = folderOf(t);
    (await filledState(folder)).close();
    rmSync(join(folder, STATE_FILE));
    const state = openState(t, folder);
    assert.equal(await state.load(KEY), undefined);
    assert.deepEqual(
      (await state.events(10)).map((event) => event.kind),
      ['created'],
    );
  });
});

const RECORD_DAMAGES: readonly (readonly [string, string])[] = [
  ['bytes altered', `UPDATE trust_file SET content = x'00' WHERE slot = 'timestamp'`],
  [
    'bytes and their hash altered',
    `UPDATE trust_file SET content = x'00',
       sha256 = x'6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d'
     WHERE slot = 'timestamp'`,
  ],
  ['a file missing', `DELETE FROM trust_file WHERE slot = 'role:"targets"'`],
  ['the root missing', `DELETE FROM trust_file WHERE slot = 'root'`],
  ['all files missing', `DELETE FROM trust_file`],
  ['a file under another name', `UPDATE trust_file SET slot = 'role:"x"' WHERE slot = 'snapshot'`],
  ['a role name that is none', `UPDATE trust_file SET slot = 'role:x' WHERE slot = 'snapshot'`],
  [
    'an additional file',
    `INSERT INTO trust_file SELECT source, gun, 'role:"y"', sha256, content
     FROM trust_file WHERE slot = 'root'`,
  ],
  ['the revision lowered', 'UPDATE trust_record SET revision = revision - 1'],
  ['the admission changed', `UPDATE trust_record SET admission = 'first-use'`],
  ['an unknown admission', `UPDATE trust_record SET admission = 'by-magic'`],
  ['a time changed', 'UPDATE trust_record SET checked_at = checked_at + 1'],
  ['a time beyond all numbers', 'UPDATE trust_record SET checked_at = 9223372036854775807'],
  ['the seal emptied', `UPDATE trust_record SET seal = x''`],
  [
    'two collections exchanged',
    `PRAGMA foreign_keys = OFF;
     UPDATE trust_record SET gun = 'x' || gun; UPDATE trust_file SET gun = 'x' || gun;
     UPDATE trust_record SET gun = CASE gun WHEN 'x${KEY.gun}' THEN '${OTHER.gun}' ELSE '${KEY.gun}' END;
     UPDATE trust_file SET gun = CASE gun WHEN 'x${KEY.gun}' THEN '${OTHER.gun}' ELSE '${KEY.gun}' END`,
  ],
];

describe('a damaged trust record', () => {
  for (const [name, sql] of RECORD_DAMAGES) {
    it(`is refused until an operator resets it: ${name}`, async (t) => {
      const folder = folderOf(t);
      (await filledState(folder)).close();
      edit(join(folder, STATE_FILE), sql);
      const state = openState(t, folder);
      await assert.rejects(state.load(KEY), (error) => isStateError(error, {}));
      assert.ok((await state.list()).some((key) => key.gun === KEY.gun));
      assert.equal(await state.reset(KEY, 'damaged'), true);
      assert.equal(await state.load(KEY), undefined);
      assert.notEqual(await state.save(KEY, recordOf('again'), 0), undefined);
      assert.deepEqual((await state.load(KEY))?.record.root, bytes('again'));
    });
  }

  it('names its collection and the command that resets it, and leaves others usable', async (t) => {
    const folder = folderOf(t);
    (await filledState(folder)).close();
    const where = `WHERE gun = '${KEY.gun}'`;
    edit(join(folder, STATE_FILE), `UPDATE trust_record SET checked_at = 0 ${where}`);
    const state = openState(t, folder);
    await assert.rejects(
      state.load(KEY),
      (error) =>
        isStateError(error, { problem: 'row-damaged', ...KEY }) &&
        error.message.includes(`pinnace trust reset ${KEY.gun}`),
    );
    assert.deepEqual((await state.load(OTHER))?.record.root, bytes('busybox'));
  });
});

const ROW_DAMAGES: readonly (readonly [
  string,
  string,
  (state: SqliteState) => Promise<unknown>,
])[] = [
  ['the newest time lowered', 'UPDATE number SET value = 1', (s) => s.newestTimeSeen()],
  ['the newest time missing', 'DELETE FROM number', (s) => s.newestTimeSeen()],
  ['the revision missing', 'DELETE FROM number', (s) => s.save(NEW, recordOf('new'), 0)],
  ['a secret altered', `UPDATE secret SET value = zeroblob(32)`, (s) => s.secret('decoy')],
  ['an event altered', `UPDATE event SET at = 0`, (s) => s.events(9)],
  ['an event of no kind', `UPDATE event SET kind = 'x'`, (s) => s.events(9)],
  [
    'a pin under another digest',
    `UPDATE pin SET digest = '${LAYER.digest}'`,
    (s) => s.wasPinned(ALPINE, LAYER.digest),
  ],
  ['a pin of no digest', `UPDATE pin SET digest = 'x'`, (s) => s.pins(ALPINE)],
  [
    'vouched content under another digest',
    `UPDATE vouched SET digest = '${digestOf('evil')}' WHERE kind = 'blob'`,
    (s) => s.vouched(ALPINE, digestOf('evil')),
  ],
  [
    'the record under another digest',
    `UPDATE vouched SET digest = '${digestOf('evil')}' WHERE kind = 'manifest'`,
    (s) => Readable.from(s.recordedManifests()).toArray(),
  ],
  [
    'vouched content of another type',
    `UPDATE vouched SET media_type = 'text/html'`,
    (s) => s.vouched(ALPINE, LAYER.digest),
  ],
  [
    'vouched content of another kind',
    `UPDATE vouched SET kind = 'page'`,
    (s) => s.vouched(ALPINE, LAYER.digest),
  ],
];

describe('any other altered row', () => {
  for (const [name, sql, read] of ROW_DAMAGES) {
    it(`is refused: ${name}`, async (t) => {
      const folder = folderOf(t);
      (await filledState(folder)).close();
      edit(join(folder, STATE_FILE), sql);
      const state = openState(t, folder);
      await assert.rejects(
        read(state),
        (error) =>
          isStateError(error, { problem: 'row-damaged' }) && /move .* away/.test(error.message),
      );
    });
  }
});
