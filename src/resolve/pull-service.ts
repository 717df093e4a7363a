import type { Caller } from '../base/caller.ts';
import type { Facts } from '../base/coded-error.ts';
import type { ReasonCode } from '../base/reason-code.ts';
import type { Digest } from '../oci/digest.ts';
import type { Repository, Tag } from '../oci/names.ts';
import type { BreakGlassEntry } from '../policy/break-glass.ts';
import type { BlobContent } from './ports.ts';

/** Why something is not served: `refused` was proved bad or is not allowed, `inconclusive` could not be found out. */
export interface Refusal {
  readonly verdict: 'refused' | 'inconclusive';
  readonly reason: ReasonCode;
  /** What happened, in words, from the error that led here. */
  readonly cause: string;
  /** Facts of the error: `role`, `expiresAt`, … */
  readonly facts: Facts;
  /** What an upstream asked for in `Retry-After`, in whole seconds. */
  readonly retryAfterSeconds?: number;
  /** The policy rule that applied, by its name, if one did. */
  readonly rule?: string;
  /** How it is to be told, where the rule says so; default: as the listener does. */
  readonly form?: 'deny' | 'hard-stop';
}

/** A verified manifest, ready to be sent. */
export interface ServedManifest {
  readonly verdict: 'pinned';
  readonly digest: Digest;
  readonly mediaType: string;
  readonly bytes: Uint8Array;
  /** Set when the trust server could not be asked and an earlier verified answer is served within `outageGrace`. */
  readonly staleSeconds?: number;
  readonly rule?: string;
}

/** A vouched blob, ready to be sent. */
export interface ServedBlob {
  readonly verdict: 'pinned';
  readonly digest: Digest;
  readonly mediaType: string;
  readonly content: BlobContent;
}

/** The tags of a repository that would verify, in lexical order. */
export interface ServedTags {
  readonly verdict: 'pinned';
  readonly tags: readonly string[];
}

/** A file of verified trust metadata, as it was signed. */
export interface ServedTrustFile {
  readonly verdict: 'pinned';
  readonly bytes: Uint8Array;
  /** Lower-case hex. */
  readonly sha256: string;
  /** As for a manifest. */
  readonly staleSeconds?: number;
  readonly rule?: string;
}

/**
 * By whose word something goes out that nothing has verified: a rule in audit, break-glass, or a rule that leaves
 * repositories, tags or digests unverified.
 */
export type Passage =
  | {
      readonly by: 'audit';
      /** What would have been answered. */
      readonly lifted: Refusal;
    }
  | { readonly by: 'break-glass'; readonly lifted: Refusal; readonly entry: BreakGlassEntry }
  | { readonly by: 'rule' };

/** By nobody's word, and harmless: it refers to what is vouched for, and no engine could run it. */
export interface Referral {
  readonly by: 'referrer';
}

/** A manifest that has the digest it goes by, and that nothing vouches for. It is never kept as an answer. */
export interface LetThroughManifest<By = Passage> {
  readonly verdict: 'let-through';
  readonly passage: By;
  readonly digest: Digest;
  readonly mediaType: string;
  readonly bytes: Uint8Array;
  readonly rule?: string;
}

/** A blob that nothing vouches for; what is sent of it has the digest all the same. */
export interface LetThroughBlob<By = Passage> {
  readonly verdict: 'let-through';
  readonly passage: By;
  readonly digest: Digest;
  readonly content: BlobContent;
  readonly rule?: string;
}

/** The tags are to be had of the registry as it lists them. */
export interface LetThroughTags {
  readonly verdict: 'let-through';
  readonly passage: Passage;
  readonly rule?: string;
}

/** A list of what refers to a vouched manifest; nothing vouches for what it names. */
export interface ServedReferrers {
  readonly verdict: 'let-through';
  readonly passage: Referral;
  /** An image index. */
  readonly bytes: Uint8Array;
  readonly rule?: string;
}

/** What every question to the pull service may carry. */
export interface PullOptions {
  readonly signal?: AbortSignal;
}

/**
 * `verified`: a trust source has a say. `unverified`: relayed as it is, by an explicit rule. `checked`: unverified by an
 * explicit rule, but looked at here for what is denied. `no-rule`: refused.
 */
