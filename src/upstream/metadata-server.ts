import { type Clock, systemClock } from '../base/clock.ts';
import type { TrustServerReason } from '../base/reason-code.ts';
import { TrustServerError } from '../metadata/errors.ts';
import type { MetadataFetchOptions, MetadataSource } from '../metadata/ports.ts';
import { TrustError } from '../trust/errors.ts';
import { parseBase } from './base-url.ts';
import type { Credentials } from './credentials.ts';
import { withDeadline } from './deadline.ts';
import { type ExchangeCode, ExchangeError } from './errors.ts';
import { silentEvents, type UpstreamEvents } from './events.ts';
import { HttpClient } from './http-client.ts';
import type { ClientCertificate, HttpTimeouts, ProxyOptions } from './http-dispatcher.ts';
import type { HttpReply } from './http-reply.ts';
import { Login } from './login.ts';
import type { MetadataLocation } from './metadata-url.ts';
import { realmHostSet } from './realm.ts';
import { type RetryPolicy, retrying } from './retry.ts';
import { statusError, type TransientStatuses } from './status.ts';

/** Finds a file of a collection on a server. @throws {TrustError} `malformed` @throws {OciError} `NAME_INVALID` */
export type LocateMetadata = (base: URL, gun: string, file: string) => MetadataLocation;

/** One server of trust metadata as configured. */
export interface MetadataServerOptions {
  /** Where files are on this kind of server. */
  readonly locate: LocateMetadata;
  /** Where it is: http or https, a path prefix is kept, a trailing slash is not. */
  readonly url: string;
  /** Pinnace's version, for the `User-Agent`. */
  readonly version: string;
  /** What the server is called in events; default: its host. */
  readonly name?: string;
  /** PEM text of certificate authorities trusted in addition to the usual roots. */
  readonly ca?: string;
  /** Shown to the server itself only. */
  readonly clientCertificate?: ClientCertificate;
  readonly credentials?: Credentials;
  /**
   * Hosts of token services that may receive the credentials beside the server's own; default none. Any other token
   * service is asked anonymously.
   */
  readonly realmHosts?: Iterable<string>;
  readonly proxy?: ProxyOptions;
  /** Defaults: connect 10 s, headers 10 s, silence in a body 30 s, one file altogether 30 s. */
  readonly timeouts?: Partial<HttpTimeouts>;
  /** Default: the machine's clock. */
  readonly clock?: Clock;
  /** Default: nobody listens. */
  readonly events?: UpstreamEvents;
  /** Default: 2 tries, pause up to 250 ms. */
  readonly retry?: RetryPolicy;
}

const NOTARY_TIMEOUTS: HttpTimeouts = {
  connectMs: 10_000,
  headersMs: 10_000,
  bodyIdleMs: 30_000,
  totalMs: 30_000,
};
const DEFAULT_RETRY: RetryPolicy = { tries: 2, baseDelayMs: 250 };
const TRANSIENT: TransientStatuses = new Set([502, 503, 504]);

const REASONS = {
  unreachable: 'trust_server_unreachable',
  timed_out: 'trust_server_unreachable',
  broken_off: 'trust_server_unreachable',
  too_long: 'trust_server_error',
  encoded: 'trust_server_error',
  redirected: 'trust_server_error',
  denied: 'trust_server_unauthorized',
  login_unavailable: 'trust_server_unreachable',
  missing: 'trust_server_error',
  mismatch: 'trust_server_error',
  resting: 'trust_server_unreachable',
  busy: 'trust_server_unreachable',
  rate_limited: 'trust_server_error',
  server_error: 'trust_server_error',
  unexpected: 'trust_server_error',
} as const satisfies Record<ExchangeCode, TrustServerReason>;

/** What one file's request carries along. */
interface FileRequest extends MetadataLocation {
  readonly maxBytes: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
}

/**
 * Reads metadata files of a Notary v1 server or of a TUF 1.0 repository. What arrives is bounded in length and time, and otherwise unchecked.
 *
 * A call whose signal fires fails with the signal's reason.
 *
 * @source notary: server/server.go, client/helpers.go; docker/cli: cli/trust/trust.go
 */
export class MetadataServer implements MetadataSource {
  readonly #base: URL;
  readonly #locate: LocateMetadata;
  readonly #http: HttpClient;
  readonly #login: Login;
  readonly #clock: Clock;
  readonly #retry: RetryPolicy;
  readonly #totalMs: number;

