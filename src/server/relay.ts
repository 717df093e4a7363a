import { Agent as HttpAgent, type IncomingMessage, ServerResponse } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { getCACertificates } from 'node:tls';
import { ProxyServer } from 'http-proxy-3';
import { abortable } from '../base/abortable.ts';
import type { Clock } from '../base/clock.ts';
import { LeastRate } from '../base/least-rate.ts';
import type { RegistryHost, Repository } from '../oci/names.ts';
import { UpstreamError } from '../resolve/errors.ts';
import type { HttpResponse } from './http-response.ts';
import { relayedRequestHeaders, relayedResponseHeaders } from './relay-headers.ts';

/** Where a registry is really reached. */
export interface RelayOrigin {
  readonly url: URL;
  /** Certificates of authorities, PEM, that are trusted beside the system's own. */
  readonly ca?: string;
  /** Bytes a second that bodies have to bring while they are waited for, on average over a minute; default 0 asks for none. */
  readonly minRate?: number;
  /** HTTP proxies on the way, as the customary environment variables name them. */
  readonly proxy?: {
    readonly httpProxy?: string;
    readonly httpsProxy?: string;
    readonly noProxy?: string;
  };
}

/** What a relayed request may take. */
export interface RelayLimits {
  /** Milliseconds until a connection to the upstream stands. Default 10,000. */
  readonly connectTimeoutMs?: number;
  /** Milliseconds until the upstream's headers are there. Default 30,000. */
  readonly headersTimeoutMs?: number;
  /** Milliseconds a body may pause. Default 60,000. */
  readonly idleTimeoutMs?: number;
  /** Connections per upstream. Default 64. */
  readonly maxConnections?: number;
}

/** Options of a `Relay`. */
export interface RelayOptions extends RelayLimits {
  readonly clock: Clock;
  /** The configured upstream of a registry; undefined if there is none. */
  readonly originOf: (registry: RegistryHost) => RelayOrigin | undefined;
  /**
   * The `Authorization` value with which Pinnace itself reads a repository; undefined for none, or for none better than one
   * that was refused.
   */
  readonly authorization: (
    repository: Repository,
    refused?: RefusedAuthorization,
  ) => Promise<string | undefined>;
  /** Waits for a place among the requests to a registry. @throws {UpstreamError} */
  readonly admit: (registry: RegistryHost, signal: AbortSignal) => Promise<RelayLease>;
}

/** An `Authorization` that the upstream answered with 401, and its challenges. */
export interface RefusedAuthorization {
  readonly authorization: string | undefined;
  readonly challenges: readonly string[];
}

/** A place among the requests to a registry: takes what came of the request, and is given back by `leave`. */
export interface RelayLease {
  succeeded(): void;
  failed(): void;
  leave(): void;
}

/** What is asked of the upstream: made from the parsed route, never from the client's path. */
export interface RelayTarget {
  readonly repository: Repository;
  /** What follows `/v2/<repository path>/`: `manifests/latest`, `tags/list?n=10`. */
  readonly rest: string;
  /** The repository's name in the client's request, for `Link`. */
  readonly clientName: string;
  /** Fires when the client is gone: then nothing is waited for any more. */
  readonly signal: AbortSignal;
}

/** How a relayed request ended. */
export interface RelayOutcome {
  readonly status: number;
  readonly bytes: number;
  /** Whether all of the answer was handed over. */
  readonly isComplete: boolean;
}

type Agents = { readonly http: HttpAgent; readonly https: HttpsAgent };

/** What is asked, and where. */
interface Outgoing {
  readonly target: RelayTarget;
  readonly origin: RelayOrigin;
}

/** A relayed request that has no answer yet. */
interface Waiting {
  readonly answer: (upstream: IncomingMessage) => void;
  /** The request to the upstream, once it has a connection. */
  outgoing: { destroy(): unknown } | undefined;
}

const LIMITS: Required<RelayLimits> = {
  connectTimeoutMs: 10_000,
  headersTimeoutMs: 30_000,
  idleTimeoutMs: 60_000,
  maxConnections: 64,
};
const MAX_REDIRECTS = 5;

/**
 * Hands requests on to an upstream as they are. Only for repositories that a rule explicitly leaves unverified. The
 * client's credentials and cookies never reach the upstream, nor the upstream's the client.
 */
export class Relay {
  readonly #options: RelayOptions & Required<RelayLimits>;
  readonly #proxy: ProxyServer;
  readonly #waiting = new WeakMap<ServerResponse, Waiting>();
  readonly #agents = new Map<string, Agents>();

