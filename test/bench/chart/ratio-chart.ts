import type { Spread } from '../figure.ts';
import { times } from '../report.ts';
import { logScale, type Scale, tickText } from './scale.ts';
import { element, line, PALETTE, picture, words } from './svg.ts';

/** One comparison with a peer. */
export interface Ratio {
  /** What was compared: `warm-tag: 32 connections, rate`. */
  readonly label: string;
  readonly peer: string;
  readonly spread: Spread;
  /** The least ratio that was decided, and whether it is kept. */
  readonly budget?: { readonly atLeast: number; readonly isMet: boolean };
}

const WIDTH = 900;
const LEFT = 380;
const RIGHT = 90;
const TOP = 70;
const ROW = 19;
const GAP = 8;

/** Draws ratios to peers, a row each: a dot for the median, a bar from the least to the most, a mark for the budget. */
export function ratioChart(title: string, ratios: readonly Ratio[]): string {
  const peers = [...new Set(ratios.map(({ peer }) => peer))];
  const seen = ratios.flatMap(({ spread, budget }) => [
    spread.low,
    spread.high,
    budget?.atLeast ?? 1,
  ]);
  const scale = logScale([...seen, 1], { from: LEFT, to: WIDTH - RIGHT });
  const rows: string[] = [];
  let y = TOP + ROW;
  for (const [index, ratio] of ratios.entries()) {
    const isNew = ratio.label !== ratios[index - 1]?.label;
    if (isNew && index > 0) y += GAP;
    if (isNew) rows.push(words(ratio.label, 10, y + 4));
    rows.push(...rowOf(ratio, y, { scale, colour: colourOf(peers, ratio.peer) }));
    y += ROW;
  }
  const height = y + 44;
  const caption =
    'how many times better Pinnace is than each peer (log scale; right of the dashed line: better)';
  return picture({ width: WIDTH, height, title }, [
    words(title, 10, 22, 'title'),
    words(caption, 10, 40, 'small faint'),
    ...legendOf(peers),
    ...axisOf(scale, y),
    ...rows,
  ]);
}

function rowOf(
  { peer, spread, budget }: Ratio,
  y: number,
  { scale, colour }: { readonly scale: Scale; readonly colour: string },
): readonly string[] {
  const median = scale.at(spread.median);
  const bar = { stroke: colour, 'stroke-width': 3, 'stroke-opacity': 0.55 };
  const mark = budget === undefined ? [] : budgetMark(scale.at(budget.atLeast), y);
  const verdict = budget === undefined ? '' : budget.isMet ? 'good' : 'bad';
  return [
    words(peer, LEFT - 12, y + 4, 'small faint end'),
    line({ x: scale.at(spread.low), y }, { x: scale.at(spread.high), y }, bar),
    element('circle', { cx: median, cy: y, r: 4.5, fill: colour }),
    ...mark,
    words(`${times(spread.median)}${sign(verdict)}`, WIDTH - RIGHT + 12, y + 4, `small ${verdict}`),
  ];
}

/** Colour alone would not do. */
function sign(verdict: string): string {
  return verdict === 'good' ? ' ✓' : verdict === 'bad' ? ' ✗' : '';
}

function budgetMark(x: number, y: number): readonly string[] {
  return [line({ x, y: y - 7 }, { x, y: y + 7 }, { class: 'budget' })];
}

function legendOf(peers: readonly string[]): readonly string[] {
  let x = 10;
  const parts = peers.flatMap((peer) => {
    const at = x;
    x += 30 + peer.length * 7;
    return [
      element('circle', { cx: at + 5, cy: 56, r: 4.5, fill: colourOf(peers, peer) }),
      words(peer, at + 16, 60, 'small'),
    ];
  });
  return [...parts, ...budgetMark(x + 4, 56), words('budget: at least', x + 14, 60, 'small')];
}

function axisOf(scale: Scale, bottom: number): readonly string[] {
  const ticks = scale.ticks.flatMap((tick) => {
    const x = scale.at(tick);
    const look = tick === 1 ? 'even' : 'grid';
    return [
      line({ x, y: TOP }, { x, y: bottom }, { class: look }),
      words(`${tickText(tick)}×`, x, bottom + 16, 'small middle'),
    ];
  });
  const x = (LEFT + WIDTH - RIGHT) / 2;
  return [...ticks, words('ratio, Pinnace to peer', x, bottom + 34, 'small faint middle')];
}

function colourOf(peers: readonly string[], peer: string): string {
  return PALETTE[peers.indexOf(peer) % PALETTE.length] ?? '';
}