  /** @throws {ExchangeError} `unexpected` for a URL that is not http(s); errors of `node:tls` for unusable PEM text */
  constructor(options: MetadataServerOptions) {
    const base = parseBase(options.url);
    const clock = options.clock ?? systemClock;
    const name = options.name ?? base.host;
    const events = options.events ?? silentEvents;
    const timeouts = { ...NOTARY_TIMEOUTS, ...options.timeouts };
    this.#base = base;
    this.#locate = options.locate;
    this.#clock = clock;
    this.#retry = options.retry ?? DEFAULT_RETRY;
    this.#totalMs = timeouts.totalMs;
    this.#http = new HttpClient({
      ...options,
      name,
      base,
      timeouts,
      userAgent: `pinnace/${options.version}`,
      clock,
      events,
    });
    this.#login = new Login({
      http: this.#http,
      clock,
      policy: { base, realmHosts: realmHostSet(options.realmHosts ?? []) },
      ...(options.credentials === undefined ? {} : { credentials: options.credentials }),
      timeoutMs: timeouts.totalMs,
      retry: this.#retry,
      onLogin: (outcome) => events.login(name, outcome),
    });
  }

  /**
   * @throws {OciError} `NAME_INVALID` for a GUN that cannot be one
   * @throws {TrustError} also `malformed` for a file name that no metadata may lead to
   */
  async fetch(
    gun: string,
    file: string,
    options: MetadataFetchOptions,
  ): Promise<Uint8Array | undefined> {
    const location = this.#locate(this.#base, gun, file);
    const request = {
      ...location,
      maxBytes: options.maxBytes,
      headers: options.bypassCaches === true ? { 'cache-control': 'no-cache' } : {},
    };
    const clock = this.#clock;
    const limits = { clock, timeoutMs: this.#totalMs, signal: options.signal };
    try {
      return await withDeadline(limits, (signal) =>
        retrying(() => this.#fetch({ ...request, signal }), {
          policy: this.#retry,
          clock,
          signal,
        }),
      );
    } catch (error) {
      throw this.#asTrustServerError(error);
    }
  }

  /** Cuts all connections; what is under way fails. */
  close(): Promise<void> {
    return this.#http.close();
  }

  async #fetch(request: FileRequest): Promise<Uint8Array | undefined> {
    const reply = await this.#authorised(request);
    if (reply.status === 404 || (reply.status === 403 && request.isMissingIfForbidden)) {
      reply.discard();
      return undefined;
    }
    if (reply.status !== 200) throw statusError(reply, TRANSIENT);
    const { role, maxBytes } = request;
    try {
      return await reply.read(maxBytes);
    } catch (error) {
      if (!(error instanceof ExchangeError && error.code === 'too_long')) throw error;
      const message = `the ${role} metadata is longer than the ${maxBytes} bytes allowed`;
      throw new TrustError('length_exceeded', message, { detail: { role, maxBytes } });
    }
  }

  /** The reply to a request that was let through or never challenged, so that a 404 is the server's word. */
  async #authorised(request: FileRequest): Promise<HttpReply> {
    const { url, headers, scope, signal } = request;
    const authorization = await this.#login.authorization(scope, signal);
    const first = await this.#http.request({
      url,
      headers: joined(headers, authorization),
      signal,
    });
    if (first.status !== 401) return first;
    first.discard();
    const challenges = first.headerLines('www-authenticate');
    const answer = await this.#login.answer({ challenges, scope, authorization, signal });
    if (answer === undefined) throw statusError(first, TRANSIENT);
    return await this.#http.request({ url, headers: joined(headers, answer), signal });
  }

  #asTrustServerError(error: unknown): unknown {
    if (!(error instanceof ExchangeError)) return error;
    const { retryAfterSeconds } = error;
    const after = retryAfterSeconds === undefined ? {} : { retryAfterSeconds };
    return new TrustServerError(
      REASONS[error.code],
      `trust server ${this.#base.host}: ${error.message}`,
      {
        detail: { ...error.detail, ...after, server: this.#base.host },
        cause: error,
      },
    );
  }
}

function joined(
  headers: Readonly<Record<string, string>>,
  authorization: string | undefined,
): Readonly<Record<string, string>> {
  return authorization === undefined ? headers : { ...headers, authorization };
}
