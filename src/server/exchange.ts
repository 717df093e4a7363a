import { randomBytes } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Admitted } from '../auth/admission.ts';
import type { ReasonCode } from '../base/reason-code.ts';
import type { WaitEnd } from '../base/waiting-line.ts';
import type { LogLevel, RequestEntry } from '../observe/log.ts';
import type { RequestKind, RequestVerdict } from '../observe/metric-table.ts';
import { type Repository, repositoryName } from '../oci/names.ts';
import type { HttpResponse } from './http-response.ts';
import { type Peer, peerOf, plainAddress } from './peer.ts';
import type { ExchangeContext, ListenerProfile, RegistryContext } from './registry-context.ts';

/** How a request ended, for log and metrics. */
export interface Ending {
  readonly verdict: RequestVerdict;
  /** Bytes of the body that was sent; default 0. */
  readonly bytes?: number;
  readonly digest?: string | undefined;
  /** The reason code of a refusal, or the OCI error code of a rejected request. */
  readonly code?: string;
  /** Why, in words, for the log. */
  readonly cause?: string;
  readonly rule?: string | undefined;
  readonly staleSeconds?: number | undefined;
  readonly level?: LogLevel;
}

/** What a request asks about, once it has been parsed. */
export interface Asked {
  readonly kind: RequestKind;
  readonly repository?: Repository;
  /** The tag or digest. */
  readonly reference?: string;
}

const MAX_IGNORED_BODY = 64 * 1024;
const NOTHING_ASKED: Asked = { kind: 'other' };

/** Gives each request an id: unique across replicas and restarts, and cheap. */
export class RequestIds {
  readonly #prefix = randomBytes(5).toString('hex');
  #count = 0;

  next(): string {
    this.#count += 1;
    return `${this.#prefix}-${this.#count.toString(36)}`;
  }
}

/** What an exchange is told of itself. */
export interface ExchangeOptions<Context, Listener> {
  readonly context: Context;
  readonly listener: Listener;
  /** Names the requests of one handler. */
  readonly ids: { next(): string };
  /** Monotonic milliseconds when the request came; default: now. */
  readonly startedAtMs?: number;
  /** Who is asking, where the connection is not the client's own. */
  readonly peer?: Peer | undefined;
}

/** One request with its answer. It ends exactly once, with one log line and one count. */
export class Exchange<
  Context extends ExchangeContext = RegistryContext,
  Listener extends Pick<ListenerProfile, 'name'> = ListenerProfile,
