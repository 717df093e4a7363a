import type { Lease } from './admission.ts';
import { withDeadline } from './deadline.ts';
import { type ExchangeCode, ExchangeError } from './errors.ts';
import type { RegistryUpstream } from './registry-upstream.ts';

/** A piece of work with one server. When it succeeds, it says so to the lease and leaves, then or when the body is over. */
export type Work<Value> = (
  server: RegistryUpstream,
  context: { readonly lease: Lease; readonly signal: AbortSignal },
) => Promise<Value>;

/** What the attempts of one call share. */
export interface Call {
  readonly signal: AbortSignal;
  /** Servers whose failure was counted: however often one call is tried again, it counts once. */
  readonly blamed: Set<RegistryUpstream>;
}

const OUTAGES: ReadonlySet<ExchangeCode> = new Set([
  'unreachable',
  'timed_out',
  'broken_off',
  'server_error',
]);

/**
 * Does a piece of work with one server within the server's total time, if the server takes it now.
 *
 * @throws {ExchangeError} also `resting` and `busy`
 */
export async function attempt<Value>(
  server: RegistryUpstream,
  { signal, blamed }: Call,
  work: Work<Value>,
): Promise<Value> {
  const lease = await server.admission.enter(signal);
  const limits = { clock: server.clock, timeoutMs: server.timeouts.totalMs, signal };
  try {
    return await withDeadline(limits, (inner) => work(server, { lease, signal: inner }));
  } catch (error) {
    if (lease.isTrial || !blamed.has(server)) noteFailure(lease, error);
    blamed.add(server);
    lease.leave();
    throw error;
  }
}

/** Tells a lease what a failure says about the server: out of order, there but unwilling, or nothing at all. */
export function noteFailure(lease: Lease, error: unknown): void {
  if (!(error instanceof ExchangeError)) return;
  if (OUTAGES.has(error.code)) lease.failed();
  // A refusal without a status is of our own making: a login that could not be read, a realm that must not be asked.
  else if (error.detail['status'] !== undefined) lease.succeeded();
}
