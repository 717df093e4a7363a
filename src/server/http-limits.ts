/** What one listener puts up with. */
export interface HttpLimits {
  /** Connections at the same time; more are closed at once. Nothing where there is a door. Default 10,000. */
  readonly maxConnections: number;
  /** Bytes of request line and headers. Default 32 KiB: a 10 kB name still gets an answer of ours. */
  readonly maxHeaderBytes: number;
  /** Milliseconds until all headers must have arrived. Default 10,000. */
  readonly headersTimeoutMs: number;
  /** Milliseconds until the whole request must have arrived. Default 30,000. */
  readonly requestTimeoutMs: number;
  /** Milliseconds an idle connection is kept for the next request. Default 75,000. */
  readonly keepAliveTimeoutMs: number;
  /** Milliseconds without a byte in either direction after which a connection is cut. Default 600,000. */
  readonly idleTimeoutMs: number;
  /** Bytes a second that a client has to take of what waits for it, on average over `idleTimeoutMs`. Default 1 KiB; 0: none. */
  readonly minRate: number;
}

/** What a listener puts up with unless told. */
export const DEFAULT_LIMITS: HttpLimits = {
  maxConnections: 10_000,
  maxHeaderBytes: 32 * 1024,
  headersTimeoutMs: 10_000,
  requestTimeoutMs: 30_000,
  keepAliveTimeoutMs: 75_000,
  idleTimeoutMs: 600_000,
  minRate: 1024,
};
