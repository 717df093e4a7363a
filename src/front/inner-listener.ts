import { X509Certificate } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { LRUCache } from 'lru-cache';
import type { Clock } from '../base/clock.ts';
import { HttpHost } from '../server/http-host.ts';
import { DEFAULT_LIMITS } from '../server/http-limits.ts';
import type { HttpResponse } from '../server/http-response.ts';
import type { Peer } from '../server/peer.ts';
import { handOver } from './handed-file.ts';
import type { Settled } from './held-services.ts';
import { type InnerHead, readInnerHead } from './inner-head.ts';

/** Answers one request that a front passed on. */
export type InnerAnswer = (
  request: IncomingMessage,
  response: HttpResponse,
  asked: { readonly peer: Peer; readonly isSurplus: boolean },
) => void;

/** Options of an `InnerListener`. */
export interface InnerListenerOptions {
  readonly path: string;
  /** What fronts show. */
  readonly secret: string;
  readonly clock: Clock;
  /** What answers for a listener now. */
  readonly answerOf: (listener: string) => InnerAnswer | undefined;
  /** Resolves when every front has forgotten what does not hold any more; undefined when that is so already. */
  readonly settled: Settled;
}

/** Beside the headers of clients, which fronts have counted already: a certificate, and who asks. */
const OWN_HEADER_BYTES = 64 * 1024;
const MAX_CERTIFICATES = 4_096;

/** Where fronts ask the core: by a local socket, with a secret that is made anew at each start. */
export class InnerListener {
  readonly #options: InnerListenerOptions;
  readonly #host: HttpHost;
  /** By their bytes: gates remember what they read in a certificate by the object. */
  readonly #certificates = new LRUCache<string, X509Certificate>({ max: MAX_CERTIFICATES });

  constructor(options: InnerListenerOptions) {
    this.#options = options;
    this.#host = new HttpHost({
      clock: options.clock,
      // Fronts have seen to it where it matters.
      requireHost: false,
      limits: {
        maxConnections: Number.MAX_SAFE_INTEGER,
        // Fronts see how much clients take; what they cannot hand on, they do not read.
        minRate: 0,
        maxHeaderBytes: DEFAULT_LIMITS.maxHeaderBytes + OWN_HEADER_BYTES,
      },
      onRequest: (request, response) => this.#answer(request, response),
    });
  }

  /** Binds the socket. @throws {Error} of `node:net` */
  async start(): Promise<void> {
    await this.#host.startAt(this.#options.path);
  }

  /** Stops as `HttpHost.stop` does. */
  async stop(options: { readonly drainMs: number }): Promise<void> {
    await this.#host.stop(options);
  }

  #answer(request: IncomingMessage, response: HttpResponse): void {
    const { secret, settled } = this.#options;
    const head = readInnerHead(request.headers, secret);
    if (head === undefined) {
      response.writeHead(403);
      response.end();
      return;
    }
    // Where it differs from Host, whoever reads the host of a request has to see both.
    if (head.authority !== undefined) request.rawHeaders.push(':authority', head.authority);
    const waiting = settled();
    // Under a new configuration nobody is answered while somebody may still be answered by the one before.
    if (waiting === undefined) this.#proceed(request, response, head);
    else void waiting.then(() => this.#proceed(request, response, head));
  }

  #proceed(request: IncomingMessage, response: HttpResponse, head: InnerHead): void {
    const answer = this.#options.answerOf(head.listener);
    if (answer === undefined) response.destroy();
    else answer(request, response, { peer: this.#peer(head), isSurplus: head.isSurplus });
  }

  #peer({ client, isTls, certificate, takesFiles }: InnerHead): Peer {
    return {
      address: client,
      isTls,
      ...(takesFiles ? { handOver } : {}),
      certificate: () => (certificate === undefined ? undefined : this.#certificate(certificate)),
    };
  }

  #certificate(text: string): X509Certificate {
    const known = this.#certificates.get(text);
    if (known !== undefined) return known;
    const certificate = new X509Certificate(Buffer.from(text, 'base64'));
    this.#certificates.set(text, certificate);
    return certificate;
  }
}
