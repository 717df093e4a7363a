/** What is counted of a content store; every callback must return at once and not throw. */
export interface ContentStoreEvents {
  /** Content asked for was there. */
  hit(): void;
  /** Content asked for was not there, or was broken. */
  miss(): void;
  /** An entry of `bytes` bytes was dropped to stay within the limit. */
  evicted(bytes: number): void;
  /** The disk did not take something: full, read-only, failing. Counted once per entry. */
  writeFailed(): void;
  /** An entry was found broken, and removed. */
  corrupt(): void;
  /** Bytes now kept. */
  bytes(total: number): void;
}

/** Counts nothing. */
export const NO_CONTENT_EVENTS: ContentStoreEvents = {
  hit: () => undefined,
  miss: () => undefined,
  evicted: () => undefined,
  writeFailed: () => undefined,
  corrupt: () => undefined,
  bytes: () => undefined,
};
