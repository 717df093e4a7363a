import type { IncomingMessage } from 'node:http';
import { CodedError } from '../base/coded-error.ts';
import { OciError } from '../oci/errors.ts';
import type { Repository } from '../oci/names.ts';
import type { Route } from '../oci/route.ts';
import { refusalOfError } from '../refusal/refusal-of-error.ts';
import { handleBlob } from './blob-handler.ts';
import { handleCatalog } from './catalog-handler.ts';
import { Crowd } from './crowd.ts';
import { Doorkeeper, refuseForbidden } from './doorkeeper.ts';
import { Exchange, type ExchangeOptions, RequestIds } from './exchange.ts';
import type { HttpResponse } from './http-response.ts';
import { ListenerRoutes } from './listener-routes.ts';
import type { LocatedRoute } from './located-routes.ts';
import { ManifestHandler } from './manifest-handler.ts';
import { API_VERSION_HEADERS, answerOfError, type OciAnswer, sendOciAnswer } from './oci-answer.ts';
import type { Peer } from './peer.ts';
import { handleReferrers } from './referrers-handler.ts';
import { answerRefusal } from './refusal-answer.ts';
import type { ListenerProfile, RegistryContext } from './registry-context.ts';
import { handleUnverified } from './relay-handler.ts';
import { handleTags } from './tags-handler.ts';
import { handleTrust } from './trust-handler.ts';

/** A route that names a repository. */
type NamedRoute = Extract<Route, { readonly name: string }>;

const PING_BODY = '{}';
const PING_HEADERS: string[] = [
  ...API_VERSION_HEADERS,
  'Content-Type',
  'application/json',
  'Content-Length',
  String(PING_BODY.length),
];

/** Answers every request of one registry listener: parse, locate, ask the pull service, answer. */
export class RegistryHandler {
  readonly #context: RegistryContext;
  readonly #options: ExchangeOptions<RegistryContext, ListenerProfile>;
  readonly #routes: ListenerRoutes;
  readonly #manifests = new ManifestHandler();
  readonly #crowd: Crowd;
  /** Absent on a listener that asks nobody who is calling. */
  readonly #doorkeeper: Doorkeeper | undefined;

