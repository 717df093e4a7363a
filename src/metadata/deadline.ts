import { TrustServerError } from './errors.ts';

/**
 * Does work that must end in time. A trust server that is still answering then counts as one that cannot be reached: nothing
 * about it was proved bad, and an earlier answer may stand in.
 *
 * @param deadlineMs - milliseconds for all of the work
 * @throws {TrustServerError} `trust_server_unreachable` when time is up, else what `work` throws
 * @source TUF 1.0.34 §5.1 does not bound time; slow retrieval attack, TUF §1.5.2
 */
export async function withinDeadline<Value>(
  deadlineMs: number,
  work: (signal: AbortSignal) => Promise<Value>,
): Promise<Value> {
  const signal = AbortSignal.timeout(deadlineMs);
  try {
    return await work(signal);
  } catch (error) {
    throw inTime(error, signal);
  }
}

/** The error to report for work under `signal`: its own, or that time ran out. */
export function inTime(error: unknown, signal: AbortSignal): unknown {
  if (!signal.aborted || error !== signal.reason) return error;
  return new TrustServerError('trust_server_unreachable', 'the trust server took too long', {
    cause: error,
  });
}
