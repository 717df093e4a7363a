import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { Tally } from '../observe/metrics.ts';
import { OciError } from '../oci/errors.ts';
import { AcceptMatcher } from '../server/accept.ts';
import { ConnectionDoor } from '../server/connection-door.ts';
import type { ConnectionPlaces } from '../server/connection-places.ts';
import { Exchange, type ExchangeOptions, RequestIds } from '../server/exchange.ts';
import { hostEvents } from '../server/host-events.ts';
import { HttpHost } from '../server/http-host.ts';
import type { HttpResponse } from '../server/http-response.ts';
import { sendManifest } from '../server/manifest-answer.ts';
import type { ExchangeContext } from '../server/registry-context.ts';
import { addressOf } from '../server/request-authority.ts';
import type { FileAnswers } from './file-answers.ts';
import type { InnerRelay } from './inner-relay.ts';
import type { KeptAnswer, KeptAnswers } from './kept-answers.ts';
import type { KeptFiles, SeenFile } from './kept-files.ts';
import type { FrontLimits, FrontListenerSettings } from './messages.ts';
import type { Passed } from './passed-request.ts';
import type { WatchedClients } from './watched-clients.ts';

/** What all listeners of a front share. */
export interface FrontListenerOptions {
  readonly context: ExchangeContext;
  readonly relay: InnerRelay;
  readonly kept: KeptAnswers;
  readonly watched: WatchedClients;
  readonly keptFiles: KeptFiles;
  readonly files: FileAnswers;
  /** Count answers and stored blobs that were at hand. */
  readonly hits: { readonly answers: Tally; readonly blobs: Tally };
  /** The connections that the front takes, whatever the listener. */
  readonly connections: ConnectionPlaces;
  readonly limits: FrontLimits;
}

type FrontExchangeOptions = ExchangeOptions<ExchangeContext, { readonly name: string }>;

/** One listener in one front: what is kept is answered here, everything else by the core. */
export class FrontListener {
  readonly #options: FrontListenerOptions;
  readonly #host: HttpHost;
  readonly #accept = new AcceptMatcher();
  readonly #exchange: FrontExchangeOptions;
  #settings: FrontListenerSettings;

  constructor(settings: FrontListenerSettings, options: FrontListenerOptions) {
    const { context, connections: places } = options;
    const { idleTimeoutMs, minRate } = options.limits;
    const { clock } = context;
    const { name, tls } = settings;
    this.#settings = settings;
    this.#options = options;
    this.#exchange = { context, listener: { name }, ids: new RequestIds() };
    this.#host = new HttpHost({
      clock,
      ...(tls === undefined ? {} : { tls, http2: true }),
      limits: { idleTimeoutMs, minRate },
      door: new ConnectionDoor({ places, clock, waits: () => this.#settings.waits }),
      onRequest: (request, response, isSurplus) => this.#handle(request, response, isSurplus),
      ...hostEvents(name, context),
    });
  }

  /** Makes ready to take connections. @throws {Error} of `node:net` */
  async start(socketPath: string): Promise<void> {
    await this.#host.startAt(socketPath);
  }

  /** Serves a connection. */
  take(socket: Socket): void {
    this.#host.take(socket);
  }

  /** Works by other settings from the next request on. */
  configure(settings: FrontListenerSettings): void {
    this.#settings = settings;
    // The core has seen that it can be used.
    if (settings.tls !== undefined) this.#host.prepareIdentity(settings.tls)();
  }

  /** Stops as `HttpHost.stop` does. */
  async stop(options: { readonly drainMs: number }): Promise<void> {
    await this.#host.stop(options);
  }

  #handle(request: IncomingMessage, response: HttpResponse, isSurplus: boolean): void {
    try {
      this.#answer(request, response, isSurplus);
    } catch (error) {
      // Nothing is left to be said on this connection; the others must not suffer.
      this.#options.context.log.failure('request.failed', error);
      response.destroy();
    }
  }

  #answer(request: IncomingMessage, response: HttpResponse, isSurplus: boolean): void {
    // What a connection is told that is one too many is for the core to say.
    const key = isSurplus ? undefined : this.#keyOf(request);
    const kept = key === undefined ? undefined : this.#options.kept.find(key);
    if (kept !== undefined && this.#isFor(request, kept)) {
      this.#give(request, response, kept);
      return;
    }
    const passed = { listener: this.#settings.name, request, response, isSurplus, key };
    const file = key === undefined ? undefined : this.#options.keptFiles.find(key, request);
    if (key === undefined || file === undefined) this.#options.relay.pass(passed);
    else void this.#giveFile({ ...passed, key }, file);
  }

  async #giveFile(passed: Passed & { readonly key: string }, seen: SeenFile): Promise<void> {
    const { files, keptFiles, relay, context, hits } = this.#options;
    const startedAtMs = context.clock.monotonicMs();
    const requestId = this.#exchange.ids.next();
    try {
      const content = { ...seen.content, requestId };
      if (await files.give(passed, { ...seen, content, startedAtMs })) {
        hits.blobs.total += 1;
        return;
      }
      // Evicted or exchanged since: the core has another look.
      keptFiles.drop(passed.key);
      relay.pass(passed);
    } catch (error) {
      context.log.failure('request.failed', error);
      passed.response.destroy();
    }
  }

  /** What a question is kept by, if its answer may be: the same on this listener always means the same. */
  #keyOf(request: IncomingMessage): string | undefined {
    const { name, mayKeep, hasHosts } = this.#settings;
    const { method, url = '', headers } = request;
    if (!mayKeep || (method !== 'GET' && method !== 'HEAD')) return undefined;
    // What else a body means is for the core to say.
    if (headers['content-length'] !== undefined || headers['transfer-encoding'] !== undefined) {
      return undefined;
    }
    if (!hasHosts) return `${name} ${url}`;
    const host = hostOf(request);
    return host === undefined ? undefined : `${name} ${host} ${url}`;
  }

  #isFor(request: IncomingMessage, { mediaType, prepared }: KeptAnswer): boolean {
    if (prepared.body === undefined && request.method !== 'HEAD') return false;
    if (this.#options.watched.has(request.socket.remoteAddress)) return false;
    return this.#accept.accepts(request.headers.accept, mediaType);
  }

  #give(request: IncomingMessage, response: HttpResponse, kept: KeptAnswer): void {
    this.#options.hits.answers.total += 1;
    const exchange = new Exchange(request, response, this.#exchange);
    exchange.ask(kept.asked);
    sendManifest(exchange, kept.prepared, kept);
  }
}

/** The one host that a request says it is for. */
function hostOf(request: IncomingMessage): string | undefined {
  try {
    return addressOf(request).authority;
  } catch (error) {
    if (error instanceof OciError) return undefined;
    throw error;
  }
}
