import { createHash } from 'node:crypto';
import { createLocalJWKSet, errors, type JWTPayload, type JWTVerifyGetKey, jwtVerify } from 'jose';
import { LRUCache } from 'lru-cache';
import type { Clock } from '../base/clock.ts';
import { type Rejected, unauthorized } from './admission.ts';
import type { TokenAlgorithm } from './key-set.ts';
import { type KeySource, KeysUnavailable } from './key-source.ts';

/** What a token has to be. */
export interface TokenRequirements {
  readonly issuer: string;
  /** One of the audiences that the token is for. */
  readonly audience: string;
  readonly algorithms: readonly TokenAlgorithm[];
  /** How far the clocks of Pinnace and of the token service may be apart, in milliseconds. */
  readonly clockSkewMs: number;
}

/** What a `TokenVerifier` works with. */
export interface TokenVerifierOptions extends TokenRequirements {
  readonly keys: KeySource;
  readonly clock: Clock;
}

/** What a good token says. */
export interface VerifiedToken {
  readonly verdict: 'verified';
  readonly claims: JWTPayload;
}

interface Remembered {
  readonly verified: VerifiedToken;
  /** Milliseconds since the epoch. */
  readonly goodUntil: number;
  /** Milliseconds of the monotonic clock. */
  readonly checkAt: number;
}

const MAX_REMEMBERED = 4096;
/** How long a signature is not checked again: a key that its service withdraws is believed no longer than that. */
const REMEMBER_MS = 60_000;

/**
 * Verifies tokens: signature by a key of the service, allowed algorithm, issuer, audience, times. What is remembered of a
 * token is that it was good, until it expires, and for a minute at most.
 *
 * @source RFC 7519 §7.2, RFC 8725 §3
 */
export class TokenVerifier {
  readonly #options: TokenVerifierOptions;
  readonly #remembered = new LRUCache<string, Remembered>({ max: MAX_REMEMBERED });

  constructor(options: TokenVerifierOptions) {
    this.#options = options;
  }

  /** Says whether a token is good: at once if that was found right before. */
  verify(token: string): VerifiedToken | Rejected | Promise<VerifiedToken | Rejected> {
    // Never the token itself: memory that is dumped must not hold what opens doors.
    const key = createHash('sha256').update(token).digest('base64');
    const known = this.#remembered.get(key);
    const { clock } = this.#options;
    const isGood =
      known !== undefined && known.goodUntil > clock.now() && known.checkAt > clock.monotonicMs();
    return isGood ? known.verified : this.#check(token, key);
  }

  async #check(token: string, key: string): Promise<VerifiedToken | Rejected> {
    const { issuer, audience, algorithms, clockSkewMs, clock } = this.#options;
    try {
      const { payload } = await jwtVerify(token, this.#findKey, {
        issuer,
        audience,
        algorithms: [...algorithms],
        clockTolerance: clockSkewMs / 1000,
        currentDate: new Date(clock.now()),
        requiredClaims: ['iss', 'aud', 'exp'],
      });
      const verified: VerifiedToken = { verdict: 'verified', claims: payload };
      const goodUntil = (payload.exp ?? 0) * 1000 + clockSkewMs;
      const checkAt = clock.monotonicMs() + REMEMBER_MS;
      this.#remembered.set(key, { verified, goodUntil, checkAt });
      return verified;
    } catch (error) {
      return rejectionOf(error);
    }
  }

  readonly #findKey: JWTVerifyGetKey = async (header, input) => {
    const { keys } = this.#options;
    const known = await keys.current();
    try {
      return await createLocalJWKSet({ keys: [...known.keys] })(header, input);
    } catch (error) {
      if (!(error instanceof errors.JWKSNoMatchingKey)) throw error;
      const renewed = await keys.renewed();
      if (renewed === known) throw error;
      return await createLocalJWKSet({ keys: [...renewed.keys] })(header, input);
    }
  };
}

const CLAIM_FAULTS: ReadonlyMap<string, string> = new Map([
  ['iss', 'the token it came with is from another issuer'],
  ['aud', 'the token it came with is for another service'],
  ['nbf', 'the token it came with is not valid yet'],
  ['exp', 'the token it came with does not say when it expires'],
]);

function rejectionOf(error: unknown): Rejected {
  if (error instanceof KeysUnavailable) {
    return {
      verdict: 'rejected',
      reason: 'client_check_unavailable',
      shown: 'wrong',
      sentence: 'Pinnace cannot fetch the keys of the token service',
      cause: error.message,
      retryAfterSeconds: 10,
    };
  }
  return unauthorized('token', faultOf(error), error instanceof Error ? error.message : 'unknown');
}

function faultOf(error: unknown): string {
  if (error instanceof errors.JWTExpired) return 'the token it came with has expired';
  if (error instanceof errors.JWTClaimValidationFailed) {
    return CLAIM_FAULTS.get(error.claim) ?? 'the token it came with lacks what it should say';
  }
  if (error instanceof errors.JOSEAlgNotAllowed) {
    return 'the token it came with is signed in a way that is not allowed';
  }
  if (error instanceof errors.JWSSignatureVerificationFailed) {
    return 'the signature of the token it came with is wrong';
  }
  if (error instanceof errors.JWKSNoMatchingKey) {
    return 'the token it came with is signed with a key that its service does not have';
  }
  return 'the token it came with cannot be read';
}
