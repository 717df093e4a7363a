/** Names one collection of trust metadata: the trust source's name in the configuration and the GUN within it. */
export interface CollectionKey {
  readonly source: string;
  /** `SHARED_GUN` for what is on record of all repositories of a source together. */
  readonly gun: string;
}

/** How one file is to be fetched. */
export interface MetadataFetchOptions {
  /** The most bytes to accept, counted after any content decoding. */
  readonly maxBytes: number;
  readonly signal?: AbortSignal;
  /** Ask intermediate caches to go to the server (`Cache-Control: no-cache`); default false. */
  readonly bypassCaches?: boolean;
}

/** Where metadata files come from: a Notary server or a test double. */
export interface MetadataSource {
  /**
   * Fetches one file of a collection, for example `timestamp.json`, `2.root.json` or `targets/releases.<hex>.json`.
   *
   * @returns the exact bytes, or undefined when the server says, to an authorised request, that there is no such file
   * @throws {TrustServerError} `trust_server_unreachable` (DNS, connect, TLS, timeout), `trust_server_unauthorized`
   * (401 or 403 after the token attempt), `trust_server_error` (any other status, redirects included)
   * @throws {TrustError} `length_exceeded` when more than `maxBytes` would arrive
   */
  fetch(gun: string, file: string, options: MetadataFetchOptions): Promise<Uint8Array | undefined>;
  /** Releases what the source holds open. */
  close(): Promise<void>;
}

/** How a collection's first root came to be trusted. */
export type Admission = 'anchor' | 'first-use';

/** All that is remembered of one collection between runs. Bytes are exactly as received. */
export interface TrustRecord {
  /** The root that the anchor admitted; the chain to `root` was walked from it. */
  readonly anchorRoot: Uint8Array;
  readonly admission: Admission;
  /** When the anchor root was admitted, milliseconds since the epoch. */
  readonly admittedAt: number;
  /** The newest trusted root. */
  readonly root: Uint8Array;
  readonly timestamp: Uint8Array | undefined;
  readonly snapshot: Uint8Array | undefined;
  /** Targets and delegated targets by role name (`targets`, `targets/releases`). */
  readonly targets: ReadonlyMap<string, Uint8Array>;
  /** When the trust server last showed that `timestamp` is its current one, milliseconds since the epoch. */
  readonly checkedAt: number;
}

/** A record with the revision under which it is stored. */
export interface StoredTrustRecord {
  readonly revision: number;
  readonly record: TrustRecord;
}

/** Durable trust state. It moves forward by compare-and-set on the revision, so that processes sharing it agree. */
export interface TrustStateStore {
  /** @throws {StateError} `state_unreadable` when what is stored cannot be read back whole */
  load(key: CollectionKey): Promise<StoredTrustRecord | undefined>;
  /** The revision under which a record is stored, 0 if none is: a cheap way to notice another process's progress. */
  revision(key: CollectionKey): Promise<number>;
  /**
   * Stores `record` if the stored revision still is `expectedRevision` (0: nothing stored yet).
   *
   * @returns the new revision, or undefined when another writer was first (nothing is changed then)
   */
  save(
    key: CollectionKey,
    record: TrustRecord,
    expectedRevision: number,
  ): Promise<number | undefined>;
  /** Forgets a collection on an operator's word, and remembers that and why it was done. */
  reset(key: CollectionKey, reason: string): Promise<boolean>;
  list(): Promise<readonly CollectionKey[]>;
  /** The newest wall-clock time, milliseconds since the epoch, that `noteTime` was ever told; 0 if never. */
  newestTimeSeen(): Promise<number>;
  /** Raises the newest time seen to `now` (milliseconds since the epoch); a smaller value changes nothing. */
  noteTime(now: number): Promise<void>;
}
