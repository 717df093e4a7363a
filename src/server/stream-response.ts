import type { OutgoingHttpHeader, OutgoingHttpHeaders } from 'node:http';
import type { ServerHttp2Stream } from 'node:http2';
import { Writable } from 'node:stream';
import type { HttpResponse } from './http-response.ts';

/** Headers that speak of a connection, which HTTP/2 does not let a message do. @source RFC 9113 §8.2.2 */
const OF_CONNECTIONS: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'transfer-encoding',
  'upgrade',
]);

/** An answer by HTTP/2, as handlers know answers. Destroying it before its end resets the stream, never ends it. */
export class StreamResponse extends Writable implements HttpResponse {
  statusCode = 200;
  shouldKeepAlive = true;
  readonly #stream: ServerHttp2Stream;
  readonly #headers = new Map<string, string | readonly string[]>();
  #headersSent = false;
  #bytesTaken = 0;

  constructor(stream: ServerHttp2Stream) {
    super({ highWaterMark: stream.writableHighWaterMark, emitClose: true });
    this.#stream = stream;
    // Why it ended is told by 'close'; there is nobody else to tell.
    stream.on('error', () => undefined);
    this.on('error', () => undefined);
    stream.on('close', () => this.destroy());
  }

  get headersSent(): boolean {
    return this.#headersSent;
  }

  /** Bytes of the body that are on their way, and no longer held here. */
  get bytesTaken(): number {
    return this.#bytesTaken;
  }

  setHeader(name: string, value: number | string | readonly string[]): this {
    const lower = name.toLowerCase();
    const isText = typeof value === 'number' || typeof value === 'string';
    if (!OF_CONNECTIONS.has(lower)) this.#headers.set(lower, isText ? String(value) : value);
    return this;
  }

  getHeaderNames(): string[] {
    return [...this.#headers.keys()];
  }

  removeHeader(name: string): void {
    this.#headers.delete(name.toLowerCase());
  }

  writeHead(status: number, headers: OutgoingHttpHeaders | OutgoingHttpHeader[] = {}): this {
    this.statusCode = status;
    for (const [name, value] of pairsOf(headers)) this.setHeader(name, value);
    return this;
  }

  override _write(
    chunk: Buffer,
    _encoding: BufferEncoding,
    callback: (error?: Error | null) => void,
  ): void {
    if (this.#isGone(callback)) return;
    this.#sendHead(false);
    this.#stream.write(chunk, (error) => {
      this.#bytesTaken += chunk.length;
      callback(error);
    });
  }

  override _final(callback: (error?: Error | null) => void): void {
    if (this.#isGone(callback)) return;
    if (this.#headersSent) this.#stream.end(callback);
    else {
      this.#sendHead(true);
      callback();
    }
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    // What was cut must not look whole: only a reset tells the client so. `close` would end the stream before it resets it.
    if (!this.writableFinished && !this.#stream.destroyed) {
      this.#stream.destroy(new Error('the answer was broken off'));
    }
    callback(error);
  }

  #isGone(callback: (error?: Error | null) => void): boolean {
    if (!this.#stream.closed && !this.#stream.destroyed) return false;
    callback(new Error('the client closed the stream'));
    return true;
  }

  #sendHead(endStream: boolean): void {
    if (this.#headersSent) return;
    this.#headersSent = true;
    const head: OutgoingHttpHeaders = { ':status': this.statusCode };
    for (const [name, value] of this.#headers) {
      head[name] = typeof value === 'string' ? value : [...value];
    }
    this.#stream.respond(head, { endStream });
  }
}

/** Values of headers given twice are joined, as HTTP/1.1 has them on lines of their own. */
function pairsOf(
  headers: OutgoingHttpHeaders | OutgoingHttpHeader[],
): readonly (readonly [string, OutgoingHttpHeader])[] {
  if (!Array.isArray(headers)) {
    return Object.entries(headers).flatMap(([name, value]) =>
      value === undefined ? [] : [[name, value] as const],
    );
  }
  const pairs: [string, OutgoingHttpHeader][] = [];
  for (let index = 0; index + 1 < headers.length; index += 2) {
    pairs.push([String(headers[index]), headers[index + 1] ?? '']);
  }
  return pairs;
}
