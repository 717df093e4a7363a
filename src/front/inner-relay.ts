import { Agent, type ClientRequest, request as httpRequest, type IncomingMessage } from 'node:http';
import { pipeline } from 'node:stream/promises';
import type { Clock } from '../base/clock.ts';
import type { Log } from '../observe/log.ts';
import { type Peer, peerOf } from '../server/peer.ts';
import type { HandedAnswer } from './file-answers.ts';
import { FILE, readHanded } from './handed-file.ts';
import { ASKED_BY, AUTHORITY, CERTIFICATE, INNER_PREFIX, writeAskedBy } from './inner-head.ts';
import type { SeenAnswer } from './kept-answers.ts';
import type { SeenFile } from './kept-files.ts';
import { KEEP, readMark } from './kept-mark.ts';
import type { Passed } from './passed-request.ts';

/** Options of an `InnerRelay`. */
export interface InnerRelayOptions {
  /** Where the core answers. */
  readonly socketPath: string;
  readonly secret: string;
  readonly clock: Clock;
  readonly log: Log;
  /** Keeps an answer that the core says may be given again. */
  readonly keep: (key: string, seen: SeenAnswer) => void;
  /** Keeps stored content that the core says may be sent again. */
  readonly keepFile: (
    key: string,
    request: IncomingMessage,
    seen: SeenFile,
    askedAtMs: number,
  ) => void;
  /** Sends what the core hands over; false when it is not to be had. */
  readonly giveFile: (passed: Passed, answer: HandedAnswer) => Promise<boolean>;
}

/** What is of one connection, and not passed on. @source RFC 9110 §7.6.1 */
const OF_ONE_CONNECTION: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);
const BODILESS: ReadonlySet<string> = new Set(['GET', 'HEAD']);
/** How often a request is made that never reached the core. */
const MAX_TRIES = 3;

/** Passes requests of engines on to the core as they are, and its answers back as they are. */
export class InnerRelay {
  readonly #options: InnerRelayOptions;
  readonly #agent = new Agent({ keepAlive: true, maxFreeSockets: 256 });

  constructor(options: InnerRelayOptions) {
    this.#options = options;
  }

  /** Has the core answer a request. What the core breaks off is broken off here too, never ended. */
  pass(passed: Passed): void {
    const startedAtMs = this.#options.clock.monotonicMs();
    // What has a body cannot be asked again.
    const takesFiles = !hasBody(passed.request);
    this.#ask({ ...passed, startedAtMs, tries: 1, takesFiles });
  }

  /** Lets go of connections to the core. */
  close(): void {
    this.#agent.destroy();
  }

  #ask(passing: Passing): void {
    const { request, response } = passing;
    const askedAtMs = this.#options.clock.monotonicMs();
    const outgoing = this.#open(passing);
    const giveUp = (): void => void outgoing.destroy();
    let isAnswered = false;
    response.once('close', giveUp);
    outgoing.once('response', (incoming: IncomingMessage) => {
      isAnswered = true;
      response.off('close', giveUp);
      this.#keep(incoming, passing, askedAtMs);
      this.#answer(incoming, passing, askedAtMs).catch((error: unknown) => {
        this.#options.log.failure('request.failed', error);
        response.destroy();
      });
    });
    outgoing.on('error', (error: Error & { code?: string }) => {
      response.off('close', giveUp);
      if (isAnswered || response.destroyed) return;
      if (mayTryAgain(passing, outgoing)) {
        this.#ask({ ...passing, tries: passing.tries + 1 });
        return;
      }
      this.#options.log.event('worker.relay_failed', {
        listener: passing.listener,
        code: error.code,
      });
      response.destroy();
    });
    if (hasBody(request)) {
      // The core may have answered without reading all of it.
      pipeline(request, outgoing).catch(() => undefined);
    } else outgoing.end();
  }

  #open({ listener, request, isSurplus, takesFiles }: Passing): ClientRequest {
    const { socketPath, secret } = this.#options;
    const peer = peerOf(request.socket);
    const { method = 'GET', url = '/' } = request;
    const client = peer.address;
    const askedBy = writeAskedBy(secret, {
      ...{ listener, client, isTls: peer.isTls, takesFiles, isSurplus },
    });
    return httpRequest({
      ...{ socketPath, agent: this.#agent, method, path: url },
      headers: [ASKED_BY, askedBy, ...certificateOf(peer), ...headersOf(request)],
    });
  }

  /** Keeps what the core has marked: with the manifest as soon as all of it has come, without where there is none. */
  #keep(incoming: IncomingMessage, { key, request }: Passed, askedAtMs: number): void {
    const { keep } = this.#options;
    const mark = readMark(incoming.headers[KEEP.toLowerCase()]);
    if (key === undefined || mark === undefined) return;
    if (incoming.statusCode !== 200 || request.method === 'HEAD') {
      keep(key, { mark, askedAtMs, body: undefined });
      return;
    }
    const chunks: Buffer[] = [];
    incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
    incoming.once('end', () => {
      if (incoming.complete) keep(key, { mark, askedAtMs, body: Buffer.concat(chunks) });
    });
  }

  async #answer(incoming: IncomingMessage, passing: Passing, askedAtMs: number): Promise<void> {
    const { request, response, startedAtMs, key } = passing;
    const { statusCode: status = 502, headers } = incoming;
    const passed = passable(incoming.rawHeaders);
    if (headers.connection === 'close') response.shouldKeepAlive = false;
    const content = readHanded(headers[FILE.toLowerCase()]);
    if (content !== undefined) {
      incoming.resume();
      const seen = { content, status, headers: passed };
      if (key !== undefined) this.#options.keepFile(key, request, seen, askedAtMs);
      if (await this.#options.giveFile(passing, { ...seen, startedAtMs })) return;
      // Evicted or exchanged since: the core has another look, and sends what it finds.
      this.#ask({ ...passing, takesFiles: false });
      return;
    }
    response.writeHead(status, passed);
    // Broken off on either side, it is broken off on the other.
    await pipeline(incoming, response).catch(() => undefined);
  }
}

