import type { Pin } from '../metadata/collection.ts';
import type { Digest } from '../oci/digest.ts';
import type { Repository } from '../oci/names.ts';
import type { DenyList } from '../policy/deny-list.ts';
import type { Policy } from '../policy/policy.ts';
import { PullError } from './errors.ts';

/** @throws {PullError} `denied_by_rule` for a tag that a deny list has */
export function requireTagAllowed(deny: DenyList, tag: string): void {
  const pattern = deny.deniedTag(tag);
  if (pattern !== undefined) throw denied(`the tag pattern ${pattern}`);
}

/** @throws {PullError} `denied_by_rule` for what rests on a signer or key that a deny list has */
export function requireSignersAllowed({ deniedSigner, deniedKey }: Pin): void {
  if (deniedSigner !== undefined) throw denied(`the signer ${deniedSigner}`);
  if (deniedKey !== undefined) throw denied(`the key ${deniedKey}`);
}

/**
 * Requires that no deny list of any rule of the repository has one of the digests: a digest is asked for without a tag, so
 * it cannot be said whose list it escapes.
 *
 * @throws {PullError} `denied_by_rule`
 */
export function requireDigestsAllowed(
  policy: Policy,
  repository: Repository,
  digests: readonly Digest[],
): void {
  for (const rule of policy.rulesOf(repository).all) {
    const digest = policy.denied(rule).deniedDigest(digests);
    if (digest !== undefined) throw denied(`the digest ${digest}`);
  }
}

function denied(what: string): PullError {
  return new PullError('denied_by_rule', `a deny list has ${what}`, { detail: { denied: what } });
}
