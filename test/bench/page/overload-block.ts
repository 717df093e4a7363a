import { linesOf, type Row, shown, times } from '../report.ts';
import type { BenchResult } from '../results.ts';
import { OWN_NAME } from '../scenario.ts';

const HEAD = [
  'Trouble',
  'Tag for a CPU second',
  'of that in peace',
  'Tag, p99',
  'Most memory',
  'Refused after, p99',
] as const;

/** A line for each kind of trouble: what it costs those who ask for something at hand, and how soon others are refused. */
export function overloadBlock({ scenarios }: BenchResult): string {
  const rows = scenarios.find(({ scenario }) => scenario === 'overload')?.rows ?? [];
  const troubles = [...new Set(rows.map(({ quantity }) => quantity.split(': ')[0] ?? ''))];
  if (troubles.length === 0) return 'Not measured yet.';
  const lines = troubles.map((trouble) => {
    const of = (name: string): readonly Row[] =>
      rows.filter(({ quantity }) => quantity === `${trouble}: ${name}`);
    const cost = of('tag, per CPU second');
    return [
      trouble,
      medianOf(cost),
      cost.flatMap(({ ratio }) => (ratio === undefined ? [] : [times(ratio.median)])).join(''),
      medianOf(of('tag, p99')),
      medianOf(of('most memory')),
      medianOf(of('refusal after, p99')),
    ];
  });
  return linesOf(HEAD, lines);
}

function medianOf(rows: readonly Row[]): string {
  const own = rows.find(({ contender }) => contender === OWN_NAME);
  return own === undefined ? '–' : `${shown(own.measured.median)} ${own.unit}`;
}
