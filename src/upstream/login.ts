import { LRUCache } from 'lru-cache';
import type { Clock } from '../base/clock.ts';
import { SingleFlight } from '../base/single-flight.ts';
import { type BearerChallenge, type Challenge, parseChallenges } from '../oci/challenge.ts';
import { basicAuthorization, type Credentials, isSameSecret, type Secret } from './credentials.ts';
import { abortable, withDeadline } from './deadline.ts';
import { ExchangeError } from './errors.ts';
import type { LoginOutcome } from './events.ts';
import type { HttpClient } from './http-client.ts';
import type { RealmPolicy } from './realm.ts';
import { type RetryPolicy, retrying } from './retry.ts';
import { requestToken, TOKEN } from './token-request.ts';

/** What the login of one upstream is made from. */
export interface LoginOptions {
  readonly http: HttpClient;
  readonly clock: Clock;
  readonly policy: RealmPolicy;
  readonly credentials?: Credentials;
  /** Use the scope that the challenge names, if it asks for no more than pulling; default false: always our own. */
  readonly acceptsOfferedScope?: boolean;
  /** How long one login may take, in milliseconds. */
  readonly timeoutMs: number;
  readonly retry: RetryPolicy;
  /** Told how each login ended. */
  readonly onLogin?: (outcome: LoginOutcome) => void;
}

/** What a 401 said, and to what. */
export interface Rejection {
  /** The values of `WWW-Authenticate`. */
  readonly challenges: readonly string[];
  /** The scope wanted, as `repository:<name>:pull`. */
  readonly scope: string;
  /** The `Authorization` that was not good enough, if one was sent. */
  readonly authorization: string | undefined;
  readonly signal?: AbortSignal;
}

const MAX_TOKENS = 1024;
const PULL_ONLY = /^repository:[A-Za-z0-9._:/-]{1,512}:pull$/;

/**
 * Logs in to one upstream: learns from its first challenge how, keeps tokens by scope until shortly before they expire,
 * and asks for each only once however many requests need it.
 *
 * Challenges may only come from the upstream's own origin.
 */
export class Login {
  readonly #options: LoginOptions;
  readonly #tokens: LRUCache<string, string>;
  readonly #flights = new SingleFlight<string, string>();
  /** What was shown last without a token service between, and what it was made from. */
  #shown: { readonly authorization: string; readonly secret: Secret } | undefined;
  #learned: Challenge | undefined;

