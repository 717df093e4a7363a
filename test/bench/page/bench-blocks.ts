import { linesOf, type Row, shown, times } from '../report.ts';
import type { BenchResult, Measured } from '../results.ts';
import { OWN_NAME } from '../scenario.ts';

/** When, on what and how long it was measured, and what is missing from it. */
export function originBlock(result: BenchResult): string {
  const kind = result.isQuick
    ? 'A quick run (`npm run bench -- --quick`)'
    : 'A whole run (`npm run bench`)';
  const minutes = (result.tookSeconds / 60).toFixed(1);
  const lines = [
    `${kind} of ${result.startedAt.slice(0, 10)}, ${minutes} minutes, on ${result.machine}.`,
    ...result.unmeasured.map(({ scenario, why }) => `Not measured: \`${scenario}\` (${why}).`),
    ...result.scenarios.flatMap(({ scenario, leftOut }) =>
      leftOut.map(({ peer, why }) => `Not measured in \`${scenario}\`: ${peer} (${why}).`),
    ),
  ];
  return lines.join('\n');
}

/** Every budget with what was measured, said plainly. */
export function budgetsBlock({ scenarios }: BenchResult): string {
  const lines = scenarios.flatMap(({ scenario, rows, unanswered }) => [
    ...rows.flatMap((row) => budgetLine(scenario, row)),
    ...unanswered.map((budget) => [
      `\`${scenario}\``,
      budget,
      'not measured',
      '',
      '**not measured**',
    ]),
  ]);
  return linesOf(['Scenario', 'Budget', 'Median', 'From – to', 'Verdict'], lines);
}

function budgetLine(scenario: string, row: Row): readonly (readonly string[])[] {
  const { quantity, contender, measured, ratio, budget, unit } = row;
  if (budget === undefined) return [];
  const against = contender === OWN_NAME ? '' : ` ${contender}`;
  const [spread, show] =
    ratio === undefined || budget.atLeast === undefined
      ? [measured, (value: number): string => `${shown(value)} ${unit}`]
      : [ratio, times];
  const verdict = budget.isMet ? 'met' : '**missed**';
  const range = `${show(spread.low)} – ${show(spread.high)}`;
  return [
    [
      `\`${scenario}\``,
      `${quantity} ${budget.text}${against}`,
      show(spread.median),
      range,
      verdict,
    ],
  ];
}

/** Every table: a line for each quantity, a column for each contender. */
export function tablesBlock({ scenarios }: BenchResult): string {
  return scenarios.map(tableOf).join('\n\n');
}

function tableOf({ scenario, question, rows, checked }: Measured): string {
  const contenders = [...new Set(rows.map(({ contender }) => contender))];
  const quantities = [...new Set(rows.map(({ quantity }) => quantity))];
  const lines = quantities.map((quantity) => {
    const own = rows.filter((row) => row.quantity === quantity);
    const cells = contenders.map((each) => cellOf(own.find(({ contender }) => contender === each)));
    return [quantity, own[0]?.unit ?? '', ...cells];
  });
  const table = linesOf(['', 'Unit', ...contenders], lines);
  return `## ${scenario}\n\n${sentence(question)}\n\n${table}\n\nMade sure meanwhile: ${checked.join('; ')}.`;
}

/** The median, with how many times better Pinnace is. */
function cellOf(row: Row | undefined): string {
  if (row === undefined) return '–';
  const { measured, ratio } = row;
  const range =
    measured.low === measured.high ? '' : ` (${shown(measured.low)} – ${shown(measured.high)})`;
  return `${shown(measured.median)}${range}${ratio === undefined ? '' : `; ${times(ratio.median)}`}`;
}

function sentence(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;
}
