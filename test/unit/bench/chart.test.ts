import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { lineChart } from '../../bench/chart/line-chart.ts';
import { ratioChart } from '../../bench/chart/ratio-chart.ts';
import { linearScale, logScale, tickText } from '../../bench/chart/scale.ts';
import { path, words } from '../../bench/chart/svg.ts';

const EXTENT = { from: 0, to: 100 };

describe('an axis', () => {
  it('goes from 0 to a round number above the greatest value', () => {
    const scale = linearScale([3, 87], EXTENT);
    assert.deepEqual(scale.ticks, [0, 20, 40, 60, 80, 100]);
    assert.deepEqual([scale.at(0), scale.at(50), scale.at(100)], [0, 50, 100]);
  });

  it('goes below 0 where values do, and stands for nothing but zeros', () => {
    assert.equal(linearScale([-4, 4], EXTENT).at(0), 50);
    assert.equal(linearScale([0, 0], EXTENT).at(0), 0);
    assert.ok(linearScale([], EXTENT).ticks.length >= 2);
  });

  it('in powers of ten goes from the one below the least value to the one above the greatest', () => {
    const scale = logScale([0.4, 250], EXTENT);
    assert.deepEqual(scale.ticks, [0.1, 1, 10, 100, 1000]);
    assert.deepEqual([scale.at(0.1), scale.at(10), scale.at(1000)], [0, 50, 100]);
    assert.equal(scale.at(0), 0);
    assert.ok(logScale([7], EXTENT).ticks.length === 2);
  });

  it('has short numbers', () => {
    assert.deepEqual([0.01, 250, 1000, 10_000, 2.5e6].map(tickText), [
      '0.01',
      '250',
      '1000',
      '10 k',
      '2.5 M',
    ]);
  });
});

describe('a picture', () => {
  const spread = { median: 2, low: 1, high: 4 };
  const pictures = new Map([
    [
      'of ratios',
      ratioChart('A & B', [
        { label: 'x < y', peer: 'nginx', spread, budget: { atLeast: 0.5, isMet: true } },
        { label: 'x < y', peer: '"other"', spread },
      ]),
    ],
    [
      'of lines',
      lineChart({ title: 'A & B', columns: 2, panelWidth: 300, panelHeight: 200 }, [
        {
          title: 'x < y',
          x: { label: 'n', isLog: true },
          y: { label: 'ms' },
          series: [
            { name: 'one', points: [{ x: 1, y: 1, low: 0, high: 2 }] },
            { name: '"two"', points: [{ x: 10, y: 3 }] },
          ],
          limit: { at: 5, text: 'limit' },
          moments: [3],
        },
      ]),
    ],
  ]);

  for (const [name, svg] of pictures) {
    it(`${name} is well-formed, and says in words what it shows`, () => {
      assert.deepEqual(openAtTheEnd(svg), []);
      assert.match(svg, /^<svg xmlns="http:\/\/www\.w3\.org\/2000\/svg" viewBox="0 0 \d+ \d+"/);
      assert.ok(svg.includes('<title>A &amp; B</title>') && svg.includes('x &lt; y'));
      assert.doesNotMatch(svg, /NaN|Infinity|undefined/);
    });
  }

  it('of ratios says the verdict in a sign too', () => {
    assert.match(pictures.get('of ratios') ?? '', /class="small good">2\.00× ✓</);
  });

  it('breaks a line where nothing is known', () => {
    const drawn = path([{ x: 0, y: 0 }, { x: 1, y: 1 }, undefined, { x: 3, y: 3 }], {});
    assert.match(drawn, /d="M0 0L1 1M3 3"/);
  });

  it('cannot be broken by words', () => {
    assert.equal(words('<"&', 1, 2), '<text x="1" y="2">&lt;&quot;&amp;</text>');
  });
});

/** The elements that are not closed; empty for well-formed markup. */
function openAtTheEnd(svg: string): readonly string[] {
  const open: string[] = [];
  for (const [, slash, name = '', end] of svg.matchAll(/<(\/?)([a-z]+)[^<>]*?(\/?)>/g)) {
    if (slash === '/') assert.equal(open.pop(), name);
    else if (end !== '/') open.push(name);
  }
  return open;
}