  constructor(options: RelayOptions) {
    this.#options = { ...LIMITS, ...options };
    this.#proxy = new ProxyServer({
      selfHandleResponse: true,
      followRedirects: true,
      changeOrigin: true,
      ignorePath: true,
      connectTimeout: this.#options.connectTimeoutMs,
    });
    this.#proxy.on('proxyReq', (outgoing, _request, response) => {
      const waiting = this.#waiting.get(response);
      // A connection that comes free after the time was up is of no use any more.
      if (waiting === undefined) outgoing.destroy();
      else waiting.outgoing = outgoing;
    });
    this.#proxy.on('proxyRes', (upstream, _request, response) => {
      const waiting = this.#waiting.get(response);
      if (waiting === undefined) upstream.destroy();
      else waiting.answer(upstream);
    });
    // Errors come by the callback of each request; these two have no request left to tell.
    this.#proxy.on('error', () => undefined);
    this.#proxy.on('econnreset', () => undefined);
  }

  /**
   * Relays one GET or HEAD. Nothing has been sent to the client when it throws.
   *
   * @throws {UpstreamError} `upstream_unreachable`, `upstream_denied` (the upstream wants a login Pinnace does not have)
   */
  async relay(
    request: IncomingMessage,
    response: HttpResponse,
    target: RelayTarget,
  ): Promise<RelayOutcome> {
    const { repository, signal } = target;
    const origin = this.#options.originOf(repository.registry);
    if (origin === undefined) {
      throw new UpstreamError('upstream_unreachable', 'no upstream is configured for the registry');
    }
    const lease = await this.#options.admit(repository.registry, signal);
    try {
      const upstream = await this.#asked(request, response, { target, origin, lease });
      return await this.#pass(upstream, response, { target, origin });
    } finally {
      lease.leave();
    }
  }

  /** Asks the upstream, and tells how that went. */
  async #asked(
    request: IncomingMessage,
    response: HttpResponse,
    { lease, ...outgoing }: Outgoing & { readonly lease: RelayLease },
  ): Promise<IncomingMessage> {
    try {
      const upstream = await this.#ask(request, response, outgoing);
      if ((upstream.statusCode ?? 0) >= 500) lease.failed();
      else lease.succeeded();
      return upstream;
    } catch (error) {
      const isOutage = error instanceof UpstreamError && error.code === 'upstream_unreachable';
      // A client that went away says nothing about the upstream.
      if (isOutage && !response.destroyed) lease.failed();
      throw error;
    }
  }

  /** Asks the upstream, and once more with another login when it refuses the first. */
  async #ask(
    request: IncomingMessage,
    response: HttpResponse,
    { target, origin }: Outgoing,
  ): Promise<IncomingMessage> {
    const { repository, rest, signal } = target;
    const login = (refused?: RefusedAuthorization): Promise<string | undefined> =>
      abortable(this.#options.authorization(repository, refused), signal);
    const url = new URL(`${origin.url.href.replace(/\/+$/, '')}/v2/${repository.path}/${rest}`);
    const agents = this.#agentsOf(repository.registry, origin);
    const open = (by: string | undefined): Promise<IncomingMessage> => {
      const headers = relayedRequestHeaders(request.headers, by);
      return this.#open(request, response, { url, agents, headers });
    };
    const authorization = await login();
    const first = await open(authorization);
    // A 401 from where a redirect led is not ours to answer.
    if (first.statusCode !== 401 || originOf(first) !== url.origin) return first;
    const challenges = first.headersDistinct['www-authenticate'] ?? [];
    const other = await login({ authorization, challenges });
    if (other === undefined) return first;
    first.destroy();
    return await open(other);
  }

  /** Closes the connections to the upstreams. */
  close(): void {
    for (const { http, https } of this.#agents.values()) {
      http.destroy();
      https.destroy();
    }
  }

  async #open(
    request: IncomingMessage,
    response: HttpResponse,
    outgoing: { readonly url: URL; readonly agents: Agents; readonly headers: NodeJS.Dict<string> },
  ): Promise<IncomingMessage> {
    const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
    const waiting: Waiting = { answer: resolve, outgoing: undefined };
    const fail = (cause: unknown): void => {
      reject(new UpstreamError('upstream_unreachable', 'the registry did not answer', { cause }));
    };
    const onClose = (): void => fail(new Error('the client went away'));
    const timer = this.#options.clock.after(this.#options.headersTimeoutMs, () => {
      fail(new Error(`no answer within ${this.#options.headersTimeoutMs} ms`));
      waiting.outgoing?.destroy();
    });
    const carrier = carrierOf(request, response);
    this.#waiting.set(carrier, waiting);
    response.once('close', onClose);
    try {
      this.#send(request, carrier, { ...outgoing, onError: fail });
      return await promise;
    } finally {
      timer.cancel();
      response.off('close', onClose);
      this.#waiting.delete(carrier);
    }
  }

  #send(
    request: IncomingMessage,
    response: ServerResponse,
    outgoing: {
      readonly url: URL;
      readonly agents: Agents;
      readonly headers: NodeJS.Dict<string>;
      readonly onError: (error: unknown) => void;
    },
  ): void {
    const { url, agents } = outgoing;
    const own = request.headers;
    // The proxy starts from the request's own headers; for the time of this call they are the allowed ones.
    request.headers = outgoing.headers;
    try {
      this.#proxy.web(
        request,
        response,
        {
          target: url,
          // Without an agent here the proxy would ask for the connection to be closed.
          agent: url.protocol === 'https:' ? agents.https : agents.http,
          // The client's body, if it sent one, is not the upstream's business.
          buffer: Readable.from([]),
          ssl: { agents, maxRedirects: MAX_REDIRECTS, beforeRedirect },
        },
        outgoing.onError,
      );
    } finally {
      request.headers = own;
    }
  }

  async #pass(
    upstream: IncomingMessage,
    response: HttpResponse,
    { target, origin }: Outgoing,
  ): Promise<RelayOutcome> {
    const status = upstream.statusCode ?? 0;
    const refusal = refusedStatus(status);
    if (refusal !== undefined) {
      upstream.destroy();
      throw refusal;
    }
    response.writeHead(status, relayedResponseHeaders(upstream.headers, target));
    let bytes = 0;
    upstream.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
    });
    upstream.pause();
    upstream.setTimeout(this.#options.idleTimeoutMs, () =>
      upstream.destroy(new Error('the upstream fell silent')),
    );
    try {
      await pipeline(paced(upstream, origin.minRate ?? 0, this.#options.clock), response);
      return { status, bytes, isComplete: true };
    } catch {
      // The client sees the connection cut before the announced length, which no engine takes for a whole answer.
      response.destroy();
      return { status, bytes, isComplete: false };
    }
  }

  #agentsOf(registry: RegistryHost, origin: RelayOrigin): Agents {
    const known = this.#agents.get(registry);
    if (known !== undefined) return known;
    const { httpProxy, httpsProxy, noProxy } = origin.proxy ?? {};
    const proxyEnv = { HTTP_PROXY: httpProxy, HTTPS_PROXY: httpsProxy, NO_PROXY: noProxy };
    const shared = { keepAlive: true, maxSockets: this.#options.maxConnections, proxyEnv };
    // Redirects lead to other hosts with public certificates, so the configured authorities come on top.
    const ca = origin.ca === undefined ? {} : { ca: [...getCACertificates('default'), origin.ca] };
    const agents = { http: new HttpAgent(shared), https: new HttpsAgent({ ...shared, ...ca }) };
    this.#agents.set(registry, agents);
    return agents;
  }
}

