/**
 * A process that shares a state folder with others, for `sqlite-processes.test.ts`: `sqlite-writer.ts FOLDER ROUNDS`.
 * It raises a number kept in a trust record ROUNDS times (0: for ever) and prints each revision once it is stored.
 */
import { argv, stdout } from 'node:process';
import { systemClock } from '../../../src/base/clock.ts';
import type { TrustRecord } from '../../../src/metadata/ports.ts';
import { SqliteState } from '../../../src/store/sqlite-state.ts';

const [folder = '', rounds = '1'] = argv.slice(2);
const key = { source: 'corp', gun: 'docker.io/library/alpine' };
const state = SqliteState.open(folder, { clock: systemClock, busyTimeoutMs: 60_000 });

let stored = 0;
while (rounds === '0' || stored < Number(rounds)) {
  const seen = await state.load(key);
  const count = Number(Buffer.from(seen?.record.root ?? Buffer.from('0')).toString()) + 1;
  const revision = await state.save(key, recordOf(count), seen?.revision ?? 0);
  await state.noteTime(count);
  await state.secret('decoy');
  if (revision === undefined) continue;
  stored += 1;
  stdout.write(`${revision} ${count}\n`);
}
state.close();

/** Every file tells the count, so that a mixture of two records would show. */
function recordOf(count: number): TrustRecord {
  const content = Buffer.from(String(count));
  return {
    anchorRoot: content,
    admission: 'anchor',
    admittedAt: count,
    root: content,
    timestamp: content,
    snapshot: content,
    targets: new Map([['targets', content]]),
    checkedAt: count,
  };
}
