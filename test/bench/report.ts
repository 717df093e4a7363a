import { type Figure, ratioOf, type Spread, spreadOf } from './figure.ts';
import { type Outcome, OWN_NAME, type Scenario } from './scenario.ts';

/** One line of the table. */
export interface Row {
  readonly quantity: string;
  readonly contender: string;
  readonly unit: string;
  readonly measured: Spread;
  /** Pinnace against this contender, above 1 where Pinnace is better; absent for Pinnace itself. */
  readonly ratio?: Spread;
  /** The least ratio, or the most of the quantity, that was decided; with whether it is kept. */
  readonly budget?: BudgetKept;
}

/** A budget with whether it is kept. */
export interface BudgetKept {
  readonly text: string;
  readonly isMet: boolean;
  /** The least ratio; absent where the budget is a limit of the quantity itself. */
  readonly atLeast?: number;
}

/** A peer that took no part, or not in everything. */
export interface LeftOut {
  readonly peer: string;
  readonly why: string;
}

/** Makes the lines of a scenario's table. */
export function rowsOf(scenario: Scenario, { figures }: Outcome): readonly Row[] {
  const quantities = [...new Set(figures.map(({ quantity }) => quantity))];
  const inOrder = quantities.flatMap((each) => figures.filter(({ quantity }) => quantity === each));
  return inOrder.map((figure) => {
    const measured = spreadOf(figure.samples);
    const own = figures.find(
      (each) => each.contender === OWN_NAME && each.quantity === figure.quantity,
    );
    const isOwn = figure.contender === OWN_NAME;
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

/** Budgets and limits of a scenario that no line of its table answers, each as a sentence. */
export function unansweredOf(scenario: Scenario, rows: readonly Row[]): readonly string[] {
  const has = (quantity: string, contender: string): boolean =>
    rows.some((row) => row.quantity === quantity && row.contender === contender);
  const budgets = (scenario.budgets ?? []).filter(({ quantity, peer }) => !has(quantity, peer));
  const limits = (scenario.limits ?? []).filter(({ quantity }) => !has(quantity, OWN_NAME));
  return [
    ...budgets.map(({ quantity, peer, atLeast }) => `${quantity} ≥ ${atLeast}× ${peer}`),
    ...limits.map(({ quantity, atMost }) => `${quantity} ≤ ${atMost}`),
  ];
}

function budgetOf(scenario: Scenario, figure: Figure, ratio: Spread | undefined): Row['budget'] {
  const budget = scenario.budgets?.find(
    ({ quantity, peer }) => quantity === figure.quantity && peer === figure.contender,
  );
  if (budget === undefined || ratio === undefined) return undefined;
  const { atLeast } = budget;
  return { text: `≥ ${atLeast}×`, isMet: ratio.median >= atLeast, atLeast };
}

function limitOf(scenario: Scenario, figure: Figure, measured: Spread): Row['budget'] {
  const limit = scenario.limits?.find(({ quantity }) => quantity === figure.quantity);
  if (limit === undefined) return undefined;
  return { text: `≤ ${limit.atMost} ${figure.unit}`, isMet: measured.median <= limit.atMost };
}

/** The table as text, columns in line; also valid Markdown. Peers that took no part have the last lines. */
export function tableOf(rows: readonly Row[], leftOut: readonly LeftOut[] = []): string {
  const head = ['', 'who', 'median', 'from', 'to', '', 'Pinnace is', 'from', 'to', 'budget'];
  const lines = rows.map((row, index) => [
    row.quantity === rows[index - 1]?.quantity ? '' : row.quantity,
    row.contender,
    ...threeOf(row.measured, shown),
    row.unit,
    ...(row.ratio === undefined ? ['', '', ''] : threeOf(row.ratio, times)),
    row.budget === undefined ? '' : `${row.budget.text} ${row.budget.isMet ? 'met' : 'MISSED'}`,
  ]);
  const missing = leftOut.map(({ peer }) => ['', peer, ...Array<string>(7).fill('–'), 'see below']);
  return linesOf(head, [...lines, ...missing]);
}

/** A Markdown table whose columns are in line. */
export function linesOf(head: readonly string[], lines: readonly (readonly string[])[]): string {
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

/** A figure with three digits, or all of them before the point, in groups. */
export function shown(value: number): string {
  if (value >= 1000) return String(Math.round(value)).replace(/\B(?=(\d{3})+$)/g, ' ');
  return value.toPrecision(3);
}

/** A ratio: `0.385×`, `235×`. */
export function times(ratio: number): string {
  return `${ratio >= 100 ? Math.round(ratio) : ratio.toPrecision(3)}×`;
}
