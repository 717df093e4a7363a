import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { LoopTurns } from '../../../src/base/loop-turns.ts';

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** Has so many wait; what comes of it is the order in which they were called. */
function waitAll(turns: LoopTurns, count: number): number[] {
  const called: number[] = [];
  for (let each = 0; each < count; each += 1) void turns.next().then(() => called.push(each));
  return called;
}

describe('turns of the event loop', () => {
  it('are given two at a time, in order, with the rest of the loop in between', async () => {
    const called = waitAll(new LoopTurns(), 5);
    await Promise.resolve();
    assert.deepEqual(called, [], 'never in the turn of the question');
    await turn();
    assert.deepEqual(called, [0, 1]);
    await turn();
    assert.deepEqual(called, [0, 1, 2, 3]);
    await turn();
    assert.deepEqual(called, [0, 1, 2, 3, 4]);
  });

  it('are given again after all have had theirs, and to whoever comes meanwhile behind the others', async () => {
    const turns = new LoopTurns();
    const first = waitAll(turns, 3);
    await turn();
    const second = waitAll(turns, 2);
    await turn();
    assert.deepEqual([first, second], [[0, 1, 2], [0]]);
    await turn();
    assert.deepEqual(second, [0, 1]);
    const third = waitAll(turns, 1);
    await turn();
    assert.deepEqual(third, [0]);
  });
});
