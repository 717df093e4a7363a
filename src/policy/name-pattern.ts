import { parseRegistryHost, parseRepositoryPath, type Repository } from '../oci/names.ts';
import { type PatternCode, PolicyPatternError } from './errors.ts';
import { type Glob, isLiteral, matchesGlob, parseGlob } from './glob.ts';

/** Which hosts a pattern covers: all of them, or those whose labels match one by one and whose port is equal. */
export type HostPattern =
  | { readonly kind: 'any' }
  | {
      readonly kind: 'labels';
      /** Lower case; undefined stands for exactly one label, whatever it is. */
      readonly labels: readonly (string | undefined)[];
      /** With its colon, or empty: a pattern without a port covers only names without one. */
      readonly port: string;
    };

/** A parsed pattern for repository names (and GUNs, which look the same). */
export interface NamePattern {
  /** As written, with the host in lower case: equal texts are equal patterns. */
  readonly text: string;
  readonly host: HostPattern;
  /** One glob per path component, without the closing `**`. */
  readonly components: readonly Glob[];
  /** Whether one or more further components must follow (`**`). */
  readonly isOpen: boolean;
}

/** The longest pattern accepted, in characters: room for the longest host and the longest path. */
const MAX_PATTERN_LENGTH = 512;
const COMPONENT_TEXT = /^[a-z0-9._*-]+$/;

/**
 * Parses a pattern of the form `host/path`.
 *
 * The host is a literal (`docker.io`, `localhost:5000`), or has `*` in place of whole labels, each standing for exactly
 * one label (`*.example.com`), or is `*` alone: every host, with or without a port. Hosts are compared without regard to
 * case. In the path, `*` stands for any characters within one component (`team-*`), and `**` as the last component for
 * one or more components. Nothing in the path ever reaches into the host, nor the other way.
 *
 * @throws {PolicyPatternError} `PATTERN_TOO_LONG`, `PATH_MISSING`, `HOST_INVALID`, `COMPONENT_INVALID`, `WILDCARD_MISPLACED`
 */
export function parseNamePattern(text: string): NamePattern {
  if (text.length > MAX_PATTERN_LENGTH) {
    throw patternError('PATTERN_TOO_LONG', text.slice(0, 64), `longer than ${MAX_PATTERN_LENGTH}`);
  }
  const slash = text.indexOf('/');
  if (slash < 0) {
    throw patternError(
      'PATH_MISSING',
      text,
      'a pattern is host/path, such as docker.io/library/**',
    );
  }
  const hostText = text.slice(0, slash).toLowerCase();
  const host = parseHostPattern(hostText, text);
  const parts = text.slice(slash + 1).split('/');
  const isOpen = parts.at(-1) === '**';
  const components = (isOpen ? parts.slice(0, -1) : parts).map((part) =>
    parseComponent(part, text),
  );
  return { text: `${hostText}/${parts.join('/')}`, host, components, isOpen };
}

/** Says whether `repository` is covered, in time linear in the length of its name for a given pattern. */
export function matchesName(pattern: NamePattern, repository: Repository): boolean {
  return (
    matchesHost(pattern.host, repository.registry) &&
    matchesPath(pattern, repository.path.split('/'))
  );
}

function parseHostPattern(host: string, pattern: string): HostPattern {
  if (host === '*') return { kind: 'any' };
  // With its wildcards filled in, what remains must be a host like any other.
  const isHost = accepts(() => parseRegistryHost(host.replaceAll('*', 'x')));
  const { labels, port } = splitHost(host);
  const isMisplaced = labels.some((label) => label.includes('*') && label !== '*');
  if (isMisplaced || port.includes('*') || labels.every((label) => label === '*')) {
    throw patternError(
      'WILDCARD_MISPLACED',
      pattern,
      'in a host, * stands for one whole label beside literal ones, or alone for any host',
      host,
    );
  }
  if (!isHost) {
    throw patternError(
      'HOST_INVALID',
      pattern,
      'not a registry host name (no scheme, please)',
      host,
    );
  }
  return {
    kind: 'labels',
    labels: labels.map((label) => (label === '*' ? undefined : label)),
    port,
  };
}

function parseComponent(part: string, pattern: string): Glob {
  if (part.includes('**')) {
    const problem = '** is a whole component and the last one';
    throw patternError('WILDCARD_MISPLACED', pattern, problem, part);
  }
  const glob = parseGlob(part);
  const isValid = isLiteral(glob)
    ? accepts(() => parseRepositoryPath(part))
    : COMPONENT_TEXT.test(part);
  if (!isValid) {
    throw patternError(
      'COMPONENT_INVALID',
      pattern,
      'not a part of a repository name (lower case, no tag, no digest)',
      part,
    );
  }
  return glob;
}

function matchesHost(pattern: HostPattern, registry: string): boolean {
  if (pattern.kind === 'any') return true;
  const { labels, port } = splitHost(registry.toLowerCase());
  return (
    port === pattern.port &&
    labels.length === pattern.labels.length &&
    pattern.labels.every((label, index) => label === undefined || label === labels[index])
  );
}

function matchesPath(pattern: NamePattern, parts: readonly string[]): boolean {
  const fixed = pattern.components.length;
  const hasLength = pattern.isOpen ? parts.length > fixed : parts.length === fixed;
  return (
    hasLength &&
    pattern.components.every((glob, index) => {
      const part = parts[index];
      return part !== undefined && matchesGlob(glob, part);
    })
  );
}

/** Takes a host apart; an IPv6 address in brackets counts as one label. */
function splitHost(host: string): { readonly labels: readonly string[]; readonly port: string } {
  const colon = host.indexOf(':', host.lastIndexOf(']') + 1);
  const name = colon < 0 ? host : host.slice(0, colon);
  return { labels: name.split('.'), port: colon < 0 ? '' : host.slice(colon) };
}

function accepts(parse: () => unknown): boolean {
  try {
    parse();
    return true;
  } catch {
    // Only whether it parses matters here: the caller reports its own, more telling error.
    return false;
  }
}

function patternError(
  code: PatternCode,
  pattern: string,
  problem: string,
  part: string = pattern,
): PolicyPatternError {
  return new PolicyPatternError(code, `pattern "${pattern}": ${problem}`, {
    detail: { pattern, part },
  });
}
