import { exampleOfBoth } from './example.ts';
import { globsIntersect } from './glob.ts';
import type { HostPattern, NamePattern } from './name-pattern.ts';
import type { RuleUse } from './repository-rules.ts';
import { literalPrefixLength, specificityRanks } from './specificity.ts';
import { tagRanks } from './tag-pattern.ts';

/** One pattern of a rule. */
export interface RuleEntry extends RuleUse {
  readonly pattern: NamePattern;
}

/** Two different patterns that can cover the same image and of which neither is more specific than the other. */
export interface Overlap {
  /** The one that applies where both do. */
  readonly preferred: string;
  readonly other: string;
  /** An image that both cover. */
  readonly example: string;
}

/** The text of an entry: its pattern, and that for tags if it has one. */
export function entryName({ pattern, tags }: Pick<RuleEntry, 'pattern' | 'tags'>): string {
  return tags === undefined ? pattern.text : `${pattern.text}:${tags.text}`;
}

/** Finds every pair of entries between which only their spelling decides, in a stable order. */
export function findOverlaps(
  entries: readonly Pick<RuleEntry, 'pattern' | 'tags' | 'rule'>[],
): readonly Overlap[] {
  const overlaps: Overlap[] = [];
  for (const group of groupByRivalry(entries)) {
    for (const [index, preferred] of group.entries()) {
      for (const other of group.slice(index + 1)) {
        // One rule that overlaps itself decides the same either way.
        if (preferred.rule === other.rule || !areRivals(preferred, other)) continue;
        overlaps.push({
          preferred: entryName(preferred),
          other: entryName(other),
          example: exampleOfBoth(preferred, other),
        });
      }
    }
  }
  return overlaps;
}

/**
 * Groups entries so that only those in one group can be rivals: equally specific, with the same literal beginning. That keeps
 * the pairwise comparison small for long lists of rules.
 */
function groupByRivalry(entries: readonly RuleEntry[]): readonly (readonly RuleEntry[])[] {
  const groups = new Map<string, RuleEntry[]>();
  const sorted = entries.toSorted((a, b) => (entryName(a) < entryName(b) ? -1 : 1));
  for (const entry of sorted) {
    const { pattern } = entry;
    const prefix = pattern.components.slice(0, literalPrefixLength(pattern)).join('/');
    const key = JSON.stringify([specificityRanks(pattern), prefix, literalHost(pattern)]);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [entry]);
    else group.push(entry);
  }
  return [...groups.values()];
}

/** For one and the same repository pattern the more specific tag pattern decides; between two it is never asked. */
function areRivals(a: RuleEntry, b: RuleEntry): boolean {
  if (!canMeet(a.pattern, b.pattern)) return false;
  if (a.tags !== undefined && b.tags !== undefined && !globsIntersect(a.tags.glob, b.tags.glob)) {
    return false;
  }
  if (a.pattern.text !== b.pattern.text) return true;
  if (a.tags === undefined || b.tags === undefined) return false;
  return JSON.stringify(tagRanks(a.tags)) === JSON.stringify(tagRanks(b.tags));
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
