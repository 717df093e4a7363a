import { CodedError } from '../base/coded-error.ts';
import { REASON_CODES, type ReasonCode } from '../base/reason-code.ts';
import { UpstreamError } from '../resolve/errors.ts';
import type { Refusal } from '../resolve/pull-service.ts';
import { REASON_TABLE } from './reason-table.ts';

/**
 * The refusal that an error stands for. An error without a reason code of ours is `internal`: not a yes, and not proved bad.
 *
 * @param rule - the `match` of the policy rule that applied
 */
export function refusalOfError(error: unknown, rule?: string): Refusal {
  const reason = reasonOf(error);
  return {
    verdict: REASON_TABLE[reason].verdict,
    reason,
    cause: error instanceof Error ? error.message : 'an unknown error',
    facts: error instanceof CodedError ? error.detail : {},
    ...(rule === undefined ? {} : { rule }),
    ...(error instanceof UpstreamError && error.retryAfterSeconds !== undefined
      ? { retryAfterSeconds: error.retryAfterSeconds }
      : {}),
  };
}

function reasonOf(error: unknown): ReasonCode {
  const code = error instanceof CodedError ? error.code : undefined;
  return REASON_CODES.find((each) => each === code) ?? 'internal';
}
