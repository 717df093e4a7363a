import assert from 'node:assert/strict';
import { DatabaseSync } from 'node:sqlite';
import { describe, it } from 'node:test';
import { SqliteState } from '../../../src/store/sqlite-state.ts';
import { ALPINE, blobOf, manifestOf } from '../../contract/state-samples.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { folderOf } from './sqlite-fixture.ts';

describe('a state of schema version 1', () => {
  it('is taken over with all it knows, and learns which parts are whose', async (t) => {
    const folder = folderOf(t);
    const clock = new FakeClock();
    const [manifest, blob] = [manifestOf('m'), blobOf('b')];
    const before = SqliteState.open(folder, { clock });
    await before.recordClosure(ALPINE, manifest, [blob]);
    before.close();
    const database = new DatabaseSync(`${folder}/state.sqlite`);
    database.exec('DROP TABLE part; PRAGMA user_version = 1');
    database.close();

    for (let opening = 0; opening < 2; opening += 1) {
      const state = SqliteState.open(folder, { clock });
      const vouched = await state.vouched(ALPINE, blob.digest);
      assert.equal(vouched?.descriptor.digest, blob.digest);
      const parents = await state.parents(ALPINE, blob.digest);
      assert.deepEqual(parents, opening === 0 ? [] : [manifest.digest]);
      await state.recordClosure(ALPINE, manifest, [blob]);
      state.close();
    }
  });
});
