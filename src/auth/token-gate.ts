import type { JWTPayload } from 'jose';
import { type Admission, type Rejected, unauthorized } from './admission.ts';
import { parseAuthorization } from './authorization.ts';
import { bearerChallenge } from './bearer-challenge.ts';
import { callerNameIn, groupsIn, pullableRepositories } from './claims.ts';
import type { ChallengeFor, Gate, Knock } from './gate.ts';
import type { TokenEndpoint } from './token-endpoint.ts';
import type { TokenVerifier, VerifiedToken } from './token-verifier.ts';

/** Options of a `TokenGate`. */
export interface TokenGateOptions {
  /** The name under `clients`. */
  readonly name: string;
  readonly verifier: TokenVerifier;
  /** Where tokens are to be had, given where the engine reached the listener; undefined when that cannot be said. */
  readonly realm: (origin: string | undefined) => string;
  readonly service: string;
  /** The claim that holds the caller's groups; default: none. */
  readonly groupsClaim?: string;
  /** Whether the caller of a good token still is what it was when the token was made; default: nobody asks. */
  readonly isCurrent?: (claims: JWTPayload) => boolean;
  /** The token service that stands on the listener itself. */
  readonly endpoint?: TokenEndpoint;
}

const MISSING = unauthorized('missing', 'Pinnace does not know who is asking', 'no token was sent');
const NO_TOKEN = unauthorized(
  'token',
  'this listener wants a token of its token service',
  'the Authorization header is no bearer token',
);
const NO_NAME = unauthorized(
  'token',
  'the token it came with has no name that could be used',
  'the sub claim is no name',
);

const OUTDATED = unauthorized(
  'token',
  'the login that the token was given for is no longer good',
  'the user is gone or has another password',
);

/**
 * Lets in who has a token of a token service, and to the repositories that it is for.
 *
 * @source distribution: docs/content/spec/auth/token.md, jwt.md
 */
export class TokenGate implements Gate {
  readonly name: string;
  readonly #options: TokenGateOptions;
  readonly endpoint?: TokenEndpoint;
  readonly #admissions = new WeakMap<VerifiedToken, Admission>();

  constructor(options: TokenGateOptions) {
    this.name = options.name;
    this.#options = options;
    if (options.endpoint !== undefined) this.endpoint = options.endpoint;
  }

  admit({ authorization }: Knock): Admission | Promise<Admission> {
    const given = parseAuthorization(authorization);
    if (given.kind === 'missing') return MISSING;
    if (given.kind !== 'bearer') return NO_TOKEN;
    const verified = this.#options.verifier.verify(given.token);
    return verified instanceof Promise
      ? verified.then((found) => this.#judge(found))
      : this.#judge(verified);
  }

  challenge(about: ChallengeFor): string {
    const { realm, service } = this.#options;
    return bearerChallenge(realm(about.origin), service, about);
  }

  #judge(verified: VerifiedToken | Rejected): Admission {
    if (verified.verdict === 'rejected') return verified;
    const known = this.#admissions.get(verified);
    if (known !== undefined) return known;
    const admission = this.#admissionOf(verified);
    this.#admissions.set(verified, admission);
    return admission;
  }

  #admissionOf({ claims }: VerifiedToken): Admission {
    // Token services give tokens to nobody in particular too; they have no name, and open what they are for.
    const isNameless = claims.sub === undefined || claims.sub === '';
    const name = isNameless ? '' : callerNameIn(claims, 'sub');
    if (name === undefined) return NO_NAME;
    const { name: source, groupsClaim, isCurrent } = this.#options;
    if (isCurrent?.(claims) === false) return OUTDATED;
    const caller = { source, name, groups: groupsIn(claims, groupsClaim) };
    return { verdict: 'admitted', caller, repositories: pullableRepositories(claims) };
  }
}
