import {
  createServer,
  type IncomingMessage,
  type Server,
  type ServerOptions,
  type ServerResponse,
} from 'node:http';
import { createServer as createTlsServer, Server as TlsServer } from 'node:https';
import type { AddressInfo, ListenOptions, Socket } from 'node:net';
import { createSecureContext, type SecureContextOptions, type TLSSocket } from 'node:tls';
import type { Clock } from '../base/clock.ts';
import { ClientPace, type Taker, type Took } from './client-pace.ts';
import type { ConnectionDoor } from './connection-door.ts';
import { DEFAULT_LIMITS, type HttpLimits } from './http-limits.ts';
import type { HttpResponse } from './http-response.ts';
import { Http2Sessions } from './http2-sessions.ts';
import { IdleConnections } from './idle-connections.ts';
import { writeRawAnswer } from './raw-answer.ts';
import { SocketTaker } from './takers.ts';

/** Certificate and key of a TLS listener, in PEM. */
export interface TlsIdentity {
  readonly cert: string | Buffer;
  readonly key: string | Buffer;
  /**
   * CA certificates in PEM: clients are asked for a certificate that chains to them. One that does not, or none, is no
   * reason to break off: what that means is for the one who answers to say, in words that an engine shows.
   */
  readonly clientCa?: string;
}

/** Options of an `HttpHost`. */
export interface HttpHostOptions {
  /** Default: this machine alone. */
  readonly host?: string;
  /** Default 0: takes any free port. */
  readonly port?: number;
  readonly tls?: TlsIdentity;
  readonly limits?: Partial<HttpLimits>;
  readonly clock: Clock;
  /** Answers one request; must not throw. A connection that is surplus is to be told so, and given up. */
  readonly onRequest: (
    request: IncomingMessage,
    response: HttpResponse,
    isSurplus: boolean,
  ) => void;
  /** Decides which connections are let in; without it, `limits.maxConnections` are. */
  readonly door?: ConnectionDoor;
  /** Told of connections that the system could not hand over, by its error code. */
  readonly onAcceptError?: (code: string) => void;
  /** Told of a client that was cut off because it took too little of its answer. */
  readonly onSlowClient?: (client: string | undefined, took: Took) => void;
  /** Whether clients may choose HTTP/2 when the connection is made; needs `tls`. Default false. */
  readonly http2?: boolean;
  /** Whether requests by HTTP/1.1 have to say a host; default true. */
  readonly requireHost?: boolean;
  /** Told of bytes that were not an HTTP request, by Node's error code. */
  readonly onBadRequest?: (code: string, client: string | undefined) => void;
}

/** Connections that may wait to be accepted, if the system allows as many: by a local socket one more is an error at once. */
const LOCAL_BACKLOG = 4096;
/** How long a connection is silent before its other end is probed. */
const KEEP_ALIVE_PROBE_MS = 30_000;

/** One bound HTTP or HTTPS socket with its limits, and an orderly end. */
export class HttpHost {
  readonly #options: HttpHostOptions;
  readonly #limits: HttpLimits;
  readonly #server: Server;
  /** The last answer on each connection, to know whether one is half sent. */
  readonly #answers = new Map<Socket, { last: ServerResponse }>();
  #clientCa: string | undefined;
  /** How often the client CA has changed, in all and before a connection was made. */
  #caChanges = 0;
  readonly #madeAt = new WeakMap<Socket, number>();
  readonly #http2: Http2Sessions | undefined;
  /** Connections that somebody else accepted; the server does not count them. */
  readonly #taken = new Set<Socket>();
  #lastLeft: (() => void) | undefined;
  readonly #takers = new Set<SocketTaker>();
  readonly #pace: ClientPace;
  readonly #idle: IdleConnections;
  #isDraining = false;
  #stopped: Promise<void> | undefined;

