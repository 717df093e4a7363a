import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Figure, ratioOf, spreadOf } from '../../bench/figure.ts';
import { rowsOf, tableOf } from '../../bench/report.ts';
import type { Scenario } from '../../bench/scenario.ts';

function figure(contender: string, samples: readonly number[], isMoreBetter = true): Figure {
  return { contender, quantity: 'rate', unit: 'req/s', isMoreBetter, samples };
}

const scenario: Scenario = {
  name: 'example',
  question: 'example',
  needs: [],
  budgets: [{ quantity: 'rate', peer: 'nginx', atLeast: 0.5 }],
  limits: [{ quantity: 'rate', atMost: 100 }],
  run: () => Promise.reject(new Error('not run here')),
};

test('a spread has the middle of the samples and both ends', () => {
  assert.deepEqual(spreadOf([3, 1, 2]), { median: 2, low: 1, high: 3 });
  assert.deepEqual(spreadOf([4, 1, 2, 3]), { median: 2.5, low: 1, high: 4 });
  assert.throws(() => spreadOf([]), RangeError);
});

test('a ratio compares round by round, and is above 1 where Pinnace is better', () => {
  const rates = ratioOf(figure('pinnace', [20, 10, 30]), figure('nginx', [10, 10, 10]));
  assert.deepEqual(rates, { median: 2, low: 1, high: 3 });
  const times = ratioOf(figure('pinnace', [5], false), figure('nginx', [10], false));
  assert.equal(times.median, 2);
});

test('a round without a figure of either is left out of the ratio', () => {
  const ratio = ratioOf(figure('pinnace', [20, 0, 30]), figure('nginx', [10, 10]));
  assert.deepEqual(ratio, { median: 2, low: 2, high: 2 });
});

test('a budget is held to the median of the ratio, a limit to the median of the quantity', () => {
  const slow = [figure('pinnace', [40, 40, 90]), figure('nginx', [100, 100, 100])];
  const outcome = { figures: slow, checked: [] };
  const [own, peer] = rowsOf(scenario, outcome);
  assert.deepEqual(own?.budget, { text: '≤ 100 req/s', isMet: true });
  assert.deepEqual(peer?.budget, { text: '≥ 0.5×', isMet: false });
  assert.match(tableOf(rowsOf(scenario, outcome)), /nginx .* 0\.400× .* ≥ 0\.5× MISSED/);
});
