/** Where something is in a configuration: keys and positions from the top. */
export type ConfigPath = readonly (string | number)[];

const PLAIN_KEY = /^[A-Za-z_][A-Za-z0-9_-]*$/;
const MAX_KEY_LENGTH = 80;

/** Writes a path for people: `trust.corp.anchors[0].ca`, `upstreams["docker.io"].url`. */
export function formatPath(path: ConfigPath): string {
  return path.map((step, index) => formatStep(step, index === 0)).join('');
}

function formatStep(step: string | number, isFirst: boolean): string {
  if (typeof step === 'number') return `[${step}]`;
  if (PLAIN_KEY.test(step) && step.length <= MAX_KEY_LENGTH) return isFirst ? step : `.${step}`;
  const shown = step.length > MAX_KEY_LENGTH ? `${step.slice(0, MAX_KEY_LENGTH)}…` : step;
  return `[${JSON.stringify(shown)}]`;
}

/** Says whether `path` is `prefix` or lies below it. */
export function isWithin(path: ConfigPath, prefix: ConfigPath): boolean {
  return prefix.every((step, index) => path[index] === step);
}

/** The value at `path` in plain data, or undefined when there is none. Only own members count. */
export function valueAt(root: unknown, path: ConfigPath): unknown {
  let value = root;
  for (const step of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, step))
      return undefined;
    value = (value as Readonly<Record<string | number, unknown>>)[step];
  }
  return value;
}