  constructor(options: LoginOptions) {
    this.#options = options;
    const { clock } = options;
    this.#tokens = new LRUCache({
      max: MAX_TOKENS,
      ttlResolution: 0,
      // One is added because the cache takes a start of 0 for "no time limit".
      perf: { now: () => clock.monotonicMs() + 1 },
    });
  }

  /** Whether a challenge has been seen. */
  get isLearned(): boolean {
    return this.#learned !== undefined;
  }

  /**
   * The `Authorization` to send without having been asked, or undefined while the upstream never asked.
   *
   * @throws {ExchangeError} as `requestToken` does
   */
  authorization(scope: string, signal?: AbortSignal): Promise<string | undefined> {
    const challenge = this.#learned;
    if (challenge === undefined) return Promise.resolve(undefined);
    return abortable(this.#authorize(challenge, scope, scope), signal);
  }

  /** Remembers how the upstream wants to be logged in to, from the values of `WWW-Authenticate`. */
  learn(challenges: readonly string[]): Challenge | undefined {
    const challenge = this.#choose(parseChallenges(challenges));
    if (challenge !== undefined) this.#learned = challenge;
    return challenge;
  }

  /**
   * Answers a 401 with a fresh `Authorization`, or undefined when there is none better than the rejected one.
   *
   * @throws {ExchangeError} as `requestToken` does
   */
  async answer(rejection: Rejection): Promise<string | undefined> {
    const challenge = this.learn(rejection.challenges);
    if (challenge === undefined) return undefined;
    const { scope, authorization, signal } = rejection;
    if (authorization !== undefined) this.#forget(scope, authorization);
    const wanted = this.#wantedScope(challenge, scope);
    const fresh = await abortable(this.#authorize(challenge, scope, wanted), signal);
    if (fresh !== authorization) return fresh;
    if (fresh !== undefined) this.#options.onLogin?.('denied');
    return undefined;
  }

  /** What was rejected is compared with what is kept, because meanwhile another request may have logged in anew. */
  #forget(scope: string, authorization: string): void {
    if (this.#tokens.get(scope) === authorization) this.#tokens.delete(scope);
    if (this.#shown?.authorization === authorization) {
      this.#options.credentials?.refused(this.#shown.secret);
    }
  }

  /** Bearer before Basic: a token shows less than a password does. */
  #choose(challenges: readonly Challenge[]): Challenge | undefined {
    const bearer = challenges.find((each) => each.scheme === 'bearer');
    if (bearer !== undefined) return bearer;
    const canDoBasic = this.#options.credentials !== undefined;
    return canDoBasic ? challenges.find((each) => each.scheme === 'basic') : undefined;
  }

  #wantedScope(challenge: Challenge, scope: string): string {
    if (this.#options.acceptsOfferedScope !== true || challenge.scheme !== 'bearer') return scope;
    const offered = challenge.scope;
    // An upstream that wants a token for pushing does not get one.
    return offered !== undefined && PULL_ONLY.test(offered) ? offered : scope;
  }

  async #authorize(
    challenge: Challenge,
    scope: string,
    wanted: string,
  ): Promise<string | undefined> {
    if (challenge.scheme === 'bearer') {
      const known = this.#tokens.get(scope);
      return known ?? (await this.#flights.run(scope, () => this.#fetch(challenge, scope, wanted)));
    }
    const secret = await this.#readSecret();
    return secret?.kind === 'password' ? this.#show(secret, basicAuthorization(secret)) : undefined;
  }

  async #readSecret(): Promise<Secret | undefined> {
    const { credentials, policy, clock, timeoutMs, onLogin } = this.#options;
    if (credentials === undefined) return undefined;
    try {
      return await withDeadline({ clock, timeoutMs }, () => credentials.read(policy.base.host));
    } catch (error) {
      onLogin?.('failed');
      throw error;
    }
  }

  #bearer(token: string): string {
    if (TOKEN.test(token)) return `Bearer ${token}`;
    const { host } = this.#options.policy.base;
    const message = `what is configured as the access token for ${host} is none`;
    throw new ExchangeError('denied', message, { detail: { host } });
  }

  /** Remembers what goes out as it is, and counts it as a login when it is something new. */
  #show(secret: Secret, authorization: string): string {
    if (this.#shown?.authorization !== authorization) this.#options.onLogin?.('ok');
    this.#shown = { authorization, secret };
    return authorization;
  }

  /** Not under a caller's signal: several may wait for it, and its own time limit bounds it. */
  async #fetch(challenge: BearerChallenge, scope: string, wanted: string): Promise<string> {
    const secret = await this.#readSecret();
    if (secret?.kind === 'access-token') return this.#show(secret, this.#bearer(secret.token));
    try {
      return await this.#exchange({ challenge, scope, wanted, secret });
    } catch (error) {
      const { credentials } = this.#options;
      const isDenied = error instanceof ExchangeError && error.code === 'denied';
      if (!isDenied || secret === undefined || credentials === undefined) throw error;
      // A kept secret may have run out, and one in a file may have been replaced while it was read.
      credentials.refused(secret);
      const next = await this.#readSecret();
      if (next === undefined || next.kind === 'access-token' || isSameSecret(secret, next)) {
        throw error;
      }
      return await this.#exchange({ challenge, scope, wanted, secret: next });
    }
  }

  async #exchange({ challenge, scope, wanted, secret }: TokenExchange): Promise<string> {
    const { http, clock, policy, timeoutMs, retry, onLogin } = this.#options;
    try {
      const token = await withDeadline({ clock, timeoutMs }, (signal) =>
        retrying(() => requestToken(http, { challenge, scope: wanted, secret, policy, signal }), {
          policy: retry,
          clock,
          signal,
        }),
      );
      onLogin?.('ok');
      const authorization = `Bearer ${token.value}`;
      // A tenth early (6 s of a minute), so that no token expires on its way.
      this.#tokens.set(scope, authorization, { ttl: Math.floor(token.lifetimeSeconds * 900) });
      return authorization;
    } catch (error) {
      const isDenied = error instanceof ExchangeError && error.code === 'denied';
      onLogin?.(isDenied ? 'denied' : 'failed');
      throw error;
    }
  }
}

interface TokenExchange {
  readonly challenge: BearerChallenge;
  readonly scope: string;
  /** The scope to ask for. */
  readonly wanted: string;
  readonly secret: Exclude<Secret, { kind: 'access-token' }> | undefined;
}
