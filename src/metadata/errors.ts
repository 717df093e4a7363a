import { CodedError } from '../base/coded-error.ts';
import type { TrustServerReason } from '../base/reason-code.ts';
import { TrustError } from '../trust/errors.ts';

/** The trust server gave no answer that could be judged: nothing is known to be wrong, nothing could be found out. */
export class TrustServerError extends CodedError<TrustServerReason> {}

/**
 * What an earlier answer that stands in for a newer one does not say may have been said since: the error tells how old it is,
 * by `detail.staleSeconds`.
 */
export function withAge(error: unknown, staleSeconds: number | undefined): unknown {
  if (staleSeconds === undefined || !(error instanceof TrustError)) return error;
  const detail = { ...error.detail, staleSeconds };
  return new TrustError(error.code, error.message, { detail, cause: error });
}
