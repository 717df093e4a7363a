import { type Repository, repositoryName } from '../oci/names.ts';
import { PolicyError, PolicyPatternError } from './errors.ts';
import { type NamePattern, parseNamePattern } from './name-pattern.ts';
import { findOverlaps } from './overlap.ts';
import { PatternIndex } from './pattern-index.ts';

/** What a rule demands before content of its repositories is served. */
export type Requirement =
  | {
      readonly kind: 'verified';
      /** The trust source's name in the configuration. */
      readonly source: string;
      /** Signers that must all have signed the digest; empty: the source's publishers suffice. */
      readonly signers: readonly string[];
    }
  | {
      readonly kind: 'unverified';
      /** Why the operator does without verification. */
      readonly reason: string;
    };

/** One rule of the policy as the operator wrote it. */
export interface Rule {
  /** A `host/path` pattern, see `parseNamePattern`. */
  readonly match: string;
  readonly requirement: Requirement;
  /** Who may pull, see `CallerList`; absent: whoever the listener lets in. */
  readonly clients?: readonly string[];
}

/** Decides which rule applies to a repository. */
export interface Policy {
  /** The most specific rule that covers `repository`; undefined if there is none, which means: refuse. */
  match(repository: Repository): Rule | undefined;
}

/** What an examination of rules found, in words for the operator. */
export interface PolicyFindings {
  /** What makes the rules unusable; each names the rule by its place, counted from zero, and its pattern. */
  readonly problems: readonly string[];
  /** What is usable but likely not meant. */
  readonly warnings: readonly string[];
}

/** The number of repositories whose rule is remembered. */
const MEMO_ENTRIES = 10_000;

/** Finds everything that is wrong or doubtful in `rules`: bad patterns, equal patterns, ties between patterns. */
export function examineRules(rules: readonly Rule[]): PolicyFindings {
  const { entries, problems } = parseRules(rules);
  const warnings = findOverlaps(entries.map((entry) => entry.pattern)).map(
    ({ preferred, other }) =>
      `"${preferred}" and "${other}" cover some of the same repositories and neither is more specific; "${preferred}" applies there`,
  );
  return { problems, warnings };
}

/**
 * Compiles rules once for many questions. The order of the rules has no meaning.
 *
 * @throws {PolicyError} `POLICY_INVALID` with every problem in `detail.problems`
 */
export function compilePolicy(rules: readonly Rule[]): Policy {
  const { entries, problems } = parseRules(rules);
  if (problems.length > 0) {
    throw new PolicyError('POLICY_INVALID', `the policy is not usable: ${problems.join('; ')}`, {
      detail: { problems },
    });
  }
  return new CompiledPolicy(new PatternIndex(entries));
}

interface RuleEntry {
  readonly pattern: NamePattern;
  readonly rule: Rule;
}

class CompiledPolicy implements Policy {
  readonly #index: PatternIndex<RuleEntry>;
  /** Least recently used first. Bounded, because clients choose the names that are asked for. */
  readonly #memo = new Map<string, Rule | undefined>();

  constructor(index: PatternIndex<RuleEntry>) {
    this.#index = index;
  }

  match(repository: Repository): Rule | undefined {
    const name = repositoryName(repository);
    const isKnown = this.#memo.has(name);
    const rule = isKnown ? this.#memo.get(name) : this.#index.find(repository)?.rule;
    this.#memo.delete(name);
    this.#memo.set(name, rule);
    if (!isKnown) this.#shrink();
    return rule;
  }

  #shrink(): void {
    if (this.#memo.size <= MEMO_ENTRIES) return;
    const oldest = this.#memo.keys().next().value;
    if (oldest !== undefined) this.#memo.delete(oldest);
  }
}

function parseRules(rules: readonly Rule[]): {
  readonly entries: readonly RuleEntry[];
  readonly problems: readonly string[];
} {
  const entries: RuleEntry[] = [];
  const problems: string[] = [];
  const firstPlace = new Map<string, number>();
  for (const [place, rule] of rules.entries()) {
    const pattern = tryParse(rule);
    if (pattern instanceof PolicyPatternError) {
      problems.push(`rule ${place}: ${pattern.message}`);
      continue;
    }
    const earlier = firstPlace.get(pattern.text);
    if (earlier !== undefined) {
      problems.push(`rule ${place}: pattern "${pattern.text}" is already that of rule ${earlier}`);
      continue;
    }
    firstPlace.set(pattern.text, place);
    entries.push({ pattern, rule });
  }
  return { entries, problems };
}

function tryParse(rule: Rule): NamePattern | PolicyPatternError {
  try {
    return parseNamePattern(rule.match);
  } catch (error) {
    if (error instanceof PolicyPatternError) return error;
    throw error;
  }
}
