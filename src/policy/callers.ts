import { type Caller, isCallerName } from '../base/caller.ts';

/** One entry of a rule's `clients`, taken apart. */
export type CallerPattern =
  | { readonly kind: 'everyone'; readonly source: string }
  | { readonly kind: 'caller' | 'group'; readonly source: string; readonly name: string };

const SOURCE = /^[a-z0-9][a-z0-9-]{0,62}$/;

/**
 * Reads `SOURCE/NAME` (one caller), `SOURCE/@GROUP` (a group) or `SOURCE/*` (whoever SOURCE knows). The source stands in
 * front because a name alone would also mean a stranger of that name whom another listener lets in.
 *
 * @returns undefined for any other text
 */
export function parseCallerPattern(text: string): CallerPattern | undefined {
  const slash = text.indexOf('/');
  const source = text.slice(0, slash);
  const name = text.slice(slash + 1);
  if (slash < 0 || !SOURCE.test(source)) return undefined;
  if (name === '*') return { kind: 'everyone', source };
  const isGroup = name.startsWith('@');
  const bare = isGroup ? name.slice(1) : name;
  return isCallerName(bare)
    ? { kind: isGroup ? 'group' : 'caller', source, name: bare }
    : undefined;
}

/** Who may pull what a rule covers. */
export class CallerList {
  readonly #everyone = new Set<string>();
  readonly #callers = new Set<string>();
  readonly #groups = new Map<string, Set<string>>();

  /** @param patterns - as `parseCallerPattern` reads them; any other text stands for nobody */
  constructor(patterns: readonly string[]) {
    for (const text of patterns) {
      const pattern = parseCallerPattern(text);
      if (pattern === undefined) continue;
      if (pattern.kind === 'everyone') this.#everyone.add(pattern.source);
      else if (pattern.kind === 'caller') this.#callers.add(`${pattern.source}/${pattern.name}`);
      else this.#addGroup(pattern.source, pattern.name);
    }
  }

  /** Whether `caller` is one of them; nobody known never is. */
  includes(caller: Caller | undefined): boolean {
    if (caller === undefined) return false;
    const { source, name, groups } = caller;
    // A source has no slash, so no two callers share this text.
    if (this.#everyone.has(source) || this.#callers.has(`${source}/${name}`)) return true;
    const listed = this.#groups.get(source);
    return listed !== undefined && [...groups].some((group) => listed.has(group));
  }

  #addGroup(source: string, name: string): void {
    const groups = this.#groups.get(source);
    if (groups === undefined) this.#groups.set(source, new Set([name]));
    else groups.add(name);
  }
}
