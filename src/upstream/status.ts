import { type ExchangeCode, ExchangeError } from './errors.ts';
import type { HttpReply } from './http-reply.ts';

/** Statuses for which asking again a moment later makes sense. */
export type TransientStatuses = ReadonlySet<number>;

/** What a status other than 200 means; the reply's body is let go of. */
export function statusError(reply: HttpReply, transient: TransientStatuses): ExchangeError {
  reply.discard();
  const { status, host, retryAfterSeconds } = reply;
  const detail = { host, status };
  return new ExchangeError(codeOf(status), `${host} answered with status ${status}`, {
    detail: retryAfterSeconds === undefined ? detail : { ...detail, retryAfterSeconds },
    isTransient: transient.has(status),
    ...(retryAfterSeconds === undefined ? {} : { retryAfterSeconds }),
  });
}

function codeOf(status: number): ExchangeCode {
  if (status === 401 || status === 403) return 'denied';
  if (status === 404) return 'missing';
  if (status === 429) return 'rate_limited';
  if (status >= 300 && status < 400) return 'redirected';
  return status >= 500 ? 'server_error' : 'unexpected';
}
