import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import {
  constants,
  createServer,
  type Http2Server,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2';
import type { Socket } from 'node:net';
import type { Clock, Timer } from '../base/clock.ts';
import type { Taker, Took } from './client-pace.ts';
import type { HttpLimits } from './http-limits.ts';
import type { HttpResponse } from './http-response.ts';
import { StreamRequest } from './stream-request.ts';
import { StreamResponse } from './stream-response.ts';
import { StreamTaker } from './takers.ts';

/** What HTTP/2 connections are taken with. */
export interface Http2Options {
  readonly limits: HttpLimits;
  readonly clock: Clock;
  readonly onRequest: (request: IncomingMessage, response: HttpResponse) => void;
  /** Told of what breaks the protocol, by Node's error code. */
  readonly onBadSession: (code: string, client: string | undefined) => void;
  /** Told of a stream that was cut off because its client took too little of it. */
  readonly onSlowClient: (client: string | undefined, took: Took) => void;
}

/** Requests that one connection may have under way. */
const MAX_STREAMS = 128;
/** Requests that one connection may take back in a burst, and then in a second, before it is ended (rapid reset). */
const RESET_BURST = 200;
const RESET_RATE = 20;
/** Milliseconds that a closing connection has before it is cut. */
const CLOSING_MS = 5_000;

interface Session {
  readonly session: ServerHttp2Session;
  readonly socket: Socket;
  streams: number;
  idle: Timer | undefined;
}

/** The HTTP/2 connections of one listener. */
export class Http2Sessions {
  readonly #options: Http2Options;
  readonly #server: Http2Server;
  readonly #sessions = new Map<object, Session>();
  readonly #takers = new Set<Taker>();
  #taken: Socket | undefined;

  constructor(options: Http2Options) {
    this.#options = options;
    const { maxHeaderBytes } = options.limits;
    this.#server = createServer({
      settings: { maxConcurrentStreams: MAX_STREAMS, maxHeaderListSize: maxHeaderBytes },
      maxHeaderListPairs: 128,
      maxSessionRejectedStreams: MAX_STREAMS,
      streamResetBurst: RESET_BURST,
      streamResetRate: RESET_RATE,
    });
    this.#server.on('session', (session: ServerHttp2Session) => this.#begin(session));
    this.#server.on('stream', (stream, headers, flags, rawHeaders) => {
      this.#answer(stream, { headers, flags, rawHeaders });
    });
  }

  /** Takes over a connection on which the client chose HTTP/2. */
  take(socket: Socket): void {
    // The session that begins within this call knows only a stand-in of the socket.
    this.#taken = socket;
    this.#server.emit('connection', socket);
    this.#taken = undefined;
  }

  /** Who is being sent an answer. */
  takers(): Iterable<Taker> {
    return this.#takers;
  }

  /** Has the connections end when their requests have; those that `isMeant` is not true of go on. */
  close(isMeant: (socket: Socket) => boolean = () => true): void {
    for (const { session, socket, streams } of this.#sessions.values()) {
      if (!isMeant(socket)) continue;
      session.close();
      if (streams === 0) this.#cutSoon(session);
    }
  }

  /** Cuts all connections. */
  destroy(): void {
    for (const { session } of this.#sessions.values()) cut(session);
  }

  #begin(session: ServerHttp2Session): void {
    const { idleTimeoutMs } = this.#options.limits;
    const socket = this.#taken ?? session.socket;
    const own: Session = { session, socket, streams: 0, idle: undefined };
    this.#sessions.set(session, own);
    const client = socket.remoteAddress;
    session.setTimeout(idleTimeoutMs, () => cut(session));
    session.on('error', (error: Error & { code?: string }) => {
      this.#options.onBadSession(error.code ?? 'unknown', client);
    });
    session.on('close', () => {
      own.idle?.cancel();
      this.#sessions.delete(session);
    });
    this.#endWhenIdle(own);
  }

  #answer(
    stream: ServerHttp2Stream,
    head: {
      readonly headers: IncomingHttpHeaders;
      readonly flags: number;
      readonly rawHeaders: readonly string[];
    },
  ): void {
    const { session } = stream;
    const own =
      session === undefined ? undefined : this.#sessions.get(session as ServerHttp2Session);
    if (session === undefined || own === undefined) {
      stream.close(constants.NGHTTP2_REFUSED_STREAM);
      return;
    }
    const refused = this.#refusalOf(head);
    if (refused !== undefined) {
      stream.respond({ ':status': refused }, { endStream: true });
      return;
    }
    own.streams += 1;
    own.idle?.cancel();
    const hasBody = (head.flags & constants.NGHTTP2_FLAG_END_STREAM) === 0;
    const request = new StreamRequest(stream, own.socket, { ...head, hasBody });
    const response = new StreamResponse(stream);
    const client = own.socket.remoteAddress;
    const taker = new StreamTaker(response, (took) => this.#options.onSlowClient(client, took));
    this.#takers.add(taker);
    const late = hasBody ? this.#limitBody(stream) : undefined;
    stream.once('close', () => {
      late?.cancel();
      this.#takers.delete(taker);
      own.streams -= 1;
      if (own.streams === 0) this.#endWhenIdle(own);
    });
    this.#options.onRequest(request, response);
  }

  /** The status for what is refused without a look at it: tunnels, and headers beyond the limit of HTTP/1.1. */
  #refusalOf(head: {
    readonly headers: IncomingHttpHeaders;
    readonly rawHeaders: readonly string[];
  }): number | undefined {
    if (head.headers[':method'] === 'CONNECT') return 405;
    const bytes = head.rawHeaders.reduce((sum, each) => sum + each.length, 0);
    return bytes > this.#options.limits.maxHeaderBytes ? 431 : undefined;
  }

  /** A body that does not end keeps the stream open, answered or not. */
  #limitBody(stream: ServerHttp2Stream): Timer {
    const { clock, limits } = this.#options;
    return clock.after(limits.requestTimeoutMs, () => {
      // Answered, it closes by itself when the answer is out.
      if (!stream.headersSent) stream.close(constants.NGHTTP2_CANCEL);
    });
  }

  /** A connection without requests, or with one whose headers do not end, is given up. */
  #endWhenIdle(own: Session): void {
    const { clock, limits } = this.#options;
    const { session } = own;
    own.idle = clock.after(limits.keepAliveTimeoutMs, () => {
      session.close();
      this.#cutSoon(session);
    });
  }

  #cutSoon(session: ServerHttp2Session): void {
    const timer = this.#options.clock.after(CLOSING_MS, () => cut(session));
    session.once('close', () => timer.cancel());
  }
}

/** What is under way on it must not look whole. */
function cut(session: ServerHttp2Session): void {
  session.destroy(undefined, constants.NGHTTP2_INTERNAL_ERROR);
}
