import type { IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Clock } from '../base/clock.ts';
import type { Log } from '../observe/log.ts';
import {
  type BadBody,
  isForeignRequest,
  type PassedQuestion,
  parsePassed,
  parseRefresh,
  readJsonBody,
} from './admin-request.ts';
import { HttpHost, type TlsIdentity } from './http-host.ts';
import type { HttpLimits } from './http-limits.ts';
import type { HttpResponse } from './http-response.ts';
import { renderStatusPage, STATUS_PAGE_POLICY } from './status-page.ts';
import type { StatusReport } from './status-report.ts';

/** What a refresh did. */
export interface RefreshResult {
  /** The repositories that were asked for anew and are current now, by full name. */
  readonly refreshed: readonly string[];
  /** The repositories for which that failed, with why. */
  readonly failed: readonly { readonly repository: string; readonly reason: string }[];
}

/** What is on record of content. */
export interface PassedAnswer {
  /** When the record began, RFC 3339; absent when that is not known. */
  readonly since?: string;
  /** The digests that are on record, with the repositories they were vouched for in. */
  readonly passed: readonly { readonly digest: string; readonly repositories: readonly string[] }[];
  /** Of the repositories asked about, those that are relayed unverified, of which nothing is recorded. */
  readonly unverified: readonly string[];
}

/** What the admin listener shows and does. */
export interface AdminPorts {
  /** The metrics in Prometheus' text format. */
  readonly metrics: { readonly contentType: string; render(): Promise<string> };
  readonly status: () => StatusReport | Promise<StatusReport>;
  /** Whether engines should be sent here. */
  readonly isReady: () => boolean;
  /**
   * Asks the trust server now: about one repository, by full name, or about all in use. Undefined: no such repository.
   */
  readonly refresh: (
    repository: string | undefined,
    options: { readonly signal: AbortSignal },
  ) => Promise<RefreshResult | undefined>;
  /** Says what is on record of digests. */
  readonly passed: (question: PassedQuestion) => Promise<PassedAnswer>;
}

/** Options of an `AdminListener`. */
export interface AdminListenerOptions {
  readonly host: string;
  readonly port: number;
  readonly tls?: TlsIdentity;
  readonly limits?: Partial<HttpLimits>;
  readonly clock: Clock;
  readonly log: Log;
  readonly ports: AdminPorts;
}

interface AdminAnswer {
  readonly status: number;
  readonly contentType: string;
  readonly body: string;
  readonly headers?: Readonly<Record<string, string>>;
}

type Read = () => AdminAnswer | Promise<AdminAnswer>;

const MAX_BODY_BYTES = 4096;
/** A thousand digests and as many names. */
const MAX_QUESTION_BYTES = 1024 * 1024;
const SECURITY_HEADERS: Readonly<Record<string, string>> = {
  'cache-control': 'no-store',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'cross-origin-resource-policy': 'same-origin',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
};

/** Metrics, health, status and refresh, for operators and their tools. Bind it to loopback or a private network. */
export class AdminListener {
  readonly #options: AdminListenerOptions;
  readonly #host: HttpHost;

