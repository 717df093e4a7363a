import { LRUCache } from 'lru-cache';
import type { Clock } from '../base/clock.ts';
import { SingleFlight } from '../base/single-flight.ts';
import { type BearerChallenge, type Challenge, parseChallenges } from '../oci/challenge.ts';
import { basicAuthorization, type Credentials } from './credentials.ts';
import { abortable, withDeadline } from './deadline.ts';
import type { HttpClient } from './http-client.ts';
import type { RealmPolicy } from './realm.ts';
import { type RetryPolicy, retrying } from './retry.ts';
import { requestToken } from './token-request.ts';

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
    // Compared, because meanwhile another request may have fetched the next one.
    if (authorization !== undefined && this.#tokens.get(scope) === authorization) {
      this.#tokens.delete(scope);
    }
    const wanted = this.#wantedScope(challenge, scope);
    const fresh = await abortable(this.#authorize(challenge, scope, wanted), signal);
    return fresh === authorization ? undefined : fresh;
  }

  /** Bearer before Basic: a token shows less than a password does. */
  #choose(challenges: readonly Challenge[]): Challenge | undefined {
    const { credentials } = this.#options;
    const bearer = challenges.find((each) => each.scheme === 'bearer');
    if (bearer !== undefined) return bearer;
    const canDoBasic = credentials !== undefined && 'username' in credentials;
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
    const { credentials, policy } = this.#options;
    if (credentials === undefined || !('username' in credentials)) return undefined;
    return await basicAuthorization(credentials, policy.base.host);
  }

  /** Not under a caller's signal: several may wait for it, and its own time limit bounds it. */
  async #fetch(challenge: BearerChallenge, scope: string, wanted: string): Promise<string> {
    const { http, clock, policy, credentials, timeoutMs, retry } = this.#options;
    const token = await withDeadline({ clock, timeoutMs }, (signal) =>
      retrying(
        () => requestToken(http, { challenge, scope: wanted, credentials, policy, signal }),
        { policy: retry, clock, signal },
      ),
    );
    const authorization = `Bearer ${token.value}`;
    // A tenth early (6 s of a minute), so that no token expires on its way.
    this.#tokens.set(scope, authorization, { ttl: Math.floor(token.lifetimeSeconds * 900) });
    return authorization;
  }
}
