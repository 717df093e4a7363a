import type { X509Certificate } from 'node:crypto';
import type { Admission } from './admission.ts';
import type { TokenService } from './token-service.ts';

/** What of a request says who is asking. */
export interface Knock {
  /** The `Authorization` header. */
  readonly authorization: string | undefined;
  /** The client's address. */
  readonly address: string;
  /** The certificate that the client proved to hold and that the listener's client CA vouches for. */
  readonly certificate: X509Certificate | undefined;
}

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
  /** The token service that stands on the listener itself, if there is one. */
  readonly endpoint?: TokenService;
}
