import type { Caller } from '../base/caller.ts';

/** A caller that is let in. */
export interface Admitted {
  readonly verdict: 'admitted';
  readonly caller: Caller;
  /** The repositories that its token is for, as the token has them; absent: all that the policy allows. */
  readonly repositories?: readonly string[];
}

/** Why nobody is let in. */
export interface Rejected {
  readonly verdict: 'rejected';
  readonly reason: 'client_unauthorized' | 'client_rate_limited' | 'client_check_unavailable';
  /**
   * `missing`: nothing was shown, which is how every login begins. `wrong`: a user name with password, or a certificate,
   * that does not count. `token`: a token that does not count, in place of which the engine may fetch another one.
   */
  readonly shown: 'missing' | 'wrong' | 'token';
  /** What is wrong, for the person who pulls, to follow "pinnace refused NAME: "; nothing secret. */
  readonly sentence: string;
  /** For the log, when it may say more. */
  readonly cause: string;
  readonly retryAfterSeconds?: number;
}

export type Admission = Admitted | Rejected;

/** A refusal for want of a login, or for a wrong one. */
export function unauthorized(
  shown: Rejected['shown'],
  sentence: string,
  cause: string = sentence,
): Rejected {
  return { verdict: 'rejected', reason: 'client_unauthorized', shown, sentence, cause };
}
