import { OciError } from '../oci/errors.ts';
import { parseRegistryHost, parseRepositoryPath } from '../oci/names.ts';
import { PolicyPatternError } from '../policy/errors.ts';
import { globsIntersect } from '../policy/glob.ts';
import { matchesName, type NamePattern, parseNamePattern } from '../policy/name-pattern.ts';
import type { Parsed } from './values.ts';

/** Checks a `host/path` pattern; the value is its text in the one spelling that equal patterns share. */
export function parsePattern(text: string): Parsed<string> {
  try {
    return { ok: true, value: parseNamePattern(text).text };
  } catch (error) {
    if (!(error instanceof PolicyPatternError)) throw error;
    return { ok: false, problem: error.message };
  }
}

/** The pattern, or undefined if the text is none. */
export function patternOf(text: string | undefined): NamePattern | undefined {
  if (text === undefined || !parsePattern(text).ok) return undefined;
  return parseNamePattern(text);
}

/** Says whether a pattern's host part covers a registry host; false for what is no host. */
export function coversHost(pattern: NamePattern, host: string): boolean {
  try {
    const repository = { registry: parseRegistryHost(host), path: parseRepositoryPath('any') };
    return matchesName({ ...pattern, components: [], isOpen: true }, repository);
  } catch (error) {
    if (!(error instanceof OciError)) throw error;
    return false;
  }
}

/** Says whether some repository is covered by both patterns. */
export function patternsMeet(a: NamePattern, b: NamePattern): boolean {
  return hostsMeet(a, b) && lengthsMeet(a, b) && componentsMeet(a, b);
}

function hostsMeet(a: NamePattern, b: NamePattern): boolean {
  if (a.host.kind === 'any' || b.host.kind === 'any') return true;
  const others = b.host.labels;
  return (
    a.host.port === b.host.port &&
    a.host.labels.length === others.length &&
    a.host.labels.every((label, index) => {
      const other = others[index];
      return label === undefined || other === undefined || label === other;
    })
  );
}

function lengthsMeet(a: NamePattern, b: NamePattern): boolean {
  // An open pattern demands one component more than it names.
  const [leastA, leastB] = [shortest(a), shortest(b)];
  if (a.isOpen && b.isOpen) return true;
  if (a.isOpen) return leastB >= leastA;
  if (b.isOpen) return leastA >= leastB;
  return leastA === leastB;
}

function shortest(pattern: NamePattern): number {
  return pattern.components.length + (pattern.isOpen ? 1 : 0);
}

function componentsMeet(a: NamePattern, b: NamePattern): boolean {
  return a.components.every((glob, index) => {
    const other = b.components[index];
    return other === undefined || globsIntersect(glob, other);
  });
}
