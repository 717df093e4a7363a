import { CodedError, type CodedErrorOptions } from '../base/coded-error.ts';

/** What can go wrong when one HTTP reply is wanted, before it is known what that means for a registry or trust server. */
export type ExchangeCode =
  /** No connection: name not found, refused, reset, TLS, proxy. */
  | 'unreachable'
  /** A time limit passed. */
  | 'timed_out'
  /** The reply was not HTTP, or ended before its end. */
  | 'broken_off'
  | 'too_long'
  /** The reply carries a content coding, so its bytes are not those that a digest covers. */
  | 'encoded'
  /** A redirect that is not followed. */
  | 'redirected'
  /** 401 or 403, or a login that could not be had. */
  | 'denied'
  /** What a login is made from could not be had for now. */
  | 'login_unavailable'
  | 'missing'
  /** Whole, but not what its digest names. */
  | 'mismatch'
  /** Not asked, because it failed several times in a row. */
  | 'resting'
  /** Not asked, because as much as allowed is under way. */
  | 'busy'
  | 'rate_limited'
  | 'server_error'
  /** Any other status, or a token service's reply that makes no sense. */
  | 'unexpected';

/** Options of an `ExchangeError`. */
export interface ExchangeErrorOptions extends CodedErrorOptions {
  /** Whether the same request may succeed a moment later; default false. */
  readonly isTransient?: boolean;
  /** What the server asked for in `Retry-After`, in whole seconds. */
  readonly retryAfterSeconds?: number;
}

/**
 * One HTTP exchange failed. Stays inside `upstream/`, where each port maps it to its own error.
 *
 * Neither message nor facts hold anything a server or an operator may keep secret: of a URL they name only the host, and
 * errors of the network library, which may quote received bytes, are not chained but reduced to their code.
 */
export class ExchangeError extends CodedError<ExchangeCode> {
  readonly isTransient: boolean;
  readonly retryAfterSeconds: number | undefined;

  constructor(code: ExchangeCode, message: string, options: ExchangeErrorOptions = {}) {
    super(code, message, options);
    this.isTransient = options.isTransient ?? false;
    this.retryAfterSeconds = options.retryAfterSeconds;
  }

  /** The same failure as one that is not worth another try. */
  asFinal(): ExchangeError {
    const { code, message, detail, retryAfterSeconds } = this;
    return new ExchangeError(code, message, {
      detail,
      ...(retryAfterSeconds === undefined ? {} : { retryAfterSeconds }),
    });
  }
}
