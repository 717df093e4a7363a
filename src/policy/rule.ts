import type { DenyEntries } from './deny-list.ts';

/** What of a repository may be had by its digest. */
export type ByDigest =
  /** Anything that the registry has under that digest. */
  | { readonly kind: 'any' }
  | {
      /** What a tag that was verified leads to. */
      readonly kind: 'vouched';
      /** How long after the tag was last verified, in milliseconds; 0: only while it is signed. Default: for ever. */
      readonly forMs?: number;
    };

/** What a rule demands before content of its repositories is served. */
export type Requirement =
  | {
      readonly kind: 'verified';
      /** The trust source's name in the configuration. */
      readonly source: string;
      /** Signers of whom `signersNeeded` must have signed the digest; empty: the source's publishers suffice. */
      readonly signers: readonly string[];
      /** From 1 to the number of signers; default: all of them. */
      readonly signersNeeded?: number;
      /** Default: what is vouched for, for ever. */
      readonly byDigest?: ByDigest;
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
  /** Tags, or patterns for them, that the rule is for; default: all, and what is asked for without a tag. */
  readonly tags?: readonly string[];
  readonly requirement: Requirement;
  /** What is never served under this rule, beside what is denied everywhere. */
  readonly deny?: DenyEntries;
  /** How a refusal under this rule is told; default: as the listener does. */
  readonly refusal?: 'deny' | 'hard-stop';
  /** Who may pull, see `CallerList`; absent: whoever the listener lets in. */
  readonly clients?: readonly string[];
  /** Whether tags are answered only with their image whole; absent: as the listener says. */
  readonly completeFirst?: boolean;
  /** Whether what refers to its verified images is served, unverified and marked; default true. */
  readonly referrers?: boolean;
  /** Whether what would be refused is served unverified, marked and counted instead; default false. */
  readonly audit?: boolean;
}

/** A rule by which a trust source is asked. */
export interface VerifyingRule extends Rule {
  readonly requirement: Extract<Requirement, { readonly kind: 'verified' }>;
}

/** The name of a rule in logs and metrics: its `match`, and its tags if it is for some only. */
export function ruleName({ match, tags }: Pick<Rule, 'match' | 'tags'>): string {
  return tags === undefined ? match : `${match}:${tags.join(',')}`;
}