interface Passing extends Passed {
  /** Monotonic milliseconds when it came. */
  readonly startedAtMs: number;
  /** This one included. */
  readonly tries: number;
  /** Whether stored content need not come along. */
  readonly takesFiles: boolean;
}

/** A connection that had been idle may have ended just then: whoever asks without a body can ask again. */
function mayTryAgain({ request, tries }: Passing, outgoing: ClientRequest): boolean {
  return (
    tries < MAX_TRIES &&
    outgoing.reusedSocket &&
    BODILESS.has(request.method ?? '') &&
    !hasBody(request)
  );
}

function hasBody({ headers, httpVersionMajor, complete }: IncomingMessage): boolean {
  const { 'content-length': length, 'transfer-encoding': coding } = headers;
  // By HTTP/2 a body needs no header that announces it.
  return coding !== undefined || Number(length ?? 0) > 0 || (httpVersionMajor === 2 && !complete);
}

/** The headers of a request as the core is to see them. */
function headersOf(request: IncomingMessage): string[] {
  const { rawHeaders, headers, method = '' } = request;
  const passed = passable(rawHeaders);
  const authority = pseudo(rawHeaders, ':authority');
  if (authority !== undefined) {
    // RFC 9113 §8.3.1: by HTTP/2 it stands in for Host. Where both are there and differ, that is for the core to judge.
    if (!passed.some((each, index) => index % 2 === 0 && each.toLowerCase() === 'host')) {
      passed.push('Host', authority);
    } else passed.push(AUTHORITY, authority);
  }
  if (headers['content-length'] === undefined) {
    if (hasBody(request)) passed.push('Transfer-Encoding', 'chunked');
    // Otherwise it would be announced as one of unknown length.
    else if (!BODILESS.has(method)) passed.push('Content-Length', '0');
  }
  return passed;
}

/** What may go over to the other side, alternately names and values. */
function passable(rawHeaders: readonly string[]): string[] {
  const passed: string[] = [];
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    const name = rawHeaders[index] ?? '';
    const lower = name.toLowerCase();
    // Without the second, clients could say to the core what only fronts may.
    if (lower.startsWith(':') || lower.startsWith(INNER_PREFIX)) continue;
    if (!OF_ONE_CONNECTION.has(lower)) passed.push(name, rawHeaders[index + 1] ?? '');
  }
  return passed;
}

function pseudo(rawHeaders: readonly string[], name: string): string | undefined {
  for (let index = 0; index < rawHeaders.length; index += 2) {
    if (rawHeaders[index] === name) return rawHeaders[index + 1];
  }
  return undefined;
}

function certificateOf(peer: Peer): string[] {
  const certificate = peer.certificate();
  return certificate === undefined ? [] : [CERTIFICATE, certificate.raw.toString('base64')];
}
