import {
  createServer,
  type IncomingMessage,
  type Server,
  type ServerOptions,
  type ServerResponse,
} from 'node:http';
import { createServer as createTlsServer, Server as TlsServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { createSecureContext, type SecureContextOptions } from 'node:tls';
import type { Clock } from '../base/clock.ts';
import { writeRawAnswer } from './raw-answer.ts';

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

/** What one listener puts up with. */
export interface HttpLimits {
  /** Connections at the same time; more are closed at once. Default 10,000. */
  readonly maxConnections: number;
  /** Bytes of request line and headers. Default 32 KiB: a 10 kB name still gets an answer of ours. */
  readonly maxHeaderBytes: number;
  /** Milliseconds until all headers must have arrived. Default 10,000. */
  readonly headersTimeoutMs: number;
  /** Milliseconds until the whole request must have arrived. Default 30,000. */
  readonly requestTimeoutMs: number;
  /** Milliseconds an idle connection is kept for the next request. Default 75,000. */
  readonly keepAliveTimeoutMs: number;
  /** Milliseconds without a byte in either direction after which a connection is cut. Default 600,000. */
  readonly idleTimeoutMs: number;
}

/** Options of an `HttpHost`. */
export interface HttpHostOptions {
  readonly host: string;
  /** 0 takes any free port. */
  readonly port: number;
  readonly tls?: TlsIdentity;
  readonly limits?: Partial<HttpLimits>;
  readonly clock: Clock;
  /** Answers one request; must not throw. */
  readonly onRequest: (request: IncomingMessage, response: ServerResponse) => void;
  /** Told of bytes that were not an HTTP request, by Node's error code. */
  readonly onBadRequest?: (code: string, client: string | undefined) => void;
}

const DEFAULT_LIMITS: HttpLimits = {
  maxConnections: 10_000,
  maxHeaderBytes: 32 * 1024,
  headersTimeoutMs: 10_000,
  requestTimeoutMs: 30_000,
  keepAliveTimeoutMs: 75_000,
  idleTimeoutMs: 600_000,
};

/** One bound HTTP or HTTPS socket with its limits, and an orderly end. */
export class HttpHost {
  readonly #options: HttpHostOptions;
  readonly #limits: HttpLimits;
  readonly #server: Server;
  /** The last answer on each connection, to know whether one is half sent. */
  readonly #answers = new WeakMap<Socket, ServerResponse>();
  #clientCa: string | undefined;
  /** How often the client CA has changed, in all and before a connection was made. */
  #caChanges = 0;
  readonly #madeAt = new WeakMap<Socket, number>();
  #isDraining = false;
  #stopped: Promise<void> | undefined;

  constructor(options: HttpHostOptions) {
    this.#options = options;
    this.#limits = { ...DEFAULT_LIMITS, ...options.limits };
    const serverOptions: ServerOptions = {
      maxHeaderSize: this.#limits.maxHeaderBytes,
      headersTimeout: this.#limits.headersTimeoutMs,
      requestTimeout: this.#limits.requestTimeoutMs,
      keepAliveTimeout: this.#limits.keepAliveTimeoutMs,
      connectionsCheckingInterval: Math.min(5_000, this.#limits.headersTimeoutMs),
      noDelay: true,
    };
    this.#server =
      options.tls === undefined
        ? createServer(serverOptions)
        : createTlsServer({
            ...serverOptions,
            ...contextOf(options.tls),
            requestCert: options.tls.clientCa !== undefined,
            rejectUnauthorized: false,
          });
    this.#clientCa = options.tls?.clientCa;
    this.#server.on('secureConnection', (socket: Socket) => {
      if (this.#caChanges > 0) this.#madeAt.set(socket, this.#caChanges);
    });
    this.#server.maxConnections = this.#limits.maxConnections;
    this.#server.setTimeout(this.#limits.idleTimeoutMs, (socket) => socket.destroy());
    this.#listen();
  }

  /** Whether new requests are taken. */
  get isAccepting(): boolean {
    return this.#server.listening && !this.#isDraining;
  }

  /** Binds the socket. @throws {Error} of `node:net`, for example with code `EADDRINUSE` */
  async start(): Promise<AddressInfo> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#server.once('error', reject);
    this.#server.listen(this.#options.port, this.#options.host, resolve);
    await promise;
    this.#server.off('error', reject);
    return this.address();
  }

  /** Where the socket is bound. @throws {Error} when it is not */
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
    const options = contextOf(identity);
    createSecureContext(options);
    return () => {
      server.setSecureContext(options);
      // A client that the new CA does not know must not go on for as long as it keeps its connection.
      if (identity.clientCa === this.#clientCa) return;
      this.#clientCa = identity.clientCa;
      this.#caChanges += 1;
      server.closeIdleConnections();
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
    const deadline = this.#options.clock.after(drainMs, () => this.#server.closeAllConnections());
    await promise;
    deadline.cancel();
    // Sockets say that they are closed at the end of the next turn: requests that were cut must hear of it before what
    // they wait for is taken away too.
    for (let turn = 0; turn < 2; turn += 1) await new Promise((resolve) => setImmediate(resolve));
  }

  #listen(): void {
    const answer = (request: IncomingMessage, response: ServerResponse): void => {
      if (this.#isDraining || this.#isOutdated(request.socket)) this.#closeAfter(response);
      else response.once('finish', () => this.#isDraining && this.#server.closeIdleConnections());
      this.#answers.set(request.socket, response);
      this.#options.onRequest(request, response);
    };
    this.#server.on('request', answer);
    // Without these two an engine that pushes would send its whole upload before it hears that it must not.
    this.#server.on('checkContinue', answer);
    this.#server.on('checkExpectation', answer);
    this.#server.on('connect', (_request, socket: Socket) => {
      writeRawAnswer(socket, 405, { code: 'UNSUPPORTED', message: 'CONNECT is not supported' });
    });
    this.#server.on('clientError', (error: Error & { code?: string }, socket: Socket) => {
      this.#options.onBadRequest?.(error.code ?? 'unknown', socket.remoteAddress);
      const answer = this.#answers.get(socket);
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

  #closeAfter(response: ServerResponse): void {
    response.setHeader('Connection', 'close');
  }
}

function contextOf({ cert, key, clientCa }: TlsIdentity): SecureContextOptions {
  return { cert, key, minVersion: 'TLSv1.2', ...(clientCa === undefined ? {} : { ca: clientCa }) };
}

const STATUS_OF_PARSE_ERROR: ReadonlyMap<string, number> = new Map([
  ['HPE_HEADER_OVERFLOW', 431],
  ['HPE_CHUNK_EXTENSIONS_OVERFLOW', 413],
  ['ERR_HTTP_REQUEST_TIMEOUT', 408],
]);
