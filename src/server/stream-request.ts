import { type IncomingHttpHeaders, IncomingMessage } from 'node:http';
import type { ServerHttp2Stream } from 'node:http2';
import type { Socket } from 'node:net';

/** What HTTP/2 says of a request beside its body. */
export interface StreamHead {
  readonly headers: IncomingHttpHeaders;
  /** Alternately names and values, pseudo-headers among them. */
  readonly rawHeaders: readonly string[];
  /** Whether a body follows. */
  readonly hasBody: boolean;
}

/** A request that came by HTTP/2, as handlers know requests. */
export class StreamRequest extends IncomingMessage {
  readonly #stream: ServerHttp2Stream;
  #isReading = false;

  constructor(stream: ServerHttp2Stream, socket: Socket, head: StreamHead) {
    super(socket);
    this.#stream = stream;
    this.httpVersion = '2.0';
    this.httpVersionMajor = 2;
    this.httpVersionMinor = 0;
    this.method = text(head.headers[':method']);
    this.url = text(head.headers[':path']);
    this.rawHeaders = [...head.rawHeaders];
    const authority = text(head.headers[':authority']);
    const named = Object.entries(head.headers).filter(([name]) => !name.startsWith(':'));
    // RFC 9113 §8.3.1: what stands in for Host.
    this.headers = {
      ...(authority === '' ? {} : { host: authority }),
      ...Object.fromEntries(named),
    };
    if (!head.hasBody) {
      this.complete = true;
      this.push(null);
    }
  }

  override _read(): void {
    if (this.complete || this.#isReading) {
      if (this.#stream.isPaused()) this.#stream.resume();
      return;
    }
    this.#isReading = true;
    this.#stream.on('data', (chunk: Buffer) => {
      if (!this.push(chunk)) this.#stream.pause();
    });
    this.#stream.on('end', () => {
      this.complete = true;
      this.push(null);
    });
    this.#stream.on('close', () => {
      if (!this.complete) this.destroy(new Error('the client broke off its request'));
    });
  }

  /** The connection is not the request's to end. */
  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    callback(error);
  }
}

function text(value: string | readonly string[] | undefined): string {
  return typeof value === 'string' ? value : '';
}
