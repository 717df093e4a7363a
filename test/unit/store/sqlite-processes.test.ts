import assert from 'node:assert/strict';
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { it, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { SqliteState } from '../../../src/store/sqlite-state.ts';
import { FakeClock } from '../../support/fake-clock.ts';

const KEY = { source: 'corp', gun: 'docker.io/library/alpine' };
const WRITER = fileURLToPath(new URL('sqlite-writer.ts', import.meta.url));

it('loses no update and lets nothing go back when processes share a folder', async (t) => {
  const folder = folderOf(t);
  const rounds = 60;
  const writers = [1, 2, 3].map(() => startWriter(folder, rounds));
  const printed = await Promise.all(
    writers.map(async (writer) => {
      const [lines, [code]] = await Promise.all([linesOf(writer), once(writer, 'exit')]);
      assert.equal(code, 0);
      return lines;
    }),
  );
  const revisions = printed.flat().map((line) => Number(line.split(' ')[0]));
  assert.equal(new Set(revisions).size, rounds * writers.length, 'a revision was given out twice');
  for (const lines of printed) {
    const counts = lines.map((line) => Number(line.split(' ')[1]));
    assert.deepEqual(
      counts,
      [...counts].sort((a, b) => a - b),
      'a process saw an older record',
    );
  }
  const state = openState(t, folder);
  assert.equal(await countOf(state), rounds * writers.length);
  assert.equal(await state.newestTimeSeen(), rounds * writers.length);
  assert.deepEqual(
    (await state.events(10)).map((event) => event.kind),
    ['created'],
    'only one of them made the state',
  );
  assert.deepEqual(
    readdirSync(folder).filter((name) => name.includes('.new-')),
    [],
  );
});

it('has the last acknowledged record, whole, after its process was killed', async (t) => {
  const folder = folderOf(t);
  let acknowledged = 0;
  for (const lines of [1, 7, 20]) {
    const writer = startWriter(folder, 0);
    let seen = 0;
    for await (const line of createInterface({ input: writer.stdout })) {
      acknowledged = Number(line.split(' ')[1]);
      seen += 1;
      if (seen === lines) writer.kill('SIGKILL');
    }
    const state = openState(t, folder);
    const count = await countOf(state);
    // The process may have stored one more than it lived to tell.
    assert.ok(count === acknowledged || count === acknowledged + 1, `${count}, ${acknowledged}`);
    assert.equal((await state.secret('decoy')).length, 32);
    state.close();
  }
});

/** The count that all files of the record tell. */
async function countOf(state: SqliteState): Promise<number> {
  const { record } = (await state.load(KEY)) ?? assert.fail('nothing stored');
  const files = [record.anchorRoot, record.root, record.timestamp, record.snapshot];
  const told = new Set(
    [...files, ...record.targets.values()].map((file) => Buffer.from(file ?? []).toString()),
  );
  assert.deepEqual([...told], [String(record.checkedAt)]);
  return record.checkedAt;
}

function startWriter(folder: string, rounds: number): ChildProcessByStdio<null, Readable, null> {
  return spawn(process.execPath, [WRITER, folder, String(rounds)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
}

async function linesOf(writer: ChildProcessByStdio<null, Readable, null>): Promise<string[]> {
  const lines: string[] = [];
  for await (const line of createInterface({ input: writer.stdout })) lines.push(line);
  return lines;
}

function openState(t: TestContext, folder: string): SqliteState {
  const state = SqliteState.open(folder, { clock: new FakeClock() });
  t.after(() => state.close());
  return state;
}

function folderOf(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'pinnace-processes-'));
  t.after(() => rmSync(folder, { recursive: true }));
  return join(folder, 'data');
}
