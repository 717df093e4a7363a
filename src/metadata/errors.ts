import { CodedError } from '../base/coded-error.ts';
import type { TrustServerReason } from '../base/reason-code.ts';

/** The trust server gave no answer that could be judged: nothing is known to be wrong, nothing could be found out. */
export class TrustServerError extends CodedError<TrustServerReason> {}
