import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Figure, ratioOf, spreadOf } from '../../bench/figure.ts';

function figure(contender: string, samples: readonly number[], isMoreBetter = true): Figure {
  return { contender, quantity: 'rate', unit: 'req/s', isMoreBetter, samples };
}

test('a spread has the middle of the samples and both ends', () => {
  assert.deepEqual(spreadOf([3, 1, 2]), { median: 2, low: 1, high: 3 });
  assert.deepEqual(spreadOf([4, 1, 2, 3]), { median: 2.5, low: 1, high: 4 });
  assert.throws(() => spreadOf([]), RangeError);
});

test('a ratio compares round by round, and is above 1 where Pinnace is better', () => {
  const rates = ratioOf(figure('pinnace', [20, 10, 30]), figure('nginx', [10, 10, 10]));
  assert.deepEqual(rates, { median: 2, low: 1, high: 3 });
  const times = ratioOf(figure('pinnace', [5], false), figure('nginx', [10], false));
  assert.equal(times?.median, 2);
});

test('a round without a figure of either is left out of the ratio', () => {
  const ratio = ratioOf(figure('pinnace', [20, 0, 30]), figure('nginx', [10, 10]));
  assert.deepEqual(ratio, { median: 2, low: 2, high: 2 });
  assert.equal(ratioOf(figure('pinnace', [20]), figure('nginx', [])), undefined);
});
