/** Where a value lies on an axis, in pixels, and which values are written there. */
export interface Scale {
  readonly ticks: readonly number[];
  at(value: number): number;
}

/** The pixels that an axis covers; `to` may be less than `from`. */
export interface Extent {
  readonly from: number;
  readonly to: number;
}

const MOST_TICKS = 12;

/** An axis from 0 (or the least value, if that is less) to a round number above the greatest. */
export function linearScale(values: readonly number[], extent: Extent, wanted = 5): Scale {
  const least = Math.min(0, ...values);
  const greatest = Math.max(0, ...values);
  const most = greatest > least ? greatest : 1;
  const step = roundStep((most - least) / wanted);
  const first = Math.floor(least / step) * step;
  const last = Math.max(Math.ceil(most / step - 1e-9) * step, first + step);
  const count = Math.min(Math.round((last - first) / step), MOST_TICKS);
  const ticks = Array.from({ length: count + 1 }, (_, index) => first + index * step);
  return { ticks, at: (value) => placed((value - first) / (last - first), extent) };
}

/** An axis in powers of ten around the values, all of which are above 0. */
export function logScale(values: readonly number[], extent: Extent): Scale {
  const positive = values.filter((value) => value > 0);
  const first = Math.floor(Math.log10(Math.min(...positive, 1e9)) + 1e-9);
  const last = Math.max(Math.ceil(Math.log10(Math.max(...positive, 1e-9)) - 1e-9), first + 1);
  const low = Math.min(first, last - 1);
  const count = Math.min(last - low, MOST_TICKS);
  const ticks = Array.from({ length: count + 1 }, (_, index) => 10 ** (low + index));
  return {
    ticks,
    at: (value) => placed((Math.log10(Math.max(value, 10 ** low)) - low) / (last - low), extent),
  };
}

/** A value beside an axis: `0.01`, `250`, `10 k`, `1 M`. */
export function tickText(value: number): string {
  const [unit, name] = value >= 1e6 ? [1e6, ' M'] : value >= 1e4 ? [1e3, ' k'] : [1, ''];
  return `${Number((value / unit).toPrecision(3))}${name}`;
}

function placed(share: number, { from, to }: Extent): number {
  return from + Math.min(1, Math.max(0, share)) * (to - from);
}

/** 1, 2, 2.5 or 5 times a power of ten, at least `step`. */
function roundStep(step: number): number {
  const power = 10 ** Math.floor(Math.log10(step));
  const factor = [1, 2, 2.5, 5, 10].find((each) => each * power >= step * (1 - 1e-9)) ?? 10;
  return factor * power;
}
