import { type Admission, type Rejected, unauthorized } from './admission.ts';
import type { UserPassword } from './authorization.ts';
import { callerNameIn, groupsIn } from './claims.ts';
import type { Login } from './htpasswd-login.ts';
import type { TokenVerifier, VerifiedToken } from './token-verifier.ts';

/** Options of an `OidcLogin`. */
export interface OidcLoginOptions {
  /** The name under `clients`. */
  readonly source: string;
  readonly verifier: TokenVerifier;
  /** The claim that names the caller. */
  readonly usernameClaim: string;
  /** The claim that holds the caller's groups; default: none. */
  readonly groupsClaim?: string;
}

/** Takes an ID token of an OpenID provider for a password; the user name that comes with it says nothing. */
export class OidcLogin implements Login {
  readonly #options: OidcLoginOptions;

  constructor(options: OidcLoginOptions) {
    this.#options = options;
  }

  async check({ password }: UserPassword): Promise<Admission> {
    return this.#judge(await this.#options.verifier.verify(password));
  }

  /** A login by ID token is not tied to anything that could change behind it. */
  stampOf(): undefined {
    return undefined;
  }

  #judge(verified: VerifiedToken | Rejected): Admission {
    if (verified.verdict === 'rejected') return verified;
    const { source, usernameClaim, groupsClaim } = this.#options;
    const { claims } = verified;
    const name = callerNameIn(claims, usernameClaim);
    if (name === undefined) {
      const sentence = `the token it came with has no ${usernameClaim} that could be a name`;
      return unauthorized('wrong', sentence);
    }
    const caller = { source, name, groups: groupsIn(claims, groupsClaim) };
    return { verdict: 'admitted', caller };
  }
}