  constructor(options: HttpHostOptions) {
    this.#options = options;
    this.#limits = { ...DEFAULT_LIMITS, ...options.limits };
    const serverOptions: ServerOptions = {
      maxHeaderSize: this.#limits.maxHeaderBytes,
      headersTimeout: this.#limits.headersTimeoutMs,
      requestTimeout: this.#limits.requestTimeoutMs,
      // `IdleConnections` sees to those.
      keepAliveTimeout: 0,
      connectionsCheckingInterval: Math.min(5_000, this.#limits.headersTimeoutMs),
      noDelay: true,
      requireHostHeader: options.requireHost ?? true,
      // A peer that has gone without a word is noticed within a minute or two.
      keepAlive: true,
      keepAliveInitialDelay: KEEP_ALIVE_PROBE_MS,
    };
    this.#server =
      options.tls === undefined
        ? createServer(serverOptions)
        : createTlsServer({
            ...serverOptions,
            ...contextOf(options.tls),
            requestCert: options.tls.clientCa !== undefined,
            handshakeTimeout: this.#limits.headersTimeoutMs,
            ALPNProtocols: options.http2 === true ? ['h2', 'http/1.1'] : ['http/1.1'],
            rejectUnauthorized: false,
          });
    this.#clientCa = options.tls?.clientCa;
    if (options.http2 === true && options.tls !== undefined) this.#http2 = this.#offerHttp2();
    this.#server.on('secureConnection', (socket: Socket) => {
      if (this.#caChanges > 0) this.#madeAt.set(socket, this.#caChanges);
    });
    if (options.door === undefined) this.#server.maxConnections = this.#limits.maxConnections;
    else this.#guard(options.door);
    this.#pace = new ClientPace(
      options.clock,
      { minRate: this.#limits.minRate, overMs: this.#limits.idleTimeoutMs },
      () => this.#everybody(),
    );
    this.#idle = new IdleConnections(
      options.clock,
      this.#limits,
      (socket) => this.#answers.get(socket)?.last.writableFinished === true,
    );
    this.#listen();
  }

  /** Whether new requests are taken. */
  get isAccepting(): boolean {
    return this.#server.listening && !this.#isDraining;
  }

  /** Binds the socket. @throws {Error} of `node:net`, for example with code `EADDRINUSE` */
  async start(): Promise<AddressInfo> {
    const { host = '127.0.0.1', port = 0 } = this.#options;
    await this.#bind({ host, port });
    return this.address();
  }

  /** Binds a socket in the file system instead. @throws {Error} of `node:net` */
  async startAt(path: string): Promise<void> {
    await this.#bind({ path, backlog: LOCAL_BACKLOG });
  }

  /** Serves a connection that was accepted elsewhere as if it had come by the bound socket. */
  take(socket: Socket): void {
    const isFull =
      this.#options.door === undefined && this.#taken.size >= this.#limits.maxConnections;
    if (this.#isDraining || isFull) {
      socket.destroy();
      return;
    }
    this.#taken.add(socket);
    socket.once('close', () => {
      this.#taken.delete(socket);
      if (this.#taken.size === 0) this.#lastLeft?.();
    });
    socket.setNoDelay(true);
    this.#server.emit('connection', socket);
  }

  /** The address that is bound. @throws {Error} when there is none */
  address(): AddressInfo {
    const address = this.#server.address();
    if (address === null || typeof address === 'string')
      throw new Error('the listener is not bound');
    return address;
  }

  /**
   * Makes ready to show another certificate.
   *
   * @returns what has it shown from the next handshake on; it does not fail
   * @throws {Error} of `node:tls` for a certificate or key that cannot be used
   */
  prepareIdentity(identity: TlsIdentity): () => void {
    const server = this.#server;
    if (!(server instanceof TlsServer)) throw new Error('the listener does not speak TLS');
    requireUsableIdentity(identity);
    const options = contextOf(identity);
    return () => {
      server.setSecureContext(options);
      // A client that the new CA does not know must not go on for as long as it keeps its connection.
      if (identity.clientCa === this.#clientCa) return;
      this.#clientCa = identity.clientCa;
      this.#caChanges += 1;
      server.closeIdleConnections();
      this.#http2?.close((socket) => this.#isOutdated(socket));
    };
  }

  #isOutdated(socket: Socket): boolean {
    return this.#caChanges > 0 && (this.#madeAt.get(socket) ?? 0) < this.#caChanges;
  }

  /** Stops accepting, lets requests in flight finish for at most `drainMs` milliseconds, then cuts what is left. */
  stop(options: { readonly drainMs: number }): Promise<void> {
    this.#stopped ??= this.#drain(options.drainMs);
    return this.#stopped;
  }

  async #drain(drainMs: number): Promise<void> {
    this.#isDraining = true;
    if (!this.#server.listening) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#server.close(() => resolve());
    this.#options.door?.stop();
    for (const { last } of this.#answers.values()) {
      // Most are out already, and `close` has ended their connections.
      last.once('finish', () => this.#server.closeIdleConnections());
    }
    this.#http2?.close();
    const deadline = this.#options.clock.after(drainMs, () => {
      this.#server.closeAllConnections();
      this.#http2?.destroy();
    });
    await promise;
    if (this.#taken.size > 0) await this.#untilLastLeft();
    deadline.cancel();
    this.#pace.stop();
    this.#idle.stop();
    // Sockets say that they are closed at the end of the next turn: requests that were cut must hear of it before what
    // they wait for is taken away too.
    for (let turn = 0; turn < 2; turn += 1) await new Promise((resolve) => setImmediate(resolve));
  }

  async #bind(place: ListenOptions): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#server.once('error', reject);
    this.#server.listen(place, resolve);
    await promise;
    this.#server.off('error', reject);
    // Without it the first connection for which there is no descriptor would end the process.
    this.#server.on('error', (error: Error & { code?: string }) => {
      this.#options.onAcceptError?.(error.code ?? 'unknown');
    });
    this.#pace.start();
    this.#idle.start();
  }

  async #untilLastLeft(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#lastLeft = resolve;
    await promise;
  }

  /** Connections on which the client chose HTTP/2 are led past the reader of HTTP/1.1, which gets all others. */
  #offerHttp2(): Http2Sessions {
    const { clock, onBadRequest } = this.#options;
    const sessions = new Http2Sessions({
      ...{ limits: this.#limits, clock },
      onRequest: (request, response) => this.#hand(request, response),
      onSlowClient: (client, took) => this.#options.onSlowClient?.(client, took),
      onBadSession: (code, client) => onBadRequest?.(code, client),
    });
    const readers = this.#server.listeners('secureConnection');
    this.#server.removeAllListeners('secureConnection');
    this.#server.on('secureConnection', (socket: TLSSocket) => {
      if (socket.alpnProtocol === 'h2') sessions.take(socket);
      else for (const reader of readers) reader.call(this.#server, socket);
    });
    return sessions;
  }

  /** The door stands before the readers of HTTP and TLS. */
  #guard(door: ConnectionDoor): void {
    const readers = this.#server.listeners('connection');
    this.#server.removeAllListeners('connection');
    this.#server.on('connection', (socket: Socket) => {
      door.meet(socket, () => {
        for (const reader of readers) reader.call(this.#server, socket);
      });
    });
  }

  #hand(request: IncomingMessage, response: HttpResponse): void {
    const isSurplus = this.#options.door?.isSurplus(request.socket) ?? false;
    this.#options.onRequest(request, response, isSurplus);
  }

  *#everybody(): Iterable<Taker> {
    yield* this.#takers;
    if (this.#http2 !== undefined) yield* this.#http2.takers();
  }

  #watch(socket: Socket): void {
    const taker = new SocketTaker(socket, (took) => {
      this.#options.onSlowClient?.(socket.remoteAddress, took);
    });
    this.#takers.add(taker);
    socket.once('close', () => this.#takers.delete(taker));
    // Connections by HTTP/2 have limits of their own.
    if (!('alpnProtocol' in socket) || socket.alpnProtocol !== 'h2') this.#idle.watch(socket);
  }

  #listen(): void {
    const isTls = this.#server instanceof TlsServer;
    this.#server.on(isTls ? 'secureConnection' : 'connection', (socket) => this.#watch(socket));
    const answer = (request: IncomingMessage, response: ServerResponse): void => {
      const { socket } = request;
      if (this.#isDraining || this.#isOutdated(socket)) response.setHeader('Connection', 'close');
      const known = this.#answers.get(socket);
      if (known === undefined) this.#remember(socket, response);
      else known.last = response;
      this.#hand(request, response);
    };
    this.#server.on('request', answer);
    // Without these two an engine that pushes would send its whole upload before it hears that it must not.
    this.#server.on('checkContinue', answer);
    this.#server.on('checkExpectation', answer);
    this.#server.on('connect', (_request, socket: Socket) => {
      writeRawAnswer(socket, 405, { code: 'UNSUPPORTED', message: 'CONNECT is not supported' });
    });
    // Node would have it answered as a bad request, but words that wait for a handshake keep the connection for ever.
    this.#server.removeAllListeners('tlsClientError');
    this.#server.on('tlsClientError', (error: Error & { code?: string }, socket: TLSSocket) => {
      this.#options.onBadRequest?.(error.code ?? 'unknown', socket.remoteAddress);
      socket.destroy();
    });
    this.#server.on('clientError', (error: Error & { code?: string }, socket: Socket) => {
      this.#options.onBadRequest?.(error.code ?? 'unknown', socket.remoteAddress);
      const answer = this.#answers.get(socket)?.last;
      // Words in the middle of another answer would be taken for its content.
      if (answer?.headersSent === true && !answer.writableFinished) {
        socket.destroy();
        return;
      }
      const status = STATUS_OF_PARSE_ERROR.get(error.code ?? '') ?? 400;
      writeRawAnswer(socket, status, {
        code: 'UNSUPPORTED',
        message: 'not a request this server can read',
      });
    });
  }

  #remember(socket: Socket, answer: ServerResponse): void {
    this.#answers.set(socket, { last: answer });
    socket.once('close', () => this.#answers.delete(socket));
  }
}

/** @throws {Error} of `node:tls` for a certificate or key that cannot be used */
export function requireUsableIdentity(identity: TlsIdentity): void {
  createSecureContext(contextOf(identity));
}

function contextOf({ cert, key, clientCa }: TlsIdentity): SecureContextOptions {
  return { cert, key, minVersion: 'TLSv1.2', ...(clientCa === undefined ? {} : { ca: clientCa }) };
}

const STATUS_OF_PARSE_ERROR: ReadonlyMap<string, number> = new Map([
  ['HPE_HEADER_OVERFLOW', 431],
  ['HPE_CHUNK_EXTENSIONS_OVERFLOW', 413],
  ['ERR_HTTP_REQUEST_TIMEOUT', 408],
]);
