/** The members of a JSON object by name; none for anything else. Names come from outside, hence a map. */
export function membersOf(value: unknown): ReadonlyMap<string, unknown> {
  const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
  return new Map(isObject ? Object.entries(value) : []);
}

/** The elements of a JSON list, at most `MAX_LISTED`; none for anything else. */
export function elementsOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value.slice(0, MAX_LISTED) : [];
}

/** The texts in a JSON list. */
export function textsOf(value: unknown): readonly string[] {
  return elementsOf(value).filter((each) => typeof each === 'string');
}

/** A JSON text, or empty for anything else. */
export function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

/** What a program printed as JSON; undefined if it is none. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** The most elements of a list that are looked at. */
export const MAX_LISTED = 50_000;
