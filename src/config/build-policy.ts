import { parseImageReference } from '../oci/image-reference.ts';
import type { BreakGlassEntry } from '../policy/break-glass.ts';
import type { DenyEntries } from '../policy/deny-list.ts';
import type { ByDigest, Requirement, Rule } from '../policy/rule.ts';
import { ConfigError } from './errors.ts';
import type { BreakGlassItem, DenyEntry, RuleEntry } from './schema-policy.ts';

/** Puts together a rule that has passed every check. */
export function buildRule(entry: RuleEntry): Rule {
  const { match, tags, deny, refusal, referrers, audit, clients, completeFirst } = entry;
  return {
    match,
    requirement: requirementOf(entry),
    ...(tags === undefined ? {} : { tags }),
    ...(deny === undefined ? {} : { deny: buildDeny(deny) }),
    ...(refusal === undefined ? {} : { refusal }),
    ...(referrers ? {} : { referrers }),
    ...(audit ? { audit } : {}),
    ...(clients === undefined ? {} : { clients }),
    ...(completeFirst === undefined ? {} : { completeFirst }),
  };
}

/** Puts together a deny list. */
export function buildDeny({
  digests = [],
  tags = [],
  signers = [],
  keys = [],
}: DenyEntry): DenyEntries {
  return { digests, tags, signers, keys };
}

/** Puts together an exception that has passed every check. @throws {ConfigError} for one that has not */
export function buildBreakGlass(item: BreakGlassItem): BreakGlassEntry {
  const { image, approvedBy, reason, until } = item;
  const { repository, tag, digest = item.digest } = parseImageReference(image);
  if (digest === undefined) {
    throw new ConfigError(image, [{ path: 'breakGlass', problem: 'has no digest' }]);
  }
  const whom = { image, repository, digest, approvedBy, reason, until };
  return tag === undefined ? whom : { ...whom, tag };
}

function requirementOf(entry: RuleEntry): Requirement {
  const { trust, signers = [], signersNeeded, reason = '' } = entry;
  if (trust === undefined) return { kind: 'unverified', reason };
  const byDigest = byDigestOf(entry);
  return {
    kind: 'verified',
    source: trust,
    signers,
    ...(signersNeeded === undefined ? {} : { signersNeeded }),
    ...(byDigest === undefined ? {} : { byDigest }),
  };
}

function byDigestOf({ digests, earlierDigests }: RuleEntry): ByDigest | undefined {
  if (digests === 'any') return { kind: 'any' };
  if (digests === 'signed-now') return { kind: 'vouched', forMs: 0 };
  return earlierDigests === undefined ? undefined : { kind: 'vouched', forMs: earlierDigests };
}
