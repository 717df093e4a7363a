const UNITS: ReadonlyMap<string, number> = new Map([
  ['s', 1],
  ['m', 60],
  ['h', 3600],
]);
const LEAST_SECONDS = 10;
const MOST_SECONDS = 24 * 3600;

/** Seconds of `90s`, `60m` or `24h`; undefined for anything else, and outside 10 s to 24 h. */
export function durationSeconds(text: string): number | undefined {
  const [, digits = '', unit = ''] = /^(\d{1,5})([smh])$/.exec(text) ?? [];
  const seconds = Number(digits) * (UNITS.get(unit) ?? 0);
  return seconds >= LEAST_SECONDS && seconds <= MOST_SECONDS ? seconds : undefined;
}