/** A body as it comes, unless it comes too slowly while it is waited for. */
async function* paced(
  body: AsyncIterable<Buffer>,
  minRate: number,
  clock: Clock,
): AsyncGenerator<Buffer> {
  const rate = new LeastRate(minRate);
  let since = clock.monotonicMs();
  for await (const chunk of body) {
    if (!rate.note(clock.monotonicMs() - since, chunk.length)) {
      throw new Error(`the upstream sends less than ${minRate} bytes a second`);
    }
    yield chunk;
    since = clock.monotonicMs();
  }
}

/** What the proxy takes for the answer: it only watches it. One by HTTP/2 is not of the class it knows. */
function carrierOf(request: IncomingMessage, response: HttpResponse): ServerResponse {
  if (response instanceof ServerResponse) return response;
  const carrier = new ServerResponse(request);
  response.once('close', () => carrier.emit('close'));
  return carrier;
}

/** The origin that gave an answer, after redirects; undefined when it cannot be told. */
function originOf(upstream: IncomingMessage): string | undefined {
  const url = 'responseUrl' in upstream ? upstream.responseUrl : undefined;
  return typeof url === 'string' && URL.canParse(url) ? new URL(url).origin : undefined;
}

/** What must not be passed on: a challenge would make engines send their credentials, a bare 3xx ends some pulls. */
function refusedStatus(status: number): UpstreamError | undefined {
  if (status === 401) {
    return new UpstreamError('upstream_denied', 'the registry wants another login', {
      detail: { status },
    });
  }
  const isRedirect = status >= 300 && status < 400 && status !== 304;
  if (status < 200 || isRedirect || status > 599) {
    return new UpstreamError('upstream_unreachable', 'the registry gave no usable answer', {
      detail: { status },
    });
  }
  return undefined;
}

/** Follows redirects, but never from TLS to plain text, and never with credentials to another host. */
function beforeRedirect(
  next: { readonly protocol?: string; readonly host?: string; headers: NodeJS.Dict<string> },
  _response: unknown,
  request: { readonly url: string },
): void {
  const from = new URL(request.url);
  if (from.protocol === 'https:' && next.protocol !== 'https:') {
    throw new Error('the registry redirects from TLS to plain text');
  }
  if (from.host !== next.host) delete next.headers['authorization'];
}
