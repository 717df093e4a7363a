import type { RootAnchor } from '../trust/anchor.ts';
import type { Dialect } from '../trust/dialect.ts';
import type { WeakAlgorithms } from '../trust/keys.ts';
import type { TargetConvention } from '../trust/tag-search.ts';

/** How metadata is to be verified, and how fresh it must be. Durations in milliseconds. */
export interface MetadataRules {
  readonly dialect: Dialect;
  readonly anchor: RootAnchor;
  readonly weak: WeakAlgorithms;
  /** How long past its expiry a timestamp is still taken, for a clock that runs ahead. */
  readonly clockSkewMs: number;
  /** How long an answer may be used without asking the trust server again; 0 asks every time. */
  readonly maxAgeMs: number;
  /** How much longer verified answers are served while the trust server cannot be asked. */
  readonly outageGraceMs: number;
}

/** The same for one repository, and how targets stand for its tags. */
export interface CollectionRules extends MetadataRules {
  readonly convention: TargetConvention;
}

/**
 * What is accepted from a trust server before anything about it is believed.
 *
 * @source TUF 1.0.34 §5.3.3, §5.4.1, §5.5.1 (size limits); sizes from what the public tools write
 */
export const METADATA_LIMITS = {
  /** Bytes of a root file. */
  rootBytes: 1024 * 1024,
  /** Bytes of a timestamp file; nothing announces its size. */
  timestampBytes: 64 * 1024,
  /** Bytes of any other file, besides the length its parent announces. */
  fileBytes: 32 * 1024 * 1024,
  /**
   * Bytes of a file whose parent announces no length: whoever sits between needs no key to send so many, and they are read
   * before a signature can be looked at. As much as the most generous of the public TUF clients takes unless told otherwise.
   *
   * @source tough: tough/src/lib.rs (Limits, 10 MiB); python-tuf: tuf/ngclient/config.py (5 MB)
   */
  unannouncedBytes: 10 * 1024 * 1024,
  /** Root versions walked in one refresh. */
  rootRotations: 1024,
  /** Milliseconds after which the root chain is looked at even though the timestamp is unchanged. */
  rootCheckEveryMs: 10 * 60_000,
  /** Milliseconds for one refresh, all requests together. */
  refreshMs: 20_000,
} as const;