> {
  readonly request: IncomingMessage;
  readonly response: HttpResponse;
  readonly context: Context;
  readonly listener: Listener;
  readonly #ids: { next(): string };
  #requestId: string | undefined;
  readonly #address: string | undefined;
  #peer: Peer | undefined;
  readonly #startedAt: number;
  #asked: Asked = NOTHING_ASKED;
  #abort: AbortController | undefined;
  #hasEnded = false;
  #admitted: Admitted | undefined;
  #hasPlace = false;

  constructor(
    request: IncomingMessage,
    response: HttpResponse,
    options: ExchangeOptions<Context, Listener>,
  ) {
    this.request = request;
    this.response = response;
    this.context = options.context;
    this.listener = options.listener;
    this.#ids = options.ids;
    this.#peer = options.peer;
    // Read now: once the connection is gone there is nobody left to ask.
    this.#address = options.peer?.address ?? request.socket.remoteAddress;
    this.#startedAt = options.startedAtMs ?? options.context.clock.monotonicMs();
    options.context.requests.begin();
  }

  /** The id in the log line, and of the decision if the answer is a refusal. Most requests are never named. */
  get requestId(): string {
    this.#requestId ??= this.#ids.next();
    return this.#requestId;
  }

  /** The engine's address, without the prefix of mapped IPv4. */
  get client(): string {
    return plainAddress(this.#address);
  }

  get isHead(): boolean {
    return this.request.method === 'HEAD';
  }

  /** The other end of the connection. */
  get peer(): Peer {
    this.#peer ??= peerOf(this.request.socket);
    return this.#peer;
  }

  /** Has the other end send stored content, where it can. */
  get handOver(): Peer['handOver'] {
    return this.#peer?.handOver;
  }

  get asked(): Asked {
    return this.#asked;
  }

  /** Who is asking, and what for; undefined on a listener that asks nobody. */
  get admitted(): Admitted | undefined {
    return this.#admitted;
  }

  /** Whether an answer can still be given. */
  get isOpen(): boolean {
    return !this.response.headersSent && !this.response.destroyed;
  }

  /** Whether the client went away before the answer was whole. */
  get isHungUp(): boolean {
    return this.response.destroyed && !this.response.writableFinished;
  }

  /** Aborts when the connection closes. Made on first use: most requests never wait. */
  get signal(): AbortSignal {
    if (this.#abort === undefined) {
      const abort = new AbortController();
      this.#abort = abort;
      if (this.response.destroyed) abort.abort();
      else {
        this.response.once('close', () => {
          // With the answer out nobody waits for anything any more, and making a reason for each request costs.
          if (this.isHungUp) abort.abort();
        });
      }
    }
    return this.#abort.signal;
  }

  /** Takes a place among the requests under way, until the end; false when there is none. */
  enter(): boolean {
    this.#hasPlace = this.context.places.tryEnter();
    return this.#hasPlace;
  }

  /** Waits for a place, to be held until the end. @throws the reason of `signal` */
  async waitForPlace(hasBegun: boolean): Promise<WaitEnd> {
    const end = await this.context.places.wait(hasBegun, this.signal);
    this.#hasPlace = end === 'called';
    return end;
  }

  /** Gives up the connection after the answer if a body comes with the request: it means nothing, and reading it costs. */
  leaveBody(): void {
    const { 'content-length': length, 'transfer-encoding': coding } = this.request.headers;
    if (coding !== undefined || Number(length ?? 0) > MAX_IGNORED_BODY) {
      this.response.shouldKeepAlive = false;
    }
  }

  /** Notes what the request turned out to ask. */
  ask(asked: Asked): void {
    this.#asked = asked;
  }

  /** Notes who turned out to be asking. */
  admit(admitted: Admitted): void {
    this.#admitted = admitted;
  }

  /** Ends it uncounted, because the other end goes on with it, counts it and logs it. */
  leave(): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.context.requests.end();
    if (this.#hasPlace) this.context.places.leave();
  }

  /** Counts and logs the request; only the first call does. */
  end(ending: Ending): void {
    if (this.#hasEnded) return;
    this.leave();
    const { metrics, log, clock } = this.context;
    const { kind } = this.#asked;
    const durationMs = clock.monotonicMs() - this.#startedAt;
    metrics.countRequest(kind, ending.verdict);
    metrics.observeRequest(kind, durationMs / 1000);
    if (ending.staleSeconds !== undefined) metrics.count('pinnace_stale_answers_total', {});
    if (log.writesRequest(ending)) log.request(this.#entry(ending, durationMs));
  }

  /** Counts a refusal by its reason. */
  countRefusal(reason: ReasonCode, rule: string | undefined): void {
    this.context.metrics.countRefusal(reason, rule);
  }

  #entry(ending: Ending, durationMs: number): RequestEntry {
    const { kind, repository, reference } = this.#asked;
    return {
      requestId: this.requestId,
      listener: this.listener.name,
      method: this.request.method ?? '',
      kind,
      verdict: ending.verdict,
      status: this.response.statusCode,
      code: ending.code,
      cause: ending.cause,
      repository: repository === undefined ? undefined : repositoryName(repository),
      reference,
      digest: ending.digest,
      durationMs,
      bytes: ending.bytes ?? 0,
      client: this.client,
      userAgent: this.request.headers['user-agent'],
      rule: ending.rule,
      caller: callerText(this.#admitted),
      staleSeconds: ending.staleSeconds,
      ...(ending.level === undefined ? {} : { level: ending.level }),
    };
  }
}

function callerText(admitted: Admitted | undefined): string | undefined {
  return admitted === undefined ? undefined : `${admitted.caller.source}/${admitted.caller.name}`;
}
