import type { Caller } from '../base/caller.ts';
import type { ReasonCode } from '../base/reason-code.ts';
import type { Config } from '../config/config.ts';
import type { ImageReference } from '../oci/image-reference.ts';
import { BreakGlass, type BreakGlassEntry } from '../policy/break-glass.ts';
import { CallerList } from '../policy/callers.ts';
import { matchesName, parseNamePattern } from '../policy/name-pattern.ts';
import { compilePolicy, type Policy } from '../policy/policy.ts';
import type { RepositoryRules } from '../policy/repository-rules.ts';
import { type Rule, ruleName } from '../policy/rule.ts';
import { compareSpecificity } from '../policy/specificity.ts';
import { isOpenByDigest } from '../resolve/vouching.ts';

/** What a configuration alone says of an image. */
export interface PolicyView {
  /** `verified`: a trust source is asked; `unverified`: the registry's word is taken; `refused`: whatever they say. */
  readonly verdict: 'verified' | 'unverified' | 'refused';
  /** Why it is refused. */
  readonly reason?: ReasonCode;
  /** In words. */
  readonly because: string;
  readonly rule?: Rule;
  /** Names of rules that cover the repository as well and are less specific, or for other tags. */
  readonly others: readonly string[];
  /** The exceptions in force for the image. */
  readonly breakGlass: readonly BreakGlassEntry[];
}

/** Who asks. */
type Asking = Caller | undefined | 'anybody';

/** Looks at images through the policy of one configuration, asking nobody. */
export class PolicyExamination {
  readonly #config: Config;
  readonly #policy: Policy;
  readonly #breakGlass: BreakGlass;

  constructor(config: Config) {
    this.#config = config;
    this.#policy = compilePolicy(config.rules, config.deny);
    this.#breakGlass = new BreakGlass(config.breakGlass);
  }

  /**
   * What becomes of an image when `caller` asks for it at `now`, milliseconds since the epoch; undefined is nobody known,
   * `anybody` leaves out who asks.
   */
  view(image: ImageReference, caller: Asking, now: number): PolicyView {
    const { repository, tag, digest } = image;
    const rules = this.#policy.rulesOf(repository);
    const isByTag = digest === undefined && tag !== undefined;
    const rule = isByTag ? rules.forTag(tag) : rules.withoutTag;
    const entries = this.#breakGlass
      .of(repository, now)
      .filter((entry) => (isByTag ? entry.tag === tag : entry.digest === digest));
    const common = { others: this.#others(image, rule), breakGlass: entries };
    if (rule === undefined) {
      const because = 'no rule covers it';
      return { ...common, verdict: 'refused', reason: 'no_rule', because };
    }
    return { ...common, rule, ...this.#judge(image, { rules, rule, caller }) };
  }

  #judge(
    { repository, tag, digest }: ImageReference,
    asked: {
      readonly rules: RepositoryRules;
      readonly rule: Rule;
      readonly caller: Asking;
    },
  ): Pick<PolicyView, 'verdict' | 'reason' | 'because'> {
    const { rules, rule, caller } = asked;
    const isByTag = digest === undefined;
    const inForce = isByTag ? [rule] : rules.all;
    const closed = inForce.find(
      ({ clients }) =>
        clients !== undefined && caller !== 'anybody' && !new CallerList(clients).includes(caller),
    );
    if (closed !== undefined) {
      const because = `rule "${ruleName(closed)}" does not let this caller in`;
      return { verdict: 'refused', reason: 'client_forbidden', because };
    }
    const lists = this.#policy.rulesOf(repository).all.map((each) => this.#policy.denied(each));
    const pattern = isByTag ? this.#policy.denied(rule).deniedTag(tag ?? '') : undefined;
    const denied =
      pattern ??
      lists.map((list) => list.deniedDigest(digest === undefined ? [] : [digest])).find(Boolean);
    if (denied !== undefined) {
      return { verdict: 'refused', reason: 'denied_by_rule', because: `${denied} is denied` };
    }
    const { requirement } = rule;
    if (requirement.kind === 'unverified') {
      const because = `the rule relays it unverified: ${requirement.reason}`;
      return { verdict: 'unverified', because };
    }
    if (!isByTag && isOpenByDigest(rules)) {
      return { verdict: 'unverified', because: 'any digest of the repository may be had' };
    }
    return { verdict: 'verified', because: `trust source "${requirement.source}" is asked` };
  }

  #others({ repository }: ImageReference, rule: Rule | undefined): readonly string[] {
    return this.#config.rules
      .filter((each) => each !== rule)
      .map((each) => ({ rule: each, pattern: parseNamePattern(each.match) }))
      .filter(({ pattern }) => matchesName(pattern, repository))
      .toSorted((a, b) => compareSpecificity(a.pattern, b.pattern))
      .map((each) => ruleName(each.rule));
  }
}
