import { PolicyPatternError } from './errors.ts';
import { type Glob, isLiteral, matchesGlob, parseGlob } from './glob.ts';

/** A pattern for whole tags: `*` stands for any characters. */
export interface TagPattern {
  /** As written: equal texts are equal patterns. */
  readonly text: string;
  readonly glob: Glob;
}

/** A tag has at most 128 characters; a pattern for more could match none. */
const TAG_PATTERN = /^[A-Za-z0-9_*][A-Za-z0-9_.*-]{0,127}$/;

/** Parses a tag or a pattern for tags. @throws {PolicyPatternError} `TAG_PATTERN_INVALID`: no tag could match it */
export function parseTagPattern(text: string): TagPattern {
  if (!TAG_PATTERN.test(text)) {
    const problem = 'not a tag or a pattern for tags, such as v1.* (no tag could match it)';
    throw new PolicyPatternError('TAG_PATTERN_INVALID', `${JSON.stringify(text)} is ${problem}`, {
      detail: { pattern: text.slice(0, 128), part: text.slice(0, 128) },
    });
  }
  return { text, glob: parseGlob(text) };
}

/** Says whether `tag` as a whole is covered. */
export function matchesTag(pattern: TagPattern, tag: string): boolean {
  return matchesGlob(pattern.glob, tag);
}

/**
 * Puts the more specific of two tag patterns first (negative: `a`); none at all, which covers every tag, comes last. What
 * decides: no `*`; more characters that are not `*`; fewer `*`; the text.
 */
export function compareTagSpecificity(
  a: TagPattern | undefined,
  b: TagPattern | undefined,
): number {
  if (a === undefined || b === undefined) return Number(a === undefined) - Number(b === undefined);
  const ranksB = tagRanks(b);
  const first = tagRanks(a)
    .map((rank, index) => rank - Number(ranksB[index]))
    .find((difference) => difference !== 0);
  if (first !== undefined) return first;
  if (a.text === b.text) return 0;
  return a.text < b.text ? -1 : 1;
}

/** Equal ranks: only the text decides. */
export function tagRanks({ glob }: TagPattern): readonly number[] {
  const letters = glob.reduce((length, piece) => length + piece.length, 0);
  return [isLiteral(glob) ? 0 : 1, -letters, glob.length];
}
