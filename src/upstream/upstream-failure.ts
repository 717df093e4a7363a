import type { UpstreamReason } from '../base/reason-code.ts';
import { UpstreamError } from '../resolve/errors.ts';
import { type ExchangeCode, ExchangeError } from './errors.ts';

const REASONS = {
  unreachable: 'upstream_unreachable',
  timed_out: 'upstream_unreachable',
  broken_off: 'upstream_unreachable',
  too_long: 'upstream_unreachable',
  encoded: 'upstream_unreachable',
  redirected: 'upstream_unreachable',
  denied: 'upstream_denied',
  login_unavailable: 'upstream_unreachable',
  missing: 'missing',
  mismatch: 'digest_mismatch',
  resting: 'upstream_unreachable',
  busy: 'upstream_busy',
  rate_limited: 'upstream_rate_limited',
  server_error: 'upstream_unreachable',
  unexpected: 'upstream_unreachable',
} as const satisfies Record<ExchangeCode, UpstreamReason | 'missing'>;

/**
 * What an error means to those who wanted content of a registry; anything but an `ExchangeError` stays as it is.
 *
 * @param missing - what a 404 means for what was asked
 */
export function asUpstreamError(
  error: unknown,
  registry: string,
  missing: UpstreamReason,
): unknown {
  if (!(error instanceof ExchangeError)) return error;
  const reason = REASONS[error.code];
  const { retryAfterSeconds } = error;
  return new UpstreamError(reason === 'missing' ? missing : reason, describe(error, registry), {
    detail: { ...error.detail, registry },
    cause: error,
    ...(retryAfterSeconds === undefined ? {} : { retryAfterSeconds }),
  });
}

/** Who is told how a body ended; one whose iteration is ended early tells nothing. */
export interface BodyEvents {
  onEnd(): void;
  onError(error: unknown): void;
}

/** A body whose failures are `UpstreamError`s; ending its iteration early ends the one below. */
export function mapBody(
  body: AsyncIterable<Uint8Array>,
  registry: string,
  events: BodyEvents,
): AsyncIterable<Uint8Array> {
  const chunks = body[Symbol.asyncIterator]();
  const mapped: AsyncIterableIterator<Uint8Array> = {
    [Symbol.asyncIterator]: () => mapped,
    next: async () => {
      try {
        const result = await chunks.next();
        if (result.done === true) events.onEnd();
        return result;
      } catch (error) {
        events.onError(error);
        throw asUpstreamError(error, registry, 'upstream_unreachable');
      }
    },
    return: async () => (await chunks.return?.()) ?? { done: true, value: undefined },
  };
  return mapped;
}

function describe(error: ExchangeError, registry: string): string {
  return `registry ${registry}: ${error.message}`;
}
