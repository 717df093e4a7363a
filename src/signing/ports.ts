/** Files to be written together; either all of them come into effect or none. */
export interface CollectionWrite {
  /** Metadata files by name, in the order in which they are to become visible; `timestamp.json` last. */
  readonly metadata?: ReadonlyMap<string, Uint8Array>;
  /** What waits for signatures from now on, by file name; absent: unchanged. */
  readonly pending?: ReadonlyMap<string, Uint8Array>;
}

/** The folder of a site's own collection. */
export interface CollectionFolder {
  /** How messages name the folder. */
  readonly name: string;
  /** One metadata file, or undefined when there is none. */
  read(file: string): Promise<Uint8Array | undefined>;
  /** Files that wait for signatures, by name. */
  readPending(): Promise<ReadonlyMap<string, Uint8Array>>;
  /** The settings file, or undefined when there is none. */
  readSettings(): Promise<Uint8Array | undefined>;
  /**
   * Runs `work` while nobody else writes. What an earlier writer left half-done is completed first.
   *
   * @throws {SigningError} `collection_busy`
   */
  exclusively<Result>(work: () => Promise<Result>): Promise<Result>;
  /** Writes files; only within `exclusively`. */
  write(files: CollectionWrite): Promise<void>;
}

/** A key file that was found. */
export interface FoundKeyFile {
  /** How messages name it. */
  readonly path: string;
  readonly bytes: Uint8Array;
}
