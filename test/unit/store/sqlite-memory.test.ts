import assert from 'node:assert/strict';
import { join } from 'node:path';
import { it } from 'node:test';
import { STATE_FILE } from '../../../src/store/sqlite-state.ts';
import { ALPINE } from '../../contract/state-samples.ts';
import { edit, folderOf, isStateError, openState } from './sqlite-fixture.ts';
import { LAYER, MANIFEST } from './sqlite-samples.ts';

it('believes what is vouched for no longer than the file says so, whoever changes it', async (t) => {
  const folder = folderOf(t);
  const state = openState(t, folder);
  await state.recordClosure(ALPINE, MANIFEST, [LAYER]);
  const vouched = async (): Promise<number | undefined> =>
    (await state.vouched(ALPINE, LAYER.digest))?.descriptor.size;
  for (const turn of [1, 2]) assert.equal(await vouched(), LAYER.size, `look ${turn}`);
  const path = join(folder, STATE_FILE);
  edit(path, `UPDATE vouched SET size = size + 1 WHERE digest = '${LAYER.digest}'`);
  await assert.rejects(vouched(), (error) => isStateError(error, { problem: 'row-damaged' }));
  edit(path, `DELETE FROM vouched WHERE digest = '${LAYER.digest}'`);
  assert.equal(await vouched(), undefined);
  const other = openState(t, folder);
  await other.recordClosure(ALPINE, MANIFEST, [LAYER]);
  assert.equal(await vouched(), LAYER.size);
});

it('sees its own writes: what was only referred to is vouched for afterwards', async (t) => {
  const state = openState(t, folderOf(t));
  await state.recordReferrer(ALPINE, MANIFEST, [LAYER]);
  assert.equal(await state.vouched(ALPINE, LAYER.digest), undefined);
  assert.notEqual(await state.referred(ALPINE, LAYER.digest), undefined);
  await state.recordClosure(ALPINE, MANIFEST, [LAYER]);
  assert.notEqual(await state.vouched(ALPINE, LAYER.digest), undefined);
  assert.equal(await state.referred(ALPINE, LAYER.digest), undefined);
});

it('keeps repositories apart', async (t) => {
  const state = openState(t, folderOf(t));
  await state.recordClosure(ALPINE, MANIFEST, [LAYER]);
  assert.notEqual(await state.vouched(ALPINE, LAYER.digest), undefined);
  const { registry } = ALPINE;
  const other = { registry, path: `${ALPINE.path}2` as typeof ALPINE.path };
  assert.equal(await state.vouched(other, LAYER.digest), undefined);
});