  constructor(options: AdminListenerOptions) {
    this.#options = options;
    this.#host = new HttpHost({
      host: options.host,
      port: options.port,
      clock: options.clock,
      ...(options.tls === undefined ? {} : { tls: options.tls }),
      limits: { maxConnections: 256, ...options.limits },
      onRequest: (request, response) => void this.#handle(request, response),
    });
  }

  /** Binds the socket. @throws {Error} of `node:net` */
  async start(): Promise<AddressInfo> {
    return await this.#host.start();
  }

  /** Stops as `HttpHost.stop` does. */
  async stop(options: { readonly drainMs: number }): Promise<void> {
    await this.#host.stop(options);
  }

  async #handle(request: IncomingMessage, response: HttpResponse): Promise<void> {
    let answer: AdminAnswer;
    try {
      answer = await this.#answer(request, response);
    } catch (error) {
      this.#options.log.failure('admin.failed', error, { path: pathOf(request) });
      answer = json(500, { error: 'internal', message: 'this failed; the log says why' });
    }
    if (response.headersSent || response.destroyed) return;
    response.writeHead(answer.status, {
      ...SECURITY_HEADERS,
      'content-type': answer.contentType,
      'content-length': Buffer.byteLength(answer.body),
      ...answer.headers,
    });
    response.end(request.method === 'HEAD' ? undefined : answer.body);
  }

  async #answer(request: IncomingMessage, response: HttpResponse): Promise<AdminAnswer> {
    const path = pathOf(request);
    const isRead = request.method === 'GET' || request.method === 'HEAD';
    if (path === '/api/v1/refresh') {
      return request.method === 'POST'
        ? await this.#refresh(request, response)
        : notAllowed('POST');
    }
    if (path === '/api/v1/passed') {
      return request.method === 'POST' ? await this.#passed(request) : notAllowed('POST');
    }
    const read = this.#reads.get(path);
    if (read === undefined) return json(404, { error: 'not_found', message: 'no such page' });
    return isRead ? await read() : notAllowed('GET, HEAD');
  }

  readonly #reads: ReadonlyMap<string, Read> = new Map<string, Read>([
    ['/', () => this.#page()],
    ['/healthz', () => text(200, 'live\n')],
    ['/readyz', () => (this.#isReady() ? text(200, 'ready\n') : text(503, 'not ready\n'))],
    ['/metrics', () => this.#metrics()],
    ['/api/v1/status', () => this.#status()],
  ]);

  #isReady(): boolean {
    return this.#options.ports.isReady();
  }

  async #metrics(): Promise<AdminAnswer> {
    const { metrics } = this.#options.ports;
    return { status: 200, contentType: metrics.contentType, body: await metrics.render() };
  }

  async #status(): Promise<AdminAnswer> {
    return json(200, await this.#options.ports.status());
  }

  async #page(): Promise<AdminAnswer> {
    const report = await this.#options.ports.status();
    return {
      status: 200,
      contentType: 'text/html; charset=utf-8',
      body: renderStatusPage(report, this.#options.clock.now()),
      headers: { 'content-security-policy': STATUS_PAGE_POLICY },
    };
  }

  async #passed(request: IncomingMessage): Promise<AdminAnswer> {
    if (isForeignRequest(request)) return foreign();
    const read = await readJsonBody(request, MAX_QUESTION_BYTES);
    if (read.kind === 'bad') return badRequest(read);
    const body = parsePassed(read.value);
    if (body.kind === 'bad') return badRequest(body);
    return json(200, await this.#options.ports.passed(body.question));
  }

  async #refresh(request: IncomingMessage, response: HttpResponse): Promise<AdminAnswer> {
    // A page that an operator happens to have open must not be able to make requests in their name.
    if (isForeignRequest(request)) return foreign();
    const read = await readJsonBody(request, MAX_BODY_BYTES);
    if (read.kind === 'bad') return badRequest(read);
    const body = parseRefresh(read.value);
    if (body.kind === 'bad') return badRequest(body);
    const abort = new AbortController();
    response.once('close', () => abort.abort());
    const { repository } = body;
    const result = await this.#options.ports.refresh(repository, { signal: abort.signal });
    if (result === undefined) {
      return json(404, { error: 'not_found', message: 'no verified repository of that name' });
    }
    this.#options.log.event('admin.refresh', {
      repository,
      refreshed: result.refreshed.length,
      failed: result.failed.length,
    });
    return json(result.failed.length === 0 ? 200 : 502, result);
  }
}

function foreign(): AdminAnswer {
  return json(403, { error: 'foreign_origin', message: 'requests of other sites are refused' });
}

function badRequest({ status, message }: BadBody): AdminAnswer {
  const headers = { connection: 'close' };
  return { ...json(status, { error: 'bad_request', message }), headers };
}

function pathOf(request: IncomingMessage): string {
  const target = request.url ?? '/';
  const mark = target.indexOf('?');
  return mark < 0 ? target : target.slice(0, mark);
}

function json(status: number, body: unknown): AdminAnswer {
  return {
    status,
    contentType: 'application/json',
    body: `${JSON.stringify(body)}\n`,
  };
}

function text(status: number, body: string): AdminAnswer {
  return { status, contentType: 'text/plain; charset=utf-8', body };
}

function notAllowed(allow: string): AdminAnswer {
  const answer = json(405, { error: 'method_not_allowed', message: `use ${allow}` });
  return { ...answer, headers: { allow, connection: 'close' } };
}
