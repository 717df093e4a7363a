import { CodedError, type CodedErrorOptions } from '../base/coded-error.ts';
import type { OwnReason, UpstreamReason } from '../base/reason-code.ts';

/** Options of an `UpstreamError`. */
export interface UpstreamErrorOptions extends CodedErrorOptions {
  /** What the upstream asked for in `Retry-After`, in whole seconds. */
  readonly retryAfterSeconds?: number;
  /** Whether the same content may be had elsewhere at once; default false. */
  readonly isElsewhere?: boolean;
}

/** The upstream registry did not give content that may be served. */
export class UpstreamError extends CodedError<UpstreamReason> {
  readonly retryAfterSeconds: number | undefined;
  readonly isElsewhere: boolean;

  constructor(code: UpstreamReason, message: string, options: UpstreamErrorOptions = {}) {
    super(code, message, options);
    this.retryAfterSeconds = options.retryAfterSeconds;
    this.isElsewhere = options.isElsewhere ?? false;
  }
}

/** Pinnace's own policy, state or protocol rules forbid serving what was asked. */
export class PullError extends CodedError<OwnReason> {}
