import { type Extent, linearScale, logScale, type Scale, tickText } from './scale.ts';
import { type Attributes, element, line, PALETTE, path, picture, words } from './svg.ts';

/** A place on a line, with the least and the most that was seen there. */
export interface Point {
  readonly x: number;
  readonly y: number;
  readonly low?: number;
  readonly high?: number;
}

/** One line of a panel. */
export interface Series {
  readonly name: string;
  readonly points: readonly Point[];
  /** Whether each point is marked; default: when there are few. */
  readonly hasMarks?: boolean;
}

/** One diagram of a picture. */
export interface Panel {
  readonly title: string;
  readonly x: Axis;
  readonly y: Axis;
  readonly series: readonly Series[];
  /** A limit drawn across, with its words. */
  readonly limit?: { readonly at: number; readonly text: string };
  /** Moments marked from top to bottom. */
  readonly moments?: readonly number[];
}

/** What an axis is called, and how it divides its length. */
export interface Axis {
  readonly label: string;
  /** Default false. */
  readonly isLog?: boolean;
}

/** How panels are laid out. */
export interface Layout {
  readonly title: string;
  readonly columns: number;
  readonly panelWidth: number;
  readonly panelHeight: number;
}

const MARGIN = { left: 62, right: 18, top: 44, bottom: 40 } as const;
const HEAD = 36;
const MOST_MARKED = 20;

interface Frame {
  readonly x: Extent;
  readonly y: Extent;
}

/** Draws panels side by side and below each other. */
export function lineChart(layout: Layout, panels: readonly Panel[]): string {
  const { title, columns, panelWidth, panelHeight } = layout;
  const rows = Math.ceil(panels.length / columns);
  const size = { width: columns * panelWidth, height: HEAD + rows * panelHeight, title };
  const drawn = panels.flatMap((panel, index) => {
    const left = (index % columns) * panelWidth;
    const top = HEAD + Math.floor(index / columns) * panelHeight;
    return panelOf(panel, {
      x: { from: left + MARGIN.left, to: left + panelWidth - MARGIN.right },
      y: { from: top + panelHeight - MARGIN.bottom, to: top + MARGIN.top },
    });
  });
  return picture(size, [words(title, 10, 22, 'title'), ...drawn]);
}

function panelOf(panel: Panel, frame: Frame): readonly string[] {
  const points = panel.series.flatMap((series) => series.points);
  const heights = points.flatMap(({ y, low = y, high = y }) => [y, low, high]);
  const limits = panel.limit === undefined ? [] : [panel.limit.at];
  const widths = points.map(({ x }) => x);
  const x = scaleOf(panel.x, widths, frame.x);
  const y = scaleOf(panel.y, [...heights, ...limits], frame.y);
  return [
    words(panel.title, frame.x.from - 44, frame.y.to - 26, 'title'),
    ...gridOf(panel, frame, { x, y }),
    ...(panel.moments ?? []).map((moment) =>
      line(
        { x: x.at(moment), y: frame.y.from },
        { x: x.at(moment), y: frame.y.to },
        { class: 'even' },
      ),
    ),
    ...panel.series.flatMap((series, index) => seriesOf(series, { x, y }, colourOf(index))),
    ...limitOf(panel, frame, y),
    ...legendOf(panel, frame),
  ];
}

function scaleOf(axis: Axis, values: readonly number[], extent: Extent): Scale {
  return axis.isLog === true ? logScale(values, extent) : linearScale(values, extent, 4);
}

function gridOf(
  panel: Panel,
  frame: Frame,
  scales: { readonly x: Scale; readonly y: Scale },
): readonly string[] {
  const { from: left, to: right } = frame.x;
  const { from: bottom, to: top } = frame.y;
  const across = scales.y.ticks.flatMap((tick) => {
    const y = scales.y.at(tick);
    return [
      line({ x: left, y }, { x: right, y }, { class: 'grid' }),
      words(tickText(tick), left - 6, y + 4, 'small end'),
    ];
  });
  const along = scales.x.ticks.flatMap((tick) => {
    const x = scales.x.at(tick);
    return [
      line({ x, y: bottom }, { x, y: bottom + 4 }, { class: 'axis' }),
      words(tickText(tick), x, bottom + 17, 'small middle'),
    ];
  });
  return [
    ...across,
    ...along,
    line({ x: left, y: bottom }, { x: right, y: bottom }, { class: 'axis' }),
    line({ x: left, y: bottom }, { x: left, y: top }, { class: 'axis' }),
    words(panel.y.label, left - 44, top - 10, 'small faint'),
    words(panel.x.label, (left + right) / 2, bottom + 32, 'small faint middle'),
  ];
}

function seriesOf(
  { points, hasMarks = points.length <= MOST_MARKED }: Series,
  scales: { readonly x: Scale; readonly y: Scale },
  colour: string,
): readonly string[] {
  const placed = points.map((point) => ({ x: scales.x.at(point.x), y: scales.y.at(point.y) }));
  const stroke: Attributes = { stroke: colour, 'stroke-width': 1.8, 'stroke-linejoin': 'round' };
  const ranges = points.flatMap(({ x, low, high }) =>
    low === undefined || high === undefined
      ? []
      : [
          line(
            { x: scales.x.at(x), y: scales.y.at(low) },
            { x: scales.x.at(x), y: scales.y.at(high) },
            { stroke: colour, 'stroke-width': 4, 'stroke-opacity': 0.35 },
          ),
        ],
  );
  const marks = hasMarks
    ? placed.map(({ x, y }) => element('circle', { cx: x, cy: y, r: 3.2, fill: colour }))
    : [];
  return [...ranges, path(placed, stroke), ...marks];
}

function limitOf({ limit }: Panel, frame: Frame, y: Scale): readonly string[] {
  if (limit === undefined) return [];
  const height = y.at(limit.at);
  return [
    line({ x: frame.x.from, y: height }, { x: frame.x.to, y: height }, { class: 'budget' }),
    words(limit.text, frame.x.to, height - 5, 'small bad end'),
  ];
}

/** Names of the lines, right above the panel. */
function legendOf({ series }: Panel, frame: Frame): readonly string[] {
  if (series.length < 2) return [];
  let x = frame.x.to;
  return series.toReversed().flatMap(({ name }, index) => {
    x -= name.length * 6.4 + 24;
    const colour = colourOf(series.length - 1 - index);
    const y = frame.y.to - 14;
    return [
      line({ x, y }, { x: x + 14, y }, { stroke: colour, 'stroke-width': 3 }),
      words(name, x + 18, y + 4, 'small'),
    ];
  });
}

function colourOf(index: number): string {
  return PALETTE[index % PALETTE.length] ?? '';
}
