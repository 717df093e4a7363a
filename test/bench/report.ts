import { type Figure, ratioOf, type Spread, spreadOf } from './figure.ts';
import type { Outcome, Scenario } from './scenario.ts';

/** The name under which Pinnace takes part. */
const OWN = 'pinnace';

/** One line of the table. */
export interface Row {
  readonly quantity: string;
  readonly contender: string;
  readonly unit: string;
  readonly measured: Spread;
  /** Pinnace against this contender, above 1 where Pinnace is better; absent for Pinnace itself. */
  readonly ratio?: Spread;
  /** The least ratio, or the most of the quantity, that was decided; with whether it is kept. */
  readonly budget?: { readonly text: string; readonly isMet: boolean };
}

/** Makes the lines of a scenario's table. */
export function rowsOf(scenario: Scenario, { figures }: Outcome): readonly Row[] {
  const quantities = [...new Set(figures.map(({ quantity }) => quantity))];
  const inOrder = quantities.flatMap((each) => figures.filter(({ quantity }) => quantity === each));
  return inOrder.map((figure) => {
    const measured = spreadOf(figure.samples);
    const own = figures.find((each) => each.contender === OWN && each.quantity === figure.quantity);
    const isOwn = figure.contender === OWN;
    const ratio = isOwn || own === undefined ? undefined : ratioOf(own, figure);
    const budget = isOwn ? limitOf(scenario, figure, measured) : budgetOf(scenario, figure, ratio);
    const { quantity, contender, unit } = figure;
    return {
      quantity,
      contender,
      unit,
      measured,
      ...(ratio === undefined ? {} : { ratio }),
      ...(budget === undefined ? {} : { budget }),
    };
  });
}

function budgetOf(scenario: Scenario, figure: Figure, ratio: Spread | undefined): Row['budget'] {
  const budget = scenario.budgets?.find(
    ({ quantity, peer }) => quantity === figure.quantity && peer === figure.contender,
  );
  if (budget === undefined || ratio === undefined) return undefined;
  return { text: `≥ ${budget.atLeast}×`, isMet: ratio.median >= budget.atLeast };
}

function limitOf(scenario: Scenario, figure: Figure, measured: Spread): Row['budget'] {
  const limit = scenario.limits?.find(({ quantity }) => quantity === figure.quantity);
  if (limit === undefined) return undefined;
  return { text: `≤ ${limit.atMost} ${figure.unit}`, isMet: measured.median <= limit.atMost };
}

/** The table as text, columns in line; also valid Markdown. */
export function tableOf(rows: readonly Row[]): string {
  const head = ['', 'who', 'median', 'from', 'to', '', 'Pinnace is', 'from', 'to', 'budget'];
  const lines = rows.map((row, index) => [
    row.quantity === rows[index - 1]?.quantity ? '' : row.quantity,
    row.contender,
    ...threeOf(row.measured, shown),
    row.unit,
    ...(row.ratio === undefined ? ['', '', ''] : threeOf(row.ratio, times)),
    row.budget === undefined ? '' : `${row.budget.text} ${row.budget.isMet ? 'met' : 'MISSED'}`,
  ]);
  const widths = head.map((_, column) =>
    Math.max(3, ...[head, ...lines].map((line) => line[column]?.length ?? 0)),
  );
  const drawn = (line: readonly string[]): string =>
    `| ${line.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(' | ')} |`;
  const rule = widths.map((width) => '-'.repeat(width));
  return [head, rule, ...lines].map(drawn).join('\n');
}

function threeOf(spread: Spread, show: (value: number) => string): readonly string[] {
  return [show(spread.median), show(spread.low), show(spread.high)];
}

function shown(value: number): string {
  if (value >= 1000) return String(Math.round(value)).replace(/\B(?=(\d{3})+$)/g, ' ');
  return value.toPrecision(3);
}

function times(ratio: number): string {
  return `${ratio >= 100 ? Math.round(ratio) : ratio.toPrecision(3)}×`;
}
