import { CodedError } from '../base/coded-error.ts';
import type { TrustReason } from '../base/reason-code.ts';

/**
 * Metadata that must not be believed, or that does not say what was asked. `detail.role` names the metadata role
 * wherever one is at fault; `detail.expiresAt` (RFC 3339) accompanies the `*_expired` codes.
 */
export class TrustError extends CodedError<TrustReason> {}
