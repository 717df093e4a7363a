import type { Caller } from '../base/caller.ts';
import type { Clock } from '../base/clock.ts';
import { CodedError } from '../base/coded-error.ts';
import { type ReasonCode, TRUST_REASONS, TRUST_SERVER_REASONS } from '../base/reason-code.ts';
import type { Digest } from '../oci/digest.ts';
import type { Repository, Tag } from '../oci/names.ts';
import type { BreakGlass, BreakGlassEntry } from '../policy/break-glass.ts';
import type { Policy } from '../policy/policy.ts';
import type { RepositoryRules } from '../policy/repository-rules.ts';
import { type Rule, ruleName } from '../policy/rule.ts';
import { BreakGlassImages } from './break-glass-images.ts';
import { requireTagAllowed } from './denials.ts';
import type {
  BlobOptions,
  LetThroughBlob,
  LetThroughManifest,
  LetThroughTags,
  Passage,
  PullOptions,
  PullService,
  Refusal,
  ServedBlob,
  ServedManifest,
  ServedTags,
  Treatment,
  VerifiedPullService,
} from './pull-service.ts';
import type { UnverifiedContent, UnverifiedManifest } from './unverified-content.ts';
import { isOpenByDigest } from './vouching.ts';

/** What `PolicedPulls` is put together from. */
export interface PolicedPullsOptions {
  /** What is asked first, always. */
  readonly inner: VerifiedPullService;
  readonly policy: Policy;
  readonly breakGlass: BreakGlass;
  readonly content: UnverifiedContent;
  readonly clock: Clock;
  /** Makes a refusal of an error; the rule is its name. */
  readonly refusalOf: (error: unknown, rule: string | undefined) => Refusal;
}

/**
 * The refusals that an operator's word may lift: what could not be verified. Not what was proved to be other content than its
 * digest says, nor what is denied, nor what is not there to be served.
 */
const LIFTED: ReadonlySet<ReasonCode> = new Set<ReasonCode>([
  ...TRUST_REASONS,
  ...TRUST_SERVER_REASONS,
  'digest_not_vouched',
  'clock_went_back',
  'state_unreadable',
  'manifest_missing',
]);

/** Failures on the way round that say more than the refusal that was to be lifted. */
const TELLING: ReadonlySet<string> = new Set<ReasonCode>(['denied_by_rule', 'digest_mismatch']);

/**
 * The verified pulls, and round them what operators let through by name: break-glass, rules in audit, rules that leave tags or
 * digests unverified. Verification is asked first; what is let through is another kind of answer, which no cache of verified
 * answers takes.
 */
export class PolicedPulls implements PullService {
  readonly #options: PolicedPullsOptions;
  readonly #images: BreakGlassImages;

  constructor(options: PolicedPullsOptions) {
    this.#options = options;
    this.#images = new BreakGlassImages(options.content);
  }

  treatment(repository: Repository, tag?: Tag): Treatment {
    return this.#options.inner.treatment(repository, tag);
  }

  forbids(repository: Repository, caller: Caller | undefined, tag?: Tag): Refusal | undefined {
    return this.#options.inner.forbids(repository, caller, tag);
  }

  manifestByTagNow(repository: Repository, tag: Tag): ServedManifest | undefined {
    return this.#options.inner.manifestByTagNow(repository, tag);
  }

