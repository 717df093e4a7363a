import type { Clock } from '../base/clock.ts';
import { Admission, type AdmissionLimits } from './admission.ts';
import { parseBase } from './base-url.ts';
import type { BreakerPolicy } from './circuit-breaker.ts';
import type { Credentials } from './credentials.ts';
import type { UpstreamEvents } from './events.ts';
import { HttpClient } from './http-client.ts';
import type { ClientCertificate, HttpTimeouts, ProxyOptions } from './http-dispatcher.ts';
import type { HttpReply } from './http-reply.ts';
import { Login } from './login.ts';
import { realmHostSet } from './realm.ts';
import { isRedirect, MAX_REDIRECTS, redirectTarget, tooManyRedirects } from './redirect.ts';
import type { RetryPolicy } from './retry.ts';
import { statusError, type TransientStatuses } from './status.ts';

/** One server of an upstream registry as configured. */
export interface ServerOptions {
  /** Where it is: http or https, a path prefix is kept, a trailing slash is not. */
  readonly url: string;
  /** PEM text of certificate authorities trusted in addition to the usual roots. */
  readonly ca?: string;
  /** Shown to the upstream itself only. */
  readonly clientCertificate?: ClientCertificate;
  readonly credentials?: Credentials;
  /** Hosts of token services that may receive the credentials; default: every https host that the upstream names. */
  readonly realmHosts?: Iterable<string>;
  readonly proxy?: ProxyOptions;
  readonly timeouts?: Partial<HttpTimeouts>;
  /** The most connections at once to one host; default 256. */
  readonly maxConnections?: number;
  /** Bytes a second that bodies have to bring while they are waited for, on average over a minute; default 0 asks for none. */
  readonly minRate?: number;
  /** How much is asked of it at once; default 256 requests, and 1024 that wait. */
  readonly limits?: AdmissionLimits;
  /** When it is given a rest; default after 10 failures in a row, for 15 s. */
  readonly breaker?: BreakerPolicy;
}

/** What all upstreams share. */
export interface UpstreamContext {
  readonly clock: Clock;
  readonly events: UpstreamEvents;
  /** The `User-Agent`. */
  readonly userAgent: string;
  readonly retry: RetryPolicy;
}

/** One GET below `/v2/`. */
export interface RegistryRequest {
  /** What follows `/v2/`. */
  readonly path: string;
  readonly scope: string;
  readonly accept: string;
  readonly signal: AbortSignal;
}

/** Time limits of a registry unless configured otherwise. */
export const REGISTRY_TIMEOUTS: HttpTimeouts = {
  connectMs: 10_000,
  headersMs: 30_000,
  bodyIdleMs: 30_000,
  totalMs: 60_000,
};

const LIMITS: AdmissionLimits = { requests: 256, queue: 1024 };
const BREAKER: BreakerPolicy = { failures: 10, openMs: 15_000 };
const TRANSIENT: TransientStatuses = new Set([500, 502, 503, 504]);

/** Speaks to one server of a registry: logs in when asked to, and follows redirects without taking credentials along. */
export class RegistryUpstream {
  /** What it is called in events. */
  readonly name: string;
  /** Who may ask it now. Requests do not look at it themselves. */
  readonly admission: Admission;
  readonly clock: Clock;
  /** The base URL, without trailing slash in its path. */
  readonly base: URL;
  readonly ca: string | undefined;
  readonly timeouts: HttpTimeouts;
  readonly login: Login;
  readonly #http: HttpClient;

  constructor(name: string, options: ServerOptions, context: UpstreamContext) {
    this.name = name;
    this.clock = context.clock;
    this.base = parseBase(options.url);
    this.admission = new Admission({
      host: this.base.host,
      limits: options.limits ?? LIMITS,
      breaker: options.breaker ?? BREAKER,
      clock: context.clock,
      onBreaker: (state) => context.events.breaker(name, state),
    });
    this.ca = options.ca;
    this.timeouts = { ...REGISTRY_TIMEOUTS, ...options.timeouts };
    this.#http = new HttpClient({
      ...options,
      name,
      base: this.base,
      timeouts: this.timeouts,
      userAgent: context.userAgent,
      clock: context.clock,
      events: context.events,
    });
    const { realmHosts, credentials } = options;
    this.login = new Login({
      http: this.#http,
      clock: context.clock,
      policy: {
        base: this.base,
        realmHosts: realmHosts === undefined ? undefined : realmHostSet(realmHosts),
      },
      ...(credentials === undefined ? {} : { credentials }),
      acceptsOfferedScope: true,
      timeoutMs: this.timeouts.totalMs,
      retry: context.retry,
      onLogin: (outcome) => context.events.login(name, outcome),
    });
  }

  /**
   * Gets something once, with at most one login, and resolves when its headers are there and the status is 200.
   *
   * @throws {ExchangeError}
   */
  async get(request: RegistryRequest): Promise<HttpReply> {
    const { scope, signal } = request;
    const authorization = await this.login.authorization(scope, signal);
    const first = await this.#follow(request, authorization);
    // A 401 from elsewhere is not ours to answer: its challenge could lead the credentials anywhere.
    if (first.reply.status !== 401 || !first.isOwn) return requireOk(first.reply);
    first.reply.discard();
    const challenges = first.reply.headerLines('www-authenticate');
    const rejection = { challenges, scope, authorization, signal };
    const answer = await this.login.answer(rejection);
    if (answer === undefined) throw statusError(first.reply, TRANSIENT);
    return requireOk((await this.#follow(request, answer)).reply);
  }

  /**
   * Asks `/v2/` without any login, and learns from a challenge how to log in.
   *
   * @returns whether the registry asked for a login
   * @throws {ExchangeError} unless the status is 200 or 401
   */
  async probe(signal: AbortSignal): Promise<boolean> {
    const reply = await this.#http.request({ url: this.#url(''), signal });
    if (reply.status !== 401) {
      requireOk(reply).discard();
      return false;
    }
    reply.discard();
    this.login.learn(reply.headerLines('www-authenticate'));
    return true;
  }

  close(): Promise<void> {
    return this.#http.close();
  }

  async #follow(
    request: RegistryRequest,
    authorization: string | undefined,
  ): Promise<{ readonly reply: HttpReply; readonly isOwn: boolean }> {
    let url = this.#url(request.path);
    let isOwn = true;
    for (let hops = 0; hops <= MAX_REDIRECTS; hops += 1) {
      const headers = {
        accept: request.accept,
        ...(isOwn && authorization !== undefined ? { authorization } : {}),
      };
      const reply = await this.#http.request({ url, headers, signal: request.signal });
      if (!isRedirect(reply.status)) return { reply, isOwn };
      url = redirectTarget(reply, url);
      // Once away, always away: another host must not choose what is asked here with our credentials.
      isOwn &&= url.origin === this.base.origin;
    }
    throw tooManyRedirects(url);
  }

  #url(path: string): URL {
    return new URL(`${this.base.href.replace(/\/$/, '')}/v2/${path}`);
  }
}

function requireOk(reply: HttpReply): HttpReply {
  if (reply.status !== 200) throw statusError(reply, TRANSIENT);
  return reply;
}
