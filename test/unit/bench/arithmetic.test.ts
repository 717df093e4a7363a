import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  arithmeticBlock,
  carriesBlock,
  stepsOf,
  TEN_THOUSAND,
} from '../../bench/page/arithmetic.ts';
import { readKept } from '../../bench/page/docs-folder.ts';
import { type SizingFigures, sizingFigures } from '../../bench/page/measured-figures.ts';

const FIGURES: SizingFigures = {
  tagGetPerCpu: 20_000,
  tagHeadPerCpu: 25_000,
  tagLoggedPerCpu: 10_000,
  smallBlobPerCpu: 10_000,
  recheckPerCpu: 1_000,
  largeBlobMibPerCpu: 2_000,
  coldBlobMibPerCpu: 300,
  tagGetRate: 20_000,
  tagHeadRate: 25_000,
  tagLoggedRate: 10_000,
  recheckRate: 1_000,
  smallBlobRate: 10_000,
  largeBlobMibRate: 2_000,
  coldBlobMibRate: 300,
  baseMib: 150,
  repositoryKib: 64,
};

describe('the arithmetic of ten thousand nodes', () => {
  const steps = new Map(stepsOf(TEN_THOUSAND, FIGURES).map((step) => [step.what, step.value]));

  const expected: readonly (readonly [string, number])[] = [
    ['checks of tags (HEAD)', 500],
    ['processor for them', 0.02],
    ['roll-out: requests by tag', (2 * 10_000) / 300],
    ['roll-out: requests by digest', (7 * 10_000) / 300],
    ['processor for those requests', 66.6666667 / 20_000 + 233.3333333 / 10_000],
    ['roll-out: bytes', 2_000_000 / 1024 ** 2],
    ['the link alone takes', (2_000_000 * 8 * 1024 ** 2) / 1e10 / 60],
    ['Pinnaces or mirrors for the time wanted', 6],
    ['processor for the bytes, all of them together', 2_000_000 / 300 / 2_000],
    ['read from the registry', 200],
    ['requests to trust servers, for each Pinnace', 500 / 60],
    ['memory for the collections and all else', 150 + (500 * 64) / 1024],
  ];
  for (const [what, value] of expected) {
    it(what, () =>
      assert.ok(Math.abs((steps.get(what) ?? -1) - value) < 1e-6, String(steps.get(what))),
    );
  }

  it('has these steps and no others, each with its formula', () => {
    assert.deepEqual(
      [...steps.keys()],
      expected.map(([what]) => what),
    );
    const table = arithmeticBlock(TEN_THOUSAND, FIGURES).replaceAll(/ +/g, ' ');
    assert.match(table, /\| nodes × images ÷ interval \| 500 requests\/s \|/);
  });
});

it('what one core carries has a line for each path', () => {
  const table = carriesBlock(FIGURES).replaceAll(/ +/g, ' ');
  assert.match(table, /\| tag, warm, GET \| 20 000 requests \| 20 000 requests \|/);
  assert.match(table, /\| blob of 64 MiB, cold \| 300 MiB \| 300 MiB \|/);
});

it('the figures for sizing come from the run that is kept, and one that is missing is named', () => {
  const { bench } = readKept();
  assert.ok(Object.values(sizingFigures(bench)).every((figure) => figure >= 0));
  const scenarios = bench.scenarios.filter(({ scenario }) => scenario !== 'recheck');
  assert.throws(() => sizingFigures({ ...bench, scenarios }), /of recheck was not measured/);
});