  async manifestByTag(
    repository: Repository,
    tag: Tag,
    options: PullOptions,
  ): Promise<ServedManifest | LetThroughManifest | Refusal> {
    const { inner, policy, content } = this.#options;
    const rule = policy.rulesOf(repository).forTag(tag);
    const { signal } = options;
    const byTag = (): Promise<UnverifiedManifest> => content.manifestByTag(repository, tag, signal);
    if (rule?.requirement.kind === 'unverified') {
      return await this.#byRule(rule, async () => {
        requireTagAllowed(policy.denied(rule), tag);
        return letThrough(await byTag(), { by: 'rule' }, rule);
      });
    }
    const answer = await inner.manifestByTag(repository, tag, options);
    if (answer.verdict === 'pinned' || !LIFTED.has(answer.reason)) return answer;
    const entry = this.#entries(repository).find((each) => each.tag === tag);
    if (entry !== undefined) {
      return await this.#instead(answer, async () => {
        const manifest = await content.manifestByDigest(repository, entry.digest, signal);
        return letThrough(manifest, { by: 'break-glass', lifted: answer, entry }, rule);
      });
    }
    if (rule?.audit !== true) return answer;
    return await this.#instead(answer, async () =>
      letThrough(await byTag(), { by: 'audit', lifted: answer }, rule),
    );
  }

  async manifestByDigest(
    repository: Repository,
    digest: Digest,
    options: PullOptions,
  ): Promise<ServedManifest | LetThroughManifest | Refusal> {
    const { inner, content } = this.#options;
    return await this.#byDigest(repository, digest, {
      verified: () => inner.manifestByDigest(repository, digest, options),
      unverified: async (passage, rule) => {
        const manifest = await content.manifestByDigest(repository, digest, options.signal);
        return letThrough(manifest, passage, rule);
      },
    });
  }

  async blob(
    repository: Repository,
    digest: Digest,
    options: BlobOptions,
  ): Promise<ServedBlob | LetThroughBlob | Refusal> {
    const { inner, content } = this.#options;
    return await this.#byDigest(repository, digest, {
      verified: () => inner.blob(repository, digest, options),
      unverified: async (passage, rule) => {
        const blob = await content.blob(repository, digest, options);
        return { verdict: 'let-through', passage, digest, content: blob, ...named(rule) };
      },
    });
  }

  async tags(
    repository: Repository,
    options: PullOptions,
  ): Promise<ServedTags | LetThroughTags | Refusal> {
    const { inner, policy } = this.#options;
    const rules = policy.rulesOf(repository);
    const rule = rules.withoutTag;
    if (rule !== undefined && rules.all.every(isUnverified)) {
      return { verdict: 'let-through', passage: { by: 'rule' }, ...named(rule) };
    }
    const answer = await inner.tags(repository, options);
    if (answer.verdict === 'pinned' || !LIFTED.has(answer.reason)) return answer;
    if (rule?.audit !== true) return answer;
    return { verdict: 'let-through', passage: { by: 'audit', lifted: answer }, ...named(rule) };
  }

  /** A digest names no tag: whichever rule of the repository lets it through does. */
  async #byDigest<Served extends { readonly verdict: 'pinned' }, Passed>(
    repository: Repository,
    digest: Digest,
    ask: {
      readonly verified: () => Promise<Served | Refusal>;
      readonly unverified: (passage: Passage, rule: Rule | undefined) => Promise<Passed>;
    },
  ): Promise<Served | Passed | Refusal> {
    const rules = this.#options.policy.rulesOf(repository);
    const rule = rules.withoutTag;
    if (rule !== undefined && rules.all.every(isUnverified)) {
      return await this.#byRule(rule, () => ask.unverified({ by: 'rule' }, rule));
    }
    const answer = await ask.verified();
    if (answer.verdict === 'pinned' || !LIFTED.has(answer.reason)) return answer;
    if (rule !== undefined && isOpenByDigest(rules)) {
      return await this.#byRule(rule, () => ask.unverified({ by: 'rule' }, rule));
    }
    return await this.#instead(answer, async () => {
      const passage = await this.#passage(repository, digest, { rules, lifted: answer });
      return passage === undefined ? answer : await ask.unverified(passage, rule);
    });
  }

  async #passage(
    repository: Repository,
    digest: Digest,
    { rules, lifted }: { readonly rules: RepositoryRules; readonly lifted: Refusal },
  ): Promise<Passage | undefined> {
    for (const entry of this.#entries(repository)) {
      const isOfImage =
        entry.digest === digest || (await this.#images.partOf(entry, digest)) !== undefined;
      if (isOfImage) return { by: 'break-glass', lifted, entry };
    }
    return rules.all.some(({ audit }) => audit === true) ? { by: 'audit', lifted } : undefined;
  }

  #entries(repository: Repository): readonly BreakGlassEntry[] {
    const { breakGlass, clock } = this.#options;
    return breakGlass.isEmpty ? [] : breakGlass.of(repository, clock.now());
  }

  async #byRule<Answer>(rule: Rule, work: () => Promise<Answer>): Promise<Answer | Refusal> {
    try {
      return await work();
    } catch (error) {
      return this.#refusal(error, rule);
    }
  }

  /** What is let through instead of a refusal, or else the refusal. */
  async #instead<Answer>(lifted: Refusal, work: () => Promise<Answer>): Promise<Answer | Refusal> {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof CodedError)) throw error;
      const { rule, form } = lifted;
      const failure = this.#options.refusalOf(error, rule);
      // "Could not find out" must not be told as "not allowed": it may go well the next time.
      if (TELLING.has(error.code) || failure.verdict === 'inconclusive') {
        return form === undefined ? failure : { ...failure, form };
      }
      // What the engine is told stays true; the operator, who has it lifted, finds in the log why it was not.
      return { ...lifted, cause: `${lifted.cause}; it cannot be let through: ${error.message}` };
    }
  }

  #refusal(error: unknown, rule: Rule): Refusal {
    if (!(error instanceof CodedError)) throw error;
    const refusal = this.#options.refusalOf(error, ruleName(rule));
    return rule.refusal === undefined ? refusal : { ...refusal, form: rule.refusal };
  }
}

function letThrough(
  { digest, mediaType, bytes }: UnverifiedManifest,
  passage: Passage,
  rule: Rule | undefined,
): LetThroughManifest {
  return { verdict: 'let-through', passage, digest, mediaType, bytes, ...named(rule) };
}

function named(rule: Rule | undefined): { readonly rule?: string } {
  return rule === undefined ? {} : { rule: ruleName(rule) };
}

function isUnverified({ requirement }: Rule): boolean {
  return requirement.kind === 'unverified';
}
