import { globsIntersect } from './glob.ts';
import type { HostPattern, NamePattern } from './name-pattern.ts';
import { literalPrefixLength, specificityRanks } from './specificity.ts';

/** Two different patterns that can cover the same repository and of which neither is more specific than the other. */
export interface Overlap {
  /** The one that applies where both do. */
  readonly preferred: string;
  readonly other: string;
}

/** Finds every pair of patterns between which only their spelling decides, in a stable order. */
export function findOverlaps(patterns: readonly NamePattern[]): readonly Overlap[] {
  const overlaps: Overlap[] = [];
  for (const group of groupByRivalry(patterns)) {
    for (const [index, preferred] of group.entries()) {
      for (const other of group.slice(index + 1)) {
        if (preferred.text !== other.text && canMeet(preferred, other)) {
          overlaps.push({ preferred: preferred.text, other: other.text });
        }
      }
    }
  }
  return overlaps;
}

/**
 * Groups patterns so that only those in one group can be rivals: equally specific, with the same literal beginning.
 * That keeps the pairwise comparison small for long lists of rules.
 */
function groupByRivalry(patterns: readonly NamePattern[]): readonly (readonly NamePattern[])[] {
  const groups = new Map<string, NamePattern[]>();
  const sorted = [...patterns].sort((a, b) => (a.text < b.text ? -1 : 1));
  for (const pattern of sorted) {
    const prefix = pattern.components.slice(0, literalPrefixLength(pattern)).join('/');
    const key = JSON.stringify([specificityRanks(pattern), prefix, literalHost(pattern)]);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [pattern]);
    else group.push(pattern);
  }
  return [...groups.values()];
}

function literalHost(pattern: NamePattern): string {
  const { host } = pattern;
  if (host.kind === 'any' || host.labels.includes(undefined)) return '';
  return `${host.labels.join('.')}${host.port}`;
}

function canMeet(a: NamePattern, b: NamePattern): boolean {
  return (
    hostsMeet(a.host, b.host) &&
    a.components.every((glob, index) => {
      const other = b.components[index];
      return other !== undefined && globsIntersect(glob, other);
    })
  );
}

function hostsMeet(a: HostPattern, b: HostPattern): boolean {
  if (a.kind === 'any' || b.kind === 'any') return true;
  return (
    a.port === b.port &&
    a.labels.length === b.labels.length &&
    a.labels.every((label, index) => {
      const other = b.labels[index];
      return label === undefined || other === undefined || label === other;
    })
  );
}
