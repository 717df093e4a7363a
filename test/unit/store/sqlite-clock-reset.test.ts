import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { SqliteState } from '../../../src/store/sqlite-state.ts';
import { FakeClock } from '../../support/fake-clock.ts';

test('a reset of the clock by another process holds, and time is noted again from there', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'pinnace-state-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const clock = new FakeClock();
  const now = clock.now();
  const server = SqliteState.open(folder, { clock });
  const command = SqliteState.open(folder, { clock });
  t.after(() => {
    server.close();
    command.close();
  });
  await server.noteTime(now + 1_000_000);
  assert.equal(await command.resetTime('it ran ahead'), now + 1_000_000);
  assert.equal(await server.timeResets(), 1);
  assert.equal(await server.newestTimeSeen(), now);
  await server.noteTime(now + 10);
  assert.equal(await command.newestTimeSeen(), now + 10);
});
