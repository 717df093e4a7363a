import type { Rule, VerifyingRule } from './rule.ts';
import { matchesTag, type TagPattern } from './tag-pattern.ts';

/** One way in which a rule can apply to a repository: for all that is asked of it, or for some tags. */
export interface RuleUse {
  readonly rule: Rule;
  /** Absent: the rule is for every tag, and for what is asked for without one. */
  readonly tags?: TagPattern;
}

/** The rules that can apply to what is asked of one repository. */
export class RepositoryRules {
  /** The rules, each once, most specific first. */
  readonly all: readonly Rule[];
  /** Most specific first; the last one has no tag pattern, if any has none. */
  readonly #uses: readonly RuleUse[];

  /** @param uses - all that cover the repository, most specific first */
  constructor(uses: readonly RuleUse[]) {
    // Behind one for every tag none is reached.
    const end = uses.findIndex(({ tags }) => tags === undefined);
    this.#uses = end < 0 ? uses : uses.slice(0, end + 1);
    this.all = [...new Set(this.#uses.map(({ rule }) => rule))];
  }

  /** Whether the tag makes a difference. */
  get dependOnTag(): boolean {
    return this.#uses.some(({ tags }) => tags !== undefined);
  }

  /** The rule for a tag; undefined if there is none, which means: refuse. */
  forTag(tag: string): Rule | undefined {
    return this.#uses.find(({ tags }) => tags === undefined || matchesTag(tags, tag))?.rule;
  }

  /** The rule for what is asked for without a tag: the one for every tag, or else the most specific there is. */
  get withoutTag(): Rule | undefined {
    return (this.#uses.find(({ tags }) => tags === undefined) ?? this.#uses[0])?.rule;
  }

  /**
   * The rule whose trust source speaks for the repository as a whole: the one for what is asked for without a tag, or,
   * where that one asks no trust source, the most specific that does.
   */
  get verifying(): VerifyingRule | undefined {
    const { withoutTag } = this;
    return withoutTag !== undefined && isVerifying(withoutTag)
      ? withoutTag
      : this.all.find(isVerifying);
  }
}

function isVerifying(rule: Rule): rule is VerifyingRule {
  return rule.requirement.kind === 'verified';
}
