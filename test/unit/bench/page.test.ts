import assert from 'node:assert/strict';
import { describe, it, test } from 'node:test';
import { budgetsBlock, originBlock, tablesBlock } from '../../bench/page/bench-blocks.ts';
import { readKept } from '../../bench/page/docs-folder.ts';
import { blocksIn, withBlocks } from '../../bench/page/markers.ts';
import { overloadBlock } from '../../bench/page/overload-block.ts';
import { renderDocs } from '../../bench/page/render.ts';
import { picturesOf } from '../../bench/plots.ts';
import type { BenchResult } from '../../bench/results.ts';
import { readTop } from '../docs/references.ts';

const ONE = { median: 1, low: 1, high: 1 };
const result: BenchResult = {
  machine: 'a machine',
  startedAt: '2026-11-23T10:00:00.000Z',
  isQuick: true,
  tookSeconds: 90,
  scenarios: [
    {
      scenario: 'warm-tag',
      question: 'how fast',
      rows: [
        { quantity: 'rate', contender: 'pinnace', unit: 'req/s', measured: ONE },
        {
          quantity: 'rate',
          contender: 'nginx',
          unit: 'req/s',
          measured: { median: 4, low: 2, high: 5 },
          ratio: { median: 0.25, low: 0.2, high: 0.5 },
          budget: { text: '≥ 0.5×', isMet: false, atLeast: 0.5 },
        },
        {
          quantity: 'p99',
          contender: 'pinnace',
          unit: 'ms',
          measured: ONE,
          budget: { text: '≤ 5 ms', isMet: true },
        },
      ],
      checked: ['the digest'],
      curves: [{ x: 'tags', y: 'rate', unit: 'req/s', points: [{ x: 1, y: ONE }] }],
      leftOut: [{ peer: 'docker-registry', why: 'is not installed' }],
      unanswered: ['rate ≥ 100× docker-registry'],
      tookSeconds: 80,
    },
  ],
  unmeasured: [{ scenario: 'cold-tag', why: 'failed' }],
};

describe('what the page says of a run', () => {
  it('names when, on what, and what is missing', () => {
    const lines = originBlock(result).split('\n');
    assert.match(lines[0] ?? '', /quick run .* of 2026-11-23, 1\.5 minutes, on a machine\.$/);
    assert.deepEqual(lines.slice(1), [
      'Not measured: `cold-tag` (failed).',
      'Not measured in `warm-tag`: docker-registry (is not installed).',
    ]);
  });

  it('says of every budget whether it is met, missed or not measured', () => {
    const lines = budgetsBlock(result)
      .split('\n')
      .slice(2)
      .map((line) => line.replaceAll(/ +/g, ' '));
    assert.deepEqual(lines, [
      '| `warm-tag` | rate ≥ 0.5× nginx | 0.250× | 0.200× – 0.500× | **missed** |',
      '| `warm-tag` | p99 ≤ 5 ms | 1.00 ms | 1.00 ms – 1.00 ms | met |',
      '| `warm-tag` | rate ≥ 100× docker-registry | not measured | | **not measured** |',
    ]);
  });

  it('has a column for each contender', () => {
    const table = tablesBlock(result).replaceAll(/ +/g, ' ');
    assert.match(table, /\| rate \| req\/s \| 1\.00 \| 4\.00 \(2\.00 – 5\.00\); 0\.250× \|/);
    assert.match(table, /\| p99 \| ms \| 1\.00 \| – \|/);
  });

  it('has pictures of what there is', () => {
    assert.deepEqual([...picturesOf(result).keys()], ['ratios.svg', 'growth.svg']);
    assert.deepEqual([...picturesOf({ scenarios: [] }).keys()], []);
  });
});

describe('blocks of a page', () => {
  const page = 'a\n<!-- measured: one -->\nold\n<!-- end of one -->\nb\n';

  it('are replaced between their markers, again and again', () => {
    const once = withBlocks(page, new Map([['one', 'new $1\n']]));
    assert.equal(once, 'a\n<!-- measured: one -->\n\nnew $1\n\n<!-- end of one -->\nb\n');
    assert.equal(withBlocks(once, new Map([['one', 'new $1']])), once);
  });

  it('need somebody who makes them', () => {
    assert.throws(() => withBlocks(page, new Map()), /"one"/);
    assert.deepEqual(blocksIn(page), ['one']);
  });
});

test('each kind of trouble has a line, and what was not measured of it a dash', () => {
  const own = { contender: 'pinnace', measured: ONE };
  const peace = {
    contender: 'in peace',
    measured: ONE,
    ratio: { median: 0.5, low: 0.5, high: 0.5 },
  };
  const rows = [
    { quantity: 'silence: tag, per CPU second', unit: 'req', ...own },
    { quantity: 'silence: tag, per CPU second', unit: 'req', ...peace },
    { quantity: 'noise: refusal after, p99', unit: 'ms', ...own },
  ];
  const scenarios = [
    { ...result.scenarios[0], scenario: 'overload', rows },
  ] as BenchResult['scenarios'];
  const lines = overloadBlock({ ...result, scenarios })
    .split('\n')
    .slice(2);
  const cells = lines.map((line) =>
    line
      .split('|')
      .map((cell) => cell.trim())
      .slice(1, -1),
  );
  assert.deepEqual(cells, [
    ['silence', '1.00 req', '0.500×', '–', '–', '–'],
    ['noise', '–', '', '–', '–', '1.00 ms'],
  ]);
  assert.equal(overloadBlock(result), 'Not measured yet.');
});

describe('docs/performance.md', () => {
  it('is what the bench makes of the measurements kept beside it, with every picture and table', () => {
    for (const [name, text] of renderDocs(readKept(), readTop('docs/performance.md'))) {
      assert.equal(readTop(`docs/${name}`), text, `docs/${name}: npm run bench -- --render`);
    }
  });

  it('has every block closed', () => {
    const page = readTop('docs/performance.md');
    const opened = [...page.matchAll(/^<!-- measured: ([a-z-]+) -->$/gm)].map(([, name]) => name);
    assert.deepEqual(blocksIn(page), opened);
  });
});
