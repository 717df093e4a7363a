import { isLiteral } from './glob.ts';
import type { HostPattern, NamePattern } from './name-pattern.ts';

/**
 * Puts the more specific of two patterns first (negative: `a`), as a total order; zero only for equal patterns.
 *
 * What decides, one after the other:
 * 1. a literal host, then a host with fewer `*` labels, then any host;
 * 2. more leading components without a wildcard;
 * 3. no `**` before `**`;
 * 4. more components;
 * 5. fewer components with a wildcard;
 * 6. more characters that are not wildcards;
 * 7. fewer `*`;
 * 8. the text, in code unit order, only so that the answer never depends on the order of the rules.
 *
 * A pattern that covers part of what another one covers always comes first.
 */
export function compareSpecificity(a: NamePattern, b: NamePattern): number {
  const ranksA = specificityRanks(a);
  const ranksB = specificityRanks(b);
  const differences = ranksA.map((rank, index) => rank - Number(ranksB[index]));
  const first = differences.find((difference) => difference !== 0);
  if (first !== undefined) return first;
  if (a.text === b.text) return 0;
  return a.text < b.text ? -1 : 1;
}

/** Steps 1 to 7 of the order as numbers, smaller first: patterns with equal ranks are equally specific. */
export function specificityRanks(pattern: NamePattern): readonly number[] {
  const { components } = pattern;
  return [
    hostRank(pattern.host),
    -literalPrefixLength(pattern),
    pattern.isOpen ? 1 : 0,
    -components.length,
    components.filter((glob) => !isLiteral(glob)).length,
    -components.flat().reduce((length, piece) => length + piece.length, 0),
    components.reduce((stars, glob) => stars + glob.length - 1, 0),
  ];
}

/** How many components at the start of the path have no wildcard. */
export function literalPrefixLength(pattern: NamePattern): number {
  const end = pattern.components.findIndex((glob) => !isLiteral(glob));
  return end < 0 ? pattern.components.length : end;
}

function hostRank(host: HostPattern): number {
  if (host.kind === 'any') return Number.MAX_SAFE_INTEGER;
  return host.labels.filter((label) => label === undefined).length;
}
