import type { Writable } from 'node:stream';
import type { Descriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';
import type { Repository } from '../oci/names.ts';

/** A manifest as the upstream sent it; nothing about it has been checked. */
export interface FetchedManifest {
  readonly bytes: Uint8Array;
  /** The `Content-Type` without parameters. */
  readonly mediaType: string;
}

/** A blob that is arriving; nothing about it has been checked. */
export interface FetchedBlob {
  /** Bytes announced by the upstream, or undefined when it did not say. */
  readonly size: number | undefined;
  /** The content; ending the iteration early closes the connection. */
  readonly body: AsyncIterable<Uint8Array>;
  /**
   * To be called when the content turned out to be something else; the same blob is then asked for elsewhere, if it can be.
   *
   * @returns whether it can be
   */
  readonly reportWrong?: () => boolean;
}

/** Reads content of upstream registries, by digest only: what a tag means is never asked of a registry. */
export interface UpstreamContent {
  /**
   * @param maxBytes - the largest manifest accepted
   * @throws {UpstreamError}
   */
  fetchManifest(
    repository: Repository,
    digest: Digest,
    options: { readonly maxBytes: number; readonly signal?: AbortSignal },
  ): Promise<FetchedManifest>;
  /** @throws {UpstreamError} also from the body's iteration: `upstream_unreachable` when it breaks off or stalls */
  fetchBlob(
    repository: Repository,
    digest: Digest,
    options: { readonly signal?: AbortSignal },
  ): Promise<FetchedBlob>;
}

/** One page of what a registry lists as referring to a manifest; nothing about it has been checked. */
export interface FetchedReferrers {
  readonly bytes: Uint8Array;
  /** How the next page is asked for: the query of its address; absent when there is none. */
  readonly next?: string;
}

/** Asks upstream registries what refers to a manifest. What they say is nobody's word but their own. */
export interface ReferrerLists {
  /**
   * @param page - `next` of the page before; absent for the first
   * @throws {UpstreamError} `manifest_missing` when the registry has no such list, or does not keep lists
   */
  fetchReferrers(
    repository: Repository,
    digest: Digest,
    options: {
      readonly page?: string;
      readonly maxBytes: number;
      readonly signal?: AbortSignal;
    },
  ): Promise<FetchedReferrers>;
}

/** Half-open range of bytes: `start` is included, `end` is not. */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

/** The file that content is in, as it was when its digest was last known to be right. */
export interface StoredFile {
  readonly digest: Digest;
  readonly size: bigint;
  readonly mtimeNs: bigint;
  readonly ino: bigint;
}

/** Content that can be sent, now or while it arrives. Always `close` it. */
export interface BlobContent {
  /** Length in bytes. */
  readonly size: number;
  /**
   * True: all of it is verified and at hand, any range may be sent. False: only the whole content in order; it may
   * become true while more arrives.
   */
  readonly isVerified: boolean;
  /** The file of the content store that all of it is in, for another process of this machine to read. */
  readonly file?: StoredFile | undefined;
  /**
   * Writes a range to `sink`, waiting for the sink to drain, and resolves when all of it has been handed over. It never
   * ends the sink. The last bytes of content that is still arriving are written only after its digest turned out right.
   *
   * @throws {UpstreamError} `digest_mismatch` or what stopped the upstream; the caller then cuts the connection
   */
  send(sink: Writable, range: ByteRange, signal?: AbortSignal): Promise<void>;
  close(): void;
}

/** Blobs, from the disk store or the upstream, verified either way. */
export interface BlobProvider {
  /**
   * Opens a blob. Resolves as soon as the first byte may be sent (or the failure is known), so that a failure still
   * can become an answer with a status; small blobs are wholly verified by then.
   *
   * @param wholeFirst - wait until all of it is verified, which ranges need; default false
   * @throws {UpstreamError}
   */
  open(
    repository: Repository,
    descriptor: Pick<Descriptor, 'digest' | 'size'>,
    options: { readonly wholeFirst?: boolean; readonly signal?: AbortSignal },
  ): Promise<BlobContent>;
}

/** What is remembered of manifests and blobs that may be served by digest. */
export interface VouchedContent {
  readonly descriptor: Descriptor;
}

/** One verified answer to "what does this tag mean", for the durable record. */
export interface PinRecord {
  readonly repository: Repository;
  readonly tag: string;
  readonly digest: Digest;
  /** Length in bytes that the signed metadata gives, which need not be the manifest's. */
  readonly length: number;
  /** The metadata role that published it. */
  readonly role: string;
  /** Milliseconds since the epoch. */
  readonly verifiedAt: number;
}

/** The durable record of every pin ever verified and of all that is reachable from it. */
export interface PinStore {
  recordPin(pin: PinRecord): Promise<void>;
  /** Remembers a verified manifest and what it refers to, for this repository, in one step. */
  recordClosure(
    repository: Repository,
    manifest: Descriptor,
    parts: readonly Descriptor[],
  ): Promise<void>;
  /** What vouches for `digest` in this repository: a pin or the closure of one; undefined if nothing does. */
  vouched(repository: Repository, digest: Digest): Promise<VouchedContent | undefined>;
  /** The manifests of this repository whose closures name `digest` as one of their parts. */
  parents(repository: Repository, digest: Digest): Promise<readonly Digest[]>;
  /** The tags that were verified to mean `digest`, and when each last was, milliseconds since the epoch. */
  pinsOf(
    repository: Repository,
    digest: Digest,
  ): Promise<readonly { readonly tag: string; readonly verifiedAt: number }[]>;
  /** Whether `digest` was ever the verified meaning of a tag of this repository. */
  wasPinned(repository: Repository, digest: Digest): Promise<boolean>;
}

/**
 * The durable record of what refers to vouched content, apart from what is vouched for: nobody has verified it, so nothing
 * in it ever counts as vouched.
 */
export interface ReferrerStore {
  /**
   * Remembers a referrer's manifest and what it refers to, for this repository, in one step.
   *
   * @returns false when the repository has as many as are kept; nothing is remembered then
   */
  recordReferrer(
    repository: Repository,
    manifest: Descriptor,
    parts: readonly Descriptor[],
  ): Promise<boolean>;
  /** What is on record of `digest` as a referrer or a part of one; undefined if nothing is, or if it is vouched for. */
  referred(repository: Repository, digest: Digest): Promise<VouchedContent | undefined>;
}

/** Knows which repositories had a verified answer. */
export interface PinnedRepositories {
  /** Their full names, in no particular order. */
  pinnedRepositories(): Promise<readonly string[]>;
}

/** Verified manifests kept for reuse; keyed by digest. */
export interface ManifestStore {
  /** The manifest if it is there and its bytes still have the digest. */
  read(digest: Digest): Promise<FetchedManifest | undefined>;
  /** Keeps a verified manifest; a failure to do so loses only the copy. */
  write(digest: Digest, manifest: FetchedManifest): Promise<void>;
}

/** What is known of the clock at some moment, for another process of this machine to judge its own look at it by. */
export interface ClockWitness {
  /** The newest time seen, in milliseconds since the epoch. */
  readonly newest: number;
  /** How often an operator has lowered it. */
  readonly resets: number;
}
