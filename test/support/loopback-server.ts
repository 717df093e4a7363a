import { once } from 'node:events';
import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { type Answer, type Fault, sendAnswer } from './http-faults.ts';

/** A request as a test server saw it. */
export interface SeenRequest {
  readonly method: string;
  /** Decoded path without the query. */
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

/** Where and how a test server listens. */
export interface LoopbackServerOptions {
  /** PEM certificate and key; default: plain HTTP. */
  readonly tls?: { readonly certPem: string; readonly keyPem: string };
  /** Default 0, any free port. */
  readonly port?: number;
  /** Default `127.0.0.1`. */
  readonly host?: string;
}

/** When an injected fault applies. */
export interface FaultOptions {
  /** How many requests it spoils; default all. */
  readonly times?: number;
  /** Only requests with this method; default any. */
  readonly method?: string;
}

interface InjectedFault {
  readonly path: string | RegExp;
  readonly fault: Fault;
  readonly method: string | undefined;
  left: number;
}

/** An HTTP server on the loopback address that remembers what it was asked and misbehaves on demand. */
export class LoopbackServer {
  /** Every request so far, in order of arrival. */
  readonly requests: SeenRequest[] = [];
  readonly #answer: (request: SeenRequest) => Answer | Promise<Answer>;
  readonly #options: LoopbackServerOptions;
  #server: Server | undefined;
  #port = 0;
  #faults: InjectedFault[] = [];

  constructor(
    answer: (request: SeenRequest) => Answer | Promise<Answer>,
    options: LoopbackServerOptions = {},
  ) {
    this.#answer = answer;
    this.#options = options;
    this.#port = options.port ?? 0;
  }

  /** The port; known after `start` and kept by `down` and `up`. */
  get port(): number {
    return this.#port;
  }

  /** Base URL without a trailing slash. */
  get url(): string {
    const scheme = this.#options.tls === undefined ? 'http' : 'https';
    return `${scheme}://${this.#options.host ?? '127.0.0.1'}:${this.#port}`;
  }

  /** Starts listening; the same port again after `down`. */
  async start(): Promise<this> {
    const { tls, host = '127.0.0.1' } = this.#options;
    const listener: RequestListener = (request, response) => {
      this.#handle(request, response).catch(() => response.destroy());
    };
    const server =
      tls === undefined
        ? createServer(listener)
        : createTlsServer({ cert: tls.certPem, key: tls.keyPem }, listener);
    server.listen(this.#port, host);
    await once(server, 'listening');
    const address = server.address();
    if (typeof address === 'object' && address !== null) this.#port = address.port;
    this.#server = server;
    return this;
  }

  /** Stops listening and cuts every connection: new ones are refused. */
  async down(): Promise<void> {
    const server = this.#server;
    if (server === undefined) return;
    this.#server = undefined;
    const closed = once(server, 'close');
    server.close();
    server.closeAllConnections();
    await closed;
  }

  /** Listens again on the same port. */
  async up(): Promise<void> {
    if (this.#server === undefined) await this.start();
  }

  /** Ends the server. */
  async stop(): Promise<void> {
    await this.down();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  /** Misbehaves for paths that end in `path`, or match it; the fault injected last is looked at first. */
  inject(path: string | RegExp, fault: Fault, options: FaultOptions = {}): void {
    const left = options.times ?? Number.POSITIVE_INFINITY;
    this.#faults.unshift({ path, fault, method: options.method, left });
  }

  /** Behaves again. */
  clearFaults(): void {
    this.#faults = [];
  }

  /** The requests whose path ends in `path`, or matches it. */
  requestsTo(path: string | RegExp): readonly SeenRequest[] {
    return this.requests.filter((request) => matches(path, request.path));
  }

  async #handle(
    incoming: IncomingMessage,
    response: Parameters<typeof sendAnswer>[0],
  ): Promise<void> {
    const target = new URL(incoming.url ?? '/', 'http://loopback.invalid');
    const parts: Buffer[] = [];
    for await (const part of incoming) parts.push(Buffer.from(part));
    const request: SeenRequest = {
      method: incoming.method ?? 'GET',
      path: decodeURIComponent(target.pathname),
      query: target.searchParams,
      headers: incoming.headers,
      body: Buffer.concat(parts).toString('utf8'),
    };
    this.requests.push(request);
    const fault = this.#faultFor(request);
    const answer = await this.#answer(request);
    sendAnswer(response, answer, { fault, isHead: request.method === 'HEAD' });
  }

  #faultFor(request: SeenRequest): Fault | undefined {
    const found = this.#faults.find(
      (each) =>
        each.left > 0 &&
        matches(each.path, request.path) &&
        (each.method === undefined || each.method === request.method),
    );
    if (found === undefined) return undefined;
    found.left -= 1;
    return found.fault;
  }
}

function matches(wanted: string | RegExp, path: string): boolean {
  return typeof wanted === 'string' ? path.endsWith(wanted) : wanted.test(path);
}
