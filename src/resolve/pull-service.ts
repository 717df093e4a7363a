import type { Caller } from '../base/caller.ts';
import type { Facts } from '../base/coded-error.ts';
import type { ReasonCode } from '../base/reason-code.ts';
import type { Digest } from '../oci/digest.ts';
import type { Repository, Tag } from '../oci/names.ts';
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
  /** The policy rule that applied (its `match`), if one did. */
  readonly rule?: string;
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

/** What every question to the pull service may carry. */
export interface PullOptions {
  readonly signal?: AbortSignal;
}

/** The use case: everything an engine may ask for, verified or refused. Expected outcomes are values, not exceptions. */
export interface PullService {
  /** Whether a repository is verified, relayed unverified by an explicit rule, or covered by no rule at all. */
  treatment(repository: Repository): 'verified' | 'unverified' | 'no-rule';
  /**
   * Why a caller may not pull from a repository, cached or not; undefined when it may. To be asked before any question
   * about the repository is answered.
   */
  forbids(repository: Repository, caller: Caller | undefined): Refusal | undefined;
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
  blob(
    repository: Repository,
    digest: Digest,
    options: PullOptions & { readonly wholeFirst?: boolean },
  ): Promise<ServedBlob | Refusal>;
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
