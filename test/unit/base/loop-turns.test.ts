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

  it('are taken at once while this one has some left and nobody waits', async () => {
    const turns = new LoopTurns(10);
    const now = [4, 4, 4, 1].map((cost) => turns.tryNow(cost));
    assert.deepEqual(now, [true, true, true, false], 'the last to begin may do more');
    const called: number[] = [];
    for (const cost of [8, 3, 1]) void turns.next(cost).then(() => called.push(cost));
    await turn();
    assert.deepEqual(called, [8, 3]);
    assert.equal(turns.tryNow(1), false, 'somebody waits');
    await turn();
    assert.deepEqual(called, [8, 3, 1]);
    assert.equal(turns.tryNow(9), true, 'the one that waited left so much');
    assert.equal(turns.tryNow(1), false);
    await turn();
    assert.equal(turns.tryNow(11), true, 'a new turn');
    await turn();
    assert.equal(turns.tryNow(1), true, 'and another, with nobody waiting in between');
  });

  it('are all of them whole, whatever was done in the one before, and given to those who wait first', async () => {
    const turns = new LoopTurns(10);
    void turns.next(10);
    assert.equal(turns.tryNow(1), false);
    await turn();
    await turn();
    assert.equal(turns.tryNow(1), true);
  });
});
