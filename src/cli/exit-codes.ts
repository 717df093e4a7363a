/** Exit codes of the commands. */
export const EXIT = {
  /** Done; for `resolve`: pinned. */
  ok: 0,
  /** For `resolve`: refused. For the others: it cannot be done as asked. */
  refused: 1,
  /** For `resolve`: could not find out. */
  inconclusive: 2,
  /** The command line is wrong. @source BSD sysexits.h EX_USAGE */
  usage: 64,
  /** A mistake in Pinnace. @source BSD sysexits.h EX_SOFTWARE */
  internal: 70,
} as const;
