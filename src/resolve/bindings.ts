import type { Caller } from '../base/caller.ts';
import type { Collection } from '../metadata/collection.ts';
import type { Collections } from '../metadata/collections.ts';
import { type Repository, repositoryName } from '../oci/names.ts';
import { CallerList } from '../policy/callers.ts';
import type { DenyList } from '../policy/deny-list.ts';
import type { Policy } from '../policy/policy.ts';
import type { RepositoryRules } from '../policy/repository-rules.ts';
import type { Rule } from '../policy/rule.ts';
import { type Signers, signerDemand } from '../trust/signer-demand.ts';
import type { Treatment } from './pull-service.ts';

/** What a repository, or a tag of it, is bound to by policy. */
export type Binding =
  | { readonly kind: 'no-rule' }
  | { readonly kind: 'unverified'; readonly rule: Rule; readonly callers: CallerList | undefined }
  | VerifiedBinding;

/** A rule by which a trust source is asked. */
export interface VerifiedBinding {
  readonly kind: 'verified';
  readonly rule: Rule;
  /** Who may pull; undefined: whoever the listener lets in. */
  readonly callers: CallerList | undefined;
  readonly signers: Signers;
  readonly collection: () => Collection;
  readonly deny: DenyList;
}

/** What all questions about one repository are answered by. */
export interface BoundRepository {
  readonly rules: RepositoryRules;
  readonly dependsOnTag: boolean;
  /** For what is asked without a tag, and for every tag unless `dependsOnTag`. */
  readonly withoutTag: Binding;
  /** Of what is asked without a tag, and of every tag unless `dependsOnTag`. */
  readonly treatment: Treatment;
  /** Of all rules that can apply, those by which a trust source is asked. */
  readonly verified: readonly VerifiedBinding[];
  readonly byRule: ReadonlyMap<Rule, Binding>;
}

const NO_RULE: Binding = { kind: 'no-rule' };

/** Binds repositories to what the policy demands, each once. */
export class Bindings {
  readonly #policy: Policy;
  readonly #collections: Collections;
  readonly #bound = new WeakMap<Repository, BoundRepository>();

  constructor(policy: Policy, collections: Collections) {
    this.#policy = policy;
    this.#collections = collections;
  }

  /** What a repository is bound to. */
  of(repository: Repository): BoundRepository {
    const known = this.#bound.get(repository);
    if (known !== undefined) return known;
    const bound = this.#bind(repository);
    this.#bound.set(repository, bound);
    return bound;
  }

  /** What a tag is bound to; on the hot path. */
  ofTag(repository: Repository, tag: string): Binding {
    const bound = this.of(repository);
    if (!bound.dependsOnTag) return bound.withoutTag;
    const rule = bound.rules.forTag(tag);
    return (rule && bound.byRule.get(rule)) ?? NO_RULE;
  }

  /**
   * What keeps a caller from a tag, or from what is asked without one, if anything does. A digest may belong to any of the
   * tags: for it every rule has to let the caller in.
   */
  forbidding(
    repository: Repository,
    caller: Caller | undefined,
    tag: string | undefined,
  ): Exclude<Binding, { kind: 'no-rule' }> | undefined {
    const bound = this.of(repository);
    const asked =
      tag === undefined && bound.dependsOnTag
        ? bound.byRule.values()
        : [tag === undefined ? bound.withoutTag : this.ofTag(repository, tag)];
    for (const binding of asked) {
      if (binding.kind === 'no-rule' || binding.callers === undefined) continue;
      if (!binding.callers.includes(caller)) return binding;
    }
    return undefined;
  }

  /** How a tag is treated, or what is asked without one; on the hot path. */
  treatment(repository: Repository, tag: string | undefined): Treatment {
    const bound = this.of(repository);
    if (tag === undefined || !bound.dependsOnTag) return bound.treatment;
    return this.#treatmentOf(bound.rules, this.ofTag(repository, tag));
  }

  #bind(repository: Repository): BoundRepository {
    const rules = this.#policy.rulesOf(repository);
    const byRule = new Map(rules.all.map((rule) => [rule, this.#bindRule(repository, rule)]));
    const verified = [...byRule.values()].filter((binding) => binding.kind === 'verified');
    const withoutTag = (rules.withoutTag && byRule.get(rules.withoutTag)) ?? NO_RULE;
    // A digest may belong to any of the tags, so all rules of the repository have a say in it.
    const treatment = verified.length > 0 ? 'verified' : this.#treatmentOf(rules, withoutTag);
    const { dependOnTag: dependsOnTag } = rules;
    return { rules, dependsOnTag, withoutTag, treatment, verified, byRule };
  }

  #treatmentOf(rules: RepositoryRules, { kind }: Binding): Treatment {
    if (kind !== 'unverified') return kind;
    return rules.all.every((rule) => this.#policy.denied(rule).isEmpty) ? 'unverified' : 'checked';
  }

  #bindRule(repository: Repository, rule: Rule): Binding {
    const { requirement } = rule;
    const callers = rule.clients === undefined ? undefined : new CallerList(rule.clients);
    if (requirement.kind === 'unverified') return { kind: 'unverified', rule, callers };
    const key = { source: requirement.source, gun: repositoryName(repository) };
    const deny = this.#policy.denied(rule);
    const { signers, signersNeeded } = requirement;
    const isPlain = signersNeeded === undefined && deny.signers.length + deny.keys.size === 0;
    return {
      kind: 'verified',
      rule,
      callers,
      signers: isPlain
        ? signers
        : signerDemand({
            signers,
            needed: signersNeeded,
            deniedSigners: deny.signers,
            deniedKeys: deny.keys,
          }),
      collection: this.#collections.opener(key),
      deny,
    };
  }
}
