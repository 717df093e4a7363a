import type { Clock } from '../base/clock.ts';
import { type Digest, digestHex } from '../oci/digest.ts';
import type { Repository } from '../oci/names.ts';
import type { RepositoryRules } from '../policy/repository-rules.ts';
import type { Rule } from '../policy/rule.ts';
import type { BoundRepository, VerifiedBinding } from './bindings.ts';
import type { PinStore } from './ports.ts';

/** How many manifests above a digest are looked at: an image is in few indexes, a layer may be in many images. */
const MAX_ANCESTORS = 4_096;

/** What is asked of `Vouching`. */
export interface VouchingQuestion {
  readonly repository: Repository;
  readonly digest: Digest;
  readonly bound: BoundRepository;
  readonly signal: AbortSignal | undefined;
}

/**
 * Says whether what vouched for a digest still counts. A digest names no tag: it is enough that one rule of the repository
 * would still stand for it.
 */
export class Vouching {
  readonly #pins: PinStore;
  readonly #clock: Clock;

  constructor(pins: PinStore, clock: Clock) {
    this.#pins = pins;
    this.#clock = clock;
  }

  /**
   * Whether a digest that something verified once vouched for may be served by it now.
   *
   * @throws {TrustError} {@link TrustServerError} {@link StateError} as `Collection.pin` does, where the question is what is signed now
   */
  async stillCounts(question: VouchingQuestion): Promise<boolean> {
    const { verified } = question.bound;
    if (countsForEver(question.bound)) return true;
    const above = await this.#ancestors(question.repository, question.digest);
    // What is on record first: it needs nobody's answer.
    for (const binding of verified) {
      if (await this.#wasVerifiedLately(question, binding, above)) return true;
    }
    for (const binding of verified) {
      for (const digest of above) {
        if ((await tagNowSigned(question, binding, digest)) !== undefined) return true;
      }
    }
    return false;
  }

  async #wasVerifiedLately(
    { repository, bound }: VouchingQuestion,
    { rule, deny }: VerifiedBinding,
    digests: ReadonlySet<Digest>,
  ): Promise<boolean> {
    const since = this.#clock.now() - (lifetimeMs(rule) ?? 0);
    for (const digest of digests) {
      for (const { tag, verifiedAt } of await this.#pins.pinsOf(repository, digest)) {
        const isOfRule = bound.rules.forTag(tag) === rule && deny.deniedTag(tag) === undefined;
        if (isOfRule && verifiedAt > since) return true;
      }
    }
    return false;
  }

  /** The digest itself and the manifests that lead to it. */
  async #ancestors(repository: Repository, digest: Digest): Promise<ReadonlySet<Digest>> {
    const found = new Set<Digest>([digest]);
    // The set grows while it is walked.
    for (const each of found) {
      for (const parent of await this.#pins.parents(repository, each)) {
        if (found.size < MAX_ANCESTORS) found.add(parent);
      }
    }
    return found;
  }
}

/** A tag that this rule would serve with this digest now; throws as `Collection.pin` does. */
export async function tagNowSigned(
  { bound, signal }: VouchingQuestion,
  { rule, deny, collection, signers }: VerifiedBinding,
  digest: Digest,
): Promise<string | undefined> {
  if (!digest.startsWith('sha256:')) return undefined;
  const sha256 = digestHex(digest);
  for (const tag of await collection().tagsOf(sha256, signers, signal)) {
    if (bound.rules.forTag(tag) !== rule || deny.deniedTag(tag) !== undefined) continue;
    const { value: pin } = await collection().pin(tag, signers, signal);
    if (pin.deniedKey === undefined && pin.sha256 === sha256) return tag;
  }
  return undefined;
}

/** Whether what a verified tag once led to may be had by its digest as long as the rules stay as they are. */
export function countsForEver({ verified }: BoundRepository): boolean {
  return verified.some(({ rule }) => lifetimeMs(rule) === undefined);
}

/** How long a digest outlives the last verification of its tag under a rule; undefined: for ever. */
function lifetimeMs({ requirement }: Rule): number | undefined {
  if (requirement.kind !== 'verified') return undefined;
  const { byDigest } = requirement;
  return byDigest?.kind === 'vouched' ? byDigest.forMs : undefined;
}

/** Whether anything that a registry has may be had of a repository by its digest. */
export function isOpenByDigest(rules: RepositoryRules): boolean {
  return rules.all.some(
    ({ requirement }) => requirement.kind === 'unverified' || requirement.byDigest?.kind === 'any',
  );
}