  constructor(context: RegistryContext, listener: ListenerProfile) {
    this.#context = context;
    this.#options = { context, listener, ids: new RequestIds() };
    this.#routes = new ListenerRoutes(listener, context.upstreams);
    this.#crowd = new Crowd({
      clock: context.clock,
      locate: (exchange) => this.#locate(exchange),
      proceed: (exchange) => this.#meet(exchange),
    });
    const { gate } = listener;
    if (gate === undefined) return;
    this.#doorkeeper = new Doorkeeper({
      gate,
      locate: (exchange) => this.#locate(exchange),
      locateName: ({ request }, name) => this.#routes.locateName(request, name),
      proceed: (exchange) => this.#dispatch(exchange),
      ping: (exchange) => this.#ping(exchange),
    });
  }

  /**
   * Answers one request; whatever goes wrong becomes an answer or a closed connection, never an exception.
   *
   * @param peer - who is asking, where the connection is not the client's own
   */
  handle(request: IncomingMessage, response: HttpResponse, peer?: Peer): void {
    const exchange = this.#exchange(request, response, peer);
    try {
      const waiting = exchange.enter() ? this.#meet(exchange) : this.#crowd.meet(exchange);
      waiting?.catch((error: unknown) => this.#fail(exchange, error));
    } catch (error) {
      this.#fail(exchange, error);
    }
  }

  /** Answers one request as `handle` does, but only to say that its connection is one too many. */
  dismiss(request: IncomingMessage, response: HttpResponse, peer?: Peer): void {
    const exchange = this.#exchange(request, response, peer);
    try {
      this.#crowd.dismiss(exchange)?.catch((error: unknown) => this.#fail(exchange, error));
    } catch (error) {
      this.#fail(exchange, error);
    }
  }

  #exchange(request: IncomingMessage, response: HttpResponse, peer: Peer | undefined): Exchange {
    const options = peer === undefined ? this.#options : { ...this.#options, peer };
    return new Exchange(request, response, options);
  }

  #meet(exchange: Exchange): Promise<void> | undefined {
    return this.#doorkeeper === undefined
      ? this.#dispatch(exchange)
      : this.#doorkeeper.meet(exchange);
  }

  #dispatch(exchange: Exchange): Promise<void> | undefined {
    const located = this.#locate(exchange);
    exchange.ask(located.asked);
    const { route, repository } = located;
    if (repository !== undefined && 'name' in route) {
      // Before anything is answered, at hand or not: content of others must not be had by its digest either.
      if (refuseForbidden(exchange, located, repository)) return undefined;
      return this.#dispatchNamed(exchange, located, { route, repository });
    }
    if (route.kind === 'catalog') return handleCatalog(exchange, route, located);
    this.#ping(exchange);
    return undefined;
  }

  #dispatchNamed(
    exchange: Exchange,
    { tag }: LocatedRoute,
    { route, repository }: { readonly route: NamedRoute; readonly repository: Repository },
  ): Promise<void> | undefined {
    if (route.kind === 'trust-metadata') return handleTrust(exchange, repository, route);
    if (this.#context.pulls.treatment(repository, tag) === 'unverified') {
      return handleUnverified(exchange, repository, route);
    }
    switch (route.kind) {
      case 'manifest':
        return route.reference.kind === 'tag'
          ? this.#manifests.byTag(exchange, repository, route.reference.tag)
          : this.#manifests.byDigest(exchange, repository, route.reference.digest);
      case 'blob':
        return handleBlob(exchange, repository, route.digest);
      case 'tags':
        return handleTags(exchange, repository, route);
      case 'referrers':
        return handleReferrers(exchange, repository, route);
    }
  }

  #locate(exchange: Exchange): LocatedRoute {
    const { request } = exchange;
    const located = this.#routes.known(request) ?? this.#routes.parse(request);
    exchange.leaveBody();
    return located;
  }

  #ping(exchange: Exchange): void {
    exchange.response.writeHead(200, PING_HEADERS);
    exchange.response.end(exchange.isHead ? undefined : PING_BODY);
    exchange.end({ verdict: 'answered', bytes: exchange.isHead ? 0 : PING_BODY.length });
  }

  #answer(exchange: Exchange, answer: OciAnswer, verdict: 'answered' | 'rejected'): void {
    const bytes = sendOciAnswer(exchange, answer);
    exchange.end({ verdict, code: answer.code, bytes });
  }

  #fail(exchange: Exchange, error: unknown): void {
    try {
      this.#answerFailure(exchange, error);
    } catch (failure) {
      // Nothing is left to be said on this connection; the next one must not suffer.
      exchange.response.destroy();
      this.#context.log.failure('request.failed', failure, { requestId: exchange.requestId });
      exchange.end({ verdict: 'failed', code: 'internal' });
    }
  }

  #answerFailure(exchange: Exchange, error: unknown): void {
    if (error instanceof OciError && exchange.isOpen) {
      this.#reject(exchange, error);
      return;
    }
    if (exchange.isHungUp) {
      exchange.end({ verdict: 'cut', cause: 'the client went away' });
      return;
    }
    if (!(error instanceof CodedError)) {
      this.#context.log.failure('request.failed', error, { requestId: exchange.requestId });
    }
    if (!exchange.isOpen) {
      exchange.response.destroy();
      exchange.end({ verdict: 'failed', code: 'internal' });
      return;
    }
    this.#answerInternal(exchange, error);
  }

  #reject(exchange: Exchange, error: OciError): void {
    const answer = answerOfError(error);
    if (error.code === 'UNSUPPORTED') exchange.countRefusal('push_not_supported', undefined);
    this.#answer(exchange, answer, 'rejected');
  }

  #answerInternal(exchange: Exchange, error: unknown): void {
    const { repository, reference } = exchange.asked;
    for (const name of exchange.response.getHeaderNames()) exchange.response.removeHeader(name);
    if (repository !== undefined) {
      answerRefusal(exchange, { repository, reference: reference ?? '' }, refusalOfError(error));
      return;
    }
    const bytes = sendOciAnswer(exchange, {
      status: 500,
      code: 'UNKNOWN',
      message: `Pinnace failed for a reason of its own (reason internal, decision ${exchange.requestId})`,
      detail: { code: 'internal', decision: exchange.requestId },
    });
    exchange.countRefusal('internal', undefined);
    exchange.end({ verdict: 'failed', code: 'internal', bytes });
  }
}
