import type { BreakerState } from './circuit-breaker.ts';

/** How one HTTP exchange ended, as a closed list fit for a metric label. */
export type UpstreamOutcome =
  | 'ok'
  | 'redirected'
  | 'unauthorized'
  | 'missing'
  | 'rate_limited'
  | 'client_error'
  | 'server_error'
  | 'unreachable';

/** How one login ended: `ok` when there is something to show to the upstream, `denied` when it, or its token service, refused. */
export type LoginOutcome = 'ok' | 'denied' | 'failed';

/**
 * What the upstream side tells those who count. `host` is always a configured server (a fallback is named after the upstream
 * and its own address), never a redirect's target, so the set of its values is bounded by the configuration.
 */
export interface UpstreamEvents {
  /** One request ended with reply headers or without; token requests and redirect hops count too. */
  request(host: string, outcome: UpstreamOutcome): void;
  /** Body bytes arrived. */
  bytes(host: string, count: number): void;
  /** The upstream said in `RateLimit-Remaining` how many requests are left. */
  rateLimitRemaining(host: string, count: number): void;
  /** A token was asked for, or credentials were taken up or refused; use of what an earlier login gave does not count. */
  login(host: string, outcome: LoginOutcome): void;
  /** A server is given a rest, or is asked again. */
  breaker(host: string, state: BreakerState): void;
  /** A server sent other content than the digest names. */
  mismatch(host: string): void;
  /** Content came from a fallback; `host` is the upstream whose fallback it is. */
  fellBack(host: string): void;
}

/** Events that nobody listens to. */
export const silentEvents: UpstreamEvents = {
  request: () => undefined,
  bytes: () => undefined,
  rateLimitRemaining: () => undefined,
  login: () => undefined,
  breaker: () => undefined,
  mismatch: () => undefined,
  fellBack: () => undefined,
};

/**
 * The outcome that a status stands for. A challenge to a request that carried no login is `ok`: that is how registries
 * answer when all is well.
 */
export function outcomeOfStatus(status: number, hadAuthorization: boolean): UpstreamOutcome {
  if (status < 300 || (status === 401 && !hadAuthorization)) return 'ok';
  if (status < 400) return 'redirected';
  if (status === 401 || status === 403) return 'unauthorized';
  if (status === 404) return 'missing';
  if (status === 429) return 'rate_limited';
  return status < 500 ? 'client_error' : 'server_error';
}
