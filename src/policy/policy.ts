import { type Repository, repositoryName } from '../oci/names.ts';
import { type DenyEntries, DenyList, NOTHING_DENIED } from './deny-list.ts';
import { PolicyError, PolicyPatternError } from './errors.ts';
import { matchesName, parseNamePattern } from './name-pattern.ts';
import { entryName, findOverlaps, type RuleEntry } from './overlap.ts';
import { RepositoryRules } from './repository-rules.ts';
import type { Rule } from './rule.ts';
import { compareSpecificity } from './specificity.ts';
import { compareTagSpecificity, parseTagPattern } from './tag-pattern.ts';

/** Decides which rule applies. */
export interface Policy {
  /** The rule for what is asked of `repository` without a tag; undefined if there is none, which means: refuse. */
  match(repository: Repository): Rule | undefined;
  /** All rules that can apply to what is asked of `repository`. */
  rulesOf(repository: Repository): RepositoryRules;
  /** What is never served under a rule of this policy, what is denied everywhere included. */
  denied(rule: Rule): DenyList;
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
  const warnings = findOverlaps(entries).map(
    ({ preferred, other, example }) =>
      `"${preferred}" and "${other}" cover some of the same images, such as ${example}, and neither is more specific; "${preferred}" applies there`,
  );
  return { problems, warnings };
}

/**
 * Compiles rules once for many questions. The order of the rules has no meaning.
 *
 * @param deny - what is denied whatever the rule; default: nothing
 * @throws {PolicyError} `POLICY_INVALID` with every problem in `detail.problems`
 */
export function compilePolicy(rules: readonly Rule[], deny: DenyEntries = NOTHING_DENIED): Policy {
  const { entries, problems } = parseRules(rules);
  if (problems.length > 0) {
    throw new PolicyError('POLICY_INVALID', `the policy is not usable: ${problems.join('; ')}`, {
      detail: { problems },
    });
  }
  const denied = new Map(
    rules.map((rule) => [rule, new DenyList([deny, rule.deny ?? NOTHING_DENIED])]),
  );
  return new CompiledPolicy(entries, denied);
}

class CompiledPolicy implements Policy {
  /** Most specific first. */
  readonly #entries: readonly RuleEntry[];
  readonly #denied: ReadonlyMap<Rule, DenyList>;
  /** Least recently used first. Bounded, because clients choose the names that are asked for. */
  readonly #memo = new Map<string, RepositoryRules>();
  /** The same by the very object that was asked about, which is the same one from request to request. */
  readonly #byObject = new WeakMap<Repository, RepositoryRules>();

  constructor(entries: readonly RuleEntry[], denied: ReadonlyMap<Rule, DenyList>) {
    this.#entries = entries.toSorted(compareEntries);
    this.#denied = denied;
  }

  match(repository: Repository): Rule | undefined {
    return this.rulesOf(repository).withoutTag;
  }

  rulesOf(repository: Repository): RepositoryRules {
    const known = this.#byObject.get(repository);
    if (known !== undefined) return known;
    const rules = this.#rulesOfName(repository);
    this.#byObject.set(repository, rules);
    return rules;
  }

  #rulesOfName(repository: Repository): RepositoryRules {
    const name = repositoryName(repository);
    const known = this.#memo.get(name);
    const rules = known ?? this.#find(repository);
    this.#memo.delete(name);
    this.#memo.set(name, rules);
    if (known === undefined) this.#shrink();
    return rules;
  }

  denied(rule: Rule): DenyList {
    const denied = this.#denied.get(rule);
    // To answer with an empty list would be to let through what is denied.
    if (denied === undefined) throw new Error('asked about a rule of another policy');
    return denied;
  }

  #find(repository: Repository): RepositoryRules {
    return new RepositoryRules(
      this.#entries.filter(({ pattern }) => matchesName(pattern, repository)),
    );
  }

  #shrink(): void {
    if (this.#memo.size <= MEMO_ENTRIES) return;
    const oldest = this.#memo.keys().next().value;
    if (oldest !== undefined) this.#memo.delete(oldest);
  }
}

function compareEntries(a: RuleEntry, b: RuleEntry): number {
  return compareSpecificity(a.pattern, b.pattern) || compareTagSpecificity(a.tags, b.tags);
}

function parseRules(rules: readonly Rule[]): {
  readonly entries: readonly RuleEntry[];
  readonly problems: readonly string[];
} {
  const entries: RuleEntry[] = [];
  const problems: string[] = [];
  const firstPlace = new Map<string, number>();
  for (const [place, rule] of rules.entries()) {
    const parsed = tryParse(rule);
    if (parsed instanceof PolicyPatternError) {
      problems.push(`rule ${place}: ${parsed.message}`);
      continue;
    }
    for (const entry of parsed) {
      const name = entryName(entry);
      const earlier = firstPlace.get(name);
      if (earlier === undefined) {
        firstPlace.set(name, place);
        entries.push(entry);
      } else {
        problems.push(`rule ${place}: pattern "${name}" is already that of rule ${earlier}`);
      }
    }
  }
  return { entries, problems };
}

function tryParse(rule: Rule): readonly RuleEntry[] | PolicyPatternError {
  try {
    const pattern = parseNamePattern(rule.match);
    if (rule.tags === undefined) return [{ pattern, rule }];
    return rule.tags.map((text) => ({ pattern, rule, tags: parseTagPattern(text) }));
  } catch (error) {
    if (error instanceof PolicyPatternError) return error;
    throw error;
  }
}
