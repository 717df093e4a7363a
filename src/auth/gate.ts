import type { X509Certificate } from 'node:crypto';
import type { Caller } from '../base/caller.ts';

/** What of a request says who is asking. */
export interface Knock {
  /** The `Authorization` header. */
  readonly authorization: string | undefined;
  /** The client's address. */
  readonly address: string;
  /** The certificate that the client proved to hold and that the listener's client CA vouches for. */
  readonly certificate: X509Certificate | undefined;
}

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

/** What a challenge is about. */
export interface ChallengeFor {
  /** `repository:NAME:pull`; absent where no repository is asked for. */
  readonly scope?: string;
  /** @source RFC 6750 §3.1 */
  readonly error?: 'invalid_token' | 'insufficient_scope';
  /** Where the engine reached the listener, `https://host:port`, if its `Host` header can be believed to be a host. */
  readonly origin: string | undefined;
}

/** The client authentication of a listener. */
export interface Gate {
  /** Its name under `clients`. */
  readonly name: string;
  /** Says who is asking: at once if that is known already, else with a promise; it never rejects on account of the client. */
  admit(knock: Knock): Admission | Promise<Admission>;
  /** The value of `WWW-Authenticate`; undefined where engines cannot be asked for a login. */
  challenge(about: ChallengeFor): string | undefined;
}

/** A refusal for want of a login, or for a wrong one. */
export function unauthorized(
  shown: Rejected['shown'],
  sentence: string,
  cause: string = sentence,
): Rejected {
  return { verdict: 'rejected', reason: 'client_unauthorized', shown, sentence, cause };
}
