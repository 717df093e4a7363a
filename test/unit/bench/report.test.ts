import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Figure } from '../../bench/figure.ts';
import { rowsOf, shown, tableOf, times, unansweredOf } from '../../bench/report.ts';
import type { Scenario } from '../../bench/scenario.ts';

function figure(contender: string, samples: readonly number[]): Figure {
  return { contender, quantity: 'rate', unit: 'req/s', isMoreBetter: true, samples };
}

const scenario: Scenario = {
  name: 'example',
  question: 'example',
  needs: [],
  budgets: [
    { quantity: 'rate', peer: 'nginx', atLeast: 0.5 },
    { quantity: 'rate', peer: 'docker-registry', atLeast: 100 },
  ],
  limits: [
    { quantity: 'rate', atMost: 100 },
    { quantity: 'p99', atMost: 5 },
  ],
  run: () => Promise.reject(new Error('not run here')),
};
const figures = [figure('pinnace', [40, 40, 90]), figure('nginx', [100, 100, 100])];
const rows = rowsOf(scenario, { figures, checked: [] });

describe('a table of what was measured', () => {
  it('holds a budget to the median of the ratio, a limit to the median of the quantity', () => {
    const [own, peer] = rows;
    assert.deepEqual(own?.budget, { text: '≤ 100 req/s', isMet: true });
    assert.deepEqual(peer?.budget, { text: '≥ 0.5×', isMet: false, atLeast: 0.5 });
    assert.match(tableOf(rows), /nginx .* 0\.400× .* ≥ 0\.5× MISSED/);
  });

  it('has a line for a peer that took no part', () => {
    const table = tableOf(rows, [{ peer: 'docker-registry', why: 'is not installed' }]);
    assert.match(table.split('\n').at(-1) ?? '', /^\| +\| docker-registry \| –/);
  });

  it('has lines of one length', () => {
    const lengths = tableOf(rows)
      .split('\n')
      .map(({ length }) => length);
    assert.equal(new Set(lengths).size, 1);
  });
});

it('a budget for which nothing was measured is named, not taken for met', () => {
  assert.deepEqual(unansweredOf(scenario, rows), ['rate ≥ 100× docker-registry', 'p99 ≤ 5']);
});

it('figures have three digits or groups of them', () => {
  assert.deepEqual([shown(0.12345), shown(12.345), shown(1234567)], ['0.123', '12.3', '1 234 567']);
  assert.deepEqual([times(0.3849), times(235.4)], ['0.385×', '235×']);
});