export type Treatment = 'verified' | 'unverified' | 'checked' | 'no-rule';

/** Everything an engine may ask for, verified or refused. Expected outcomes are values, not exceptions. */
export interface VerifiedPullService {
  /** How a repository is treated, or one tag of it. */
  treatment(repository: Repository, tag?: Tag): Treatment;
  /**
   * Why a caller may not pull from a repository, cached or not; undefined when it may. To be asked before any question
   * about the repository is answered.
   */
  forbids(repository: Repository, caller: Caller | undefined, tag?: Tag): Refusal | undefined;
  /** A verified manifest by tag if the answer is at hand without waiting, for the hot path; else undefined. */
  manifestByTagNow(repository: Repository, tag: Tag): ServedManifest | undefined;
  manifestByTag(
    repository: Repository,
    tag: Tag,
    options: PullOptions,
  ): Promise<ServedManifest | Refusal>;
  manifestByDigest(
    repository: Repository,
    digest: Digest,
    options: PullOptions,
  ): Promise<ServedManifest | Refusal>;
  /** @param options.wholeFirst - verify all of it before answering, which ranges need */
  blob(repository: Repository, digest: Digest, options: BlobOptions): Promise<ServedBlob | Refusal>;
  tags(repository: Repository, options: PullOptions): Promise<ServedTags | Refusal>;
}

/** The use case beside it: the metadata that answers rest on, for clients that verify it themselves. */
export interface TrustFileService {
  /**
   * A metadata file of the collection that a repository is verified by.
   *
   * @param file - as Notary v1 names it: `root.json`, `2.root.json`, `targets/releases.<sha256>.json`
   * @returns undefined when there is no such file, or no such collection
   */
  trustFile(
    repository: Repository,
    file: string,
    options: PullOptions,
  ): Promise<ServedTrustFile | Refusal | undefined>;
}

/** What a blob may be asked for with. */
export interface BlobOptions extends PullOptions {
  /** Whether all of it is to be verified before it is answered; default false. */
  readonly wholeFirst?: boolean;
}

/** What listeners ask: verified, refused, or, where an operator has said so, let through. */
export interface PullService {
  treatment(repository: Repository, tag?: Tag): Treatment;
  forbids(repository: Repository, caller: Caller | undefined, tag?: Tag): Refusal | undefined;
  manifestByTagNow(repository: Repository, tag: Tag): ServedManifest | undefined;
  manifestByTag(
    repository: Repository,
    tag: Tag,
    options: PullOptions,
  ): Promise<ServedManifest | LetThroughManifest | Refusal>;
  manifestByDigest(
    repository: Repository,
    digest: Digest,
    options: PullOptions,
  ): Promise<ServedManifest | LetThroughManifest | Refusal>;
  blob(
    repository: Repository,
    digest: Digest,
    options: BlobOptions,
  ): Promise<ServedBlob | LetThroughBlob | Refusal>;
  tags(
    repository: Repository,
    options: PullOptions,
  ): Promise<ServedTags | LetThroughTags | Refusal>;
}

/** The use case that answers which repositories there are. */
export interface CatalogService {
  /** The repositories that the policy allows and that are known, in no particular order. */
  repositories(): Promise<readonly Repository[]>;
}

/** The use case for what refers to vouched manifests. Everything it gives is unverified; undefined is "there is nothing". */
export interface ReferrerService {
  /** @param options.artifactType - only those of this type */
  referrers(
    repository: Repository,
    subject: Digest,
    options: PullOptions & { readonly artifactType?: string },
  ): Promise<ServedReferrers | Refusal | undefined>;
  /** What is attached to a vouched manifest under a tag that is made of its digest. */
  companion(
    repository: Repository,
    tag: Tag,
    options: PullOptions,
  ): Promise<LetThroughManifest<Referral> | Refusal | undefined>;
  /** A referrer by digest, for what is not vouched for. */
  manifest(
    repository: Repository,
    digest: Digest,
    options: PullOptions,
  ): Promise<LetThroughManifest<Referral> | Refusal | undefined>;
  /** A part of a referrer by digest, for what is not vouched for. */
  blob(
    repository: Repository,
    digest: Digest,
    options: BlobOptions,
  ): Promise<LetThroughBlob<Referral> | Refusal | undefined>;
}
