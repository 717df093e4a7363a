import { lineChart, type Panel } from './chart/line-chart.ts';
import { type Ratio, ratioChart } from './chart/ratio-chart.ts';
import type { BenchResult, Measured } from './results.ts';
import type { Curve } from './scenario.ts';

/** Pictures by file name. */
export type Pictures = ReadonlyMap<string, string>;

const PER_CPU = ', per CPU second';
/** What explains a comparison rather than being one. */
const DETAIL = /, p50$|, p99$|: most memory$|^first byte$|^processor time$|^upstream reads/;
/** Above this an axis that begins at 0 shows nothing of the small values. */
const LOG_FROM = 30;

/** Draws what was measured: ratios to peers, the same for each second of processor time, and how cost grows. */
export function picturesOf({ scenarios }: Pick<BenchResult, 'scenarios'>): Pictures {
  const isDirect = (quantity: string): boolean =>
    !quantity.endsWith(PER_CPU) && !DETAIL.test(quantity);
  const direct = ratiosOf(scenarios, isDirect);
  const perCpu = ratiosOf(scenarios, (quantity) => quantity.endsWith(PER_CPU));
  const panels = scenarios.flatMap(panelsOf);
  const pictures = new Map<string, string>();
  if (direct.length > 0) pictures.set('ratios.svg', ratioChart('Pinnace beside its peers', direct));
  if (perCpu.length > 0) {
    const title = 'Pinnace beside its peers, for each second of processor time';
    pictures.set('cpu-ratios.svg', ratioChart(title, perCpu));
  }
  if (panels.length > 0) {
    const layout = { title: 'How cost grows', columns: 2, panelWidth: 450, panelHeight: 250 };
    pictures.set('growth.svg', lineChart(layout, panels));
  }
  return pictures;
}

function ratiosOf(
  scenarios: readonly Measured[],
  isShown: (quantity: string) => boolean,
): readonly Ratio[] {
  return scenarios.flatMap(({ scenario, rows }) =>
    rows.flatMap(({ quantity, contender: peer, ratio: spread, budget }) => {
      if (spread === undefined || !isShown(quantity)) return [];
      const label = `${scenario}: ${quantity.replace(PER_CPU, '').replace(/, rate$/, '')}`;
      const atLeast = budget?.atLeast;
      if (budget === undefined || atLeast === undefined) return [{ label, peer, spread }];
      return [{ label, peer, spread, budget: { atLeast, isMet: budget.isMet } }];
    }),
  );
}

function panelsOf({ scenario, curves }: Measured): readonly Panel[] {
  return curves.map((curve) => ({
    title: `${scenario}: ${curve.y}`,
    x: { label: curve.x, isLog: isLogAlong(curve) },
    y: { label: curve.unit, isLog: isLogUp(curve) },
    series: [
      {
        name: curve.y,
        points: curve.points.map(({ x, y: { median, low, high } }) => ({
          x,
          y: median,
          low,
          high,
        })),
      },
    ],
  }));
}

function isLogAlong({ points }: Curve): boolean {
  return points.every(({ x }) => x > 0);
}

function isLogUp({ points }: Curve): boolean {
  const least = Math.min(...points.map(({ y }) => y.low));
  const most = Math.max(...points.map(({ y }) => y.high));
  return least > 0 && most / least > LOG_FROM;
}
