import type { Dispatcher } from 'undici';
import { type Clock, systemClock } from '../base/clock.ts';
import { parseBase } from './base-url.ts';
import type { Credentials } from './credentials.ts';
import { withDeadline } from './deadline.ts';
import { silentEvents } from './events.ts';
import { HttpClient } from './http-client.ts';
import {
  type ClientCertificate,
  createDispatcher,
  type HttpTimeouts,
  type ProxyOptions,
} from './http-dispatcher.ts';
import { failedRequest } from './http-failure.ts';
import { HttpReply } from './http-reply.ts';
import { Login } from './login.ts';

/** A server that content is written to. */
export interface PushClientOptions {
  /** Where it is: http or https, a path prefix is kept, a trailing slash is not. */
  readonly url: string;
  /** Pinnace's version, for the `User-Agent`. */
  readonly version: string;
  /** PEM text of certificate authorities trusted in addition to the usual roots. */
  readonly ca?: string;
  readonly clientCertificate?: ClientCertificate;
  readonly credentials?: Credentials;
  readonly proxy?: ProxyOptions;
  /** Default: the machine's clock. */
  readonly clock?: Clock;
}

/** One request. */
export interface PushRequest {
  readonly method: 'GET' | 'HEAD' | 'PUT' | 'POST';
  readonly url: URL;
  /** What a token is to be good for. */
  readonly scope: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array;
}

const TIMEOUTS: HttpTimeouts = {
  connectMs: 10_000,
  headersMs: 60_000,
  bodyIdleMs: 30_000,
  totalMs: 120_000,
};

/**
 * Sends requests that may change something, each once: no redirects are followed and nothing is retried but a request that
 * was answered with a login challenge of the server's own.
 */
export class PushClient {
  /** The base URL, without trailing slash in its path. */
  readonly base: URL;
  readonly #dispatcher: Dispatcher;
  readonly #http: HttpClient;
  readonly #login: Login;
  readonly #clock: Clock;
  readonly #userAgent: string;

  /** @throws {ExchangeError} `unexpected` for a URL that is not http(s); errors of `node:tls` for unusable PEM text */
  constructor(options: PushClientOptions) {
    const { ca, clientCertificate, proxy, credentials, version, clock = systemClock } = options;
    this.base = parseBase(options.url);
    this.#clock = clock;
    this.#userAgent = `pinnace/${version}`;
    const connection = {
      timeouts: TIMEOUTS,
      ...(ca === undefined ? {} : { ca }),
      ...(proxy === undefined ? {} : { proxy }),
    };
    const isTls = this.base.protocol === 'https:';
    this.#dispatcher = createDispatcher(isTls ? 'https:' : 'http:', {
      ...connection,
      ...(clientCertificate === undefined ? {} : { clientCertificate }),
    });
    const common = { name: this.base.host, base: this.base, clock, events: silentEvents };
    this.#http = new HttpClient({ ...connection, ...common, userAgent: this.#userAgent });
    this.#login = new Login({
      http: this.#http,
      clock,
      policy: { base: this.base, realmHosts: undefined },
      ...(credentials === undefined ? {} : { credentials }),
      timeoutMs: TIMEOUTS.totalMs,
      retry: { tries: 2, baseDelayMs: 250 },
    });
  }

  /**
   * Sends a request, logging in at most once, and resolves with the reply whatever its status.
   *
   * @throws {ExchangeError} `unreachable`, `timed_out`, `broken_off`, `denied` by the token service
   */
  async send(request: PushRequest): Promise<HttpReply> {
    const { scope } = request;
    return await withDeadline(
      { clock: this.#clock, timeoutMs: TIMEOUTS.totalMs },
      async (signal) => {
        const authorization = await this.#login.authorization(scope, signal);
        const first = await this.#exchange(request, authorization, signal);
        // Only the server itself may ask for its credentials.
        if (first.status !== 401 || request.url.origin !== this.base.origin) return first;
        const challenges = first.headerLines('www-authenticate');
        const answer = await this.#login.answer({ challenges, scope, authorization, signal });
        if (answer === undefined) return first;
        first.discard();
        return await this.#exchange(request, answer, signal);
      },
    );
  }

  /** Cuts all connections. */
  async close(): Promise<void> {
    await this.#dispatcher.destroy();
    await this.#http.close();
  }

  async #exchange(
    { method, url, headers, body }: PushRequest,
    authorization: string | undefined,
    signal: AbortSignal,
  ): Promise<HttpReply> {
    const isOwn = url.origin === this.base.origin;
    try {
      const data = await this.#dispatcher.request({
        origin: url.origin,
        path: `${url.pathname}${url.search}`,
        method,
        signal,
        headers: {
          'user-agent': this.#userAgent,
          'accept-encoding': 'identity',
          ...headers,
          ...(authorization === undefined || !isOwn ? {} : { authorization }),
        },
        ...(body === undefined ? {} : { body }),
      });
      return new HttpReply(data, {
        host: url.host,
        clock: this.#clock,
        signal,
        onBytes: () => undefined,
        minRate: 0,
      });
    } catch (error) {
      signal.throwIfAborted();
      throw failedRequest(error, url.host);
    }
  }
}
