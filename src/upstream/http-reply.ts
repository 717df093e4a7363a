import type { Dispatcher } from 'undici';
import type { Clock } from '../base/clock.ts';
import { LeastRate } from '../base/least-rate.ts';
import { joinedBytes } from '../base/own-bytes.ts';
import { ExchangeError } from './errors.ts';
import { failedBody } from './http-failure.ts';
import { parseRetryAfter } from './retry-after.ts';

/** What a reply needs to know of the request it answers. */
export interface ReplyContext {
  /** Host and port of the URL that was asked, for messages. */
  readonly host: string;
  readonly clock: Clock;
  readonly signal: AbortSignal | undefined;
  /** Bytes a second that a body has to bring while it is waited for, on average over a minute; 0 asks for none. */
  readonly minRate: number;
  /** Told of every piece of body that arrives. */
  readonly onBytes: (count: number) => void;
}

const DISCARD_BYTES = 64 * 1024;
const DISCARD_MS = 5000;

/** The headers of a reply, and its body, which has to be read, streamed or discarded. */
export class HttpReply {
  readonly status: number;
  /** Host and port of the URL that gave this reply. */
  readonly host: string;
  readonly #headers: Dispatcher.ResponseData['headers'];
  readonly #body: Dispatcher.ResponseData['body'];
  readonly #context: ReplyContext;
  #isDiscarded = false;

  constructor(data: Dispatcher.ResponseData, context: ReplyContext) {
    this.status = data.statusCode;
    this.host = context.host;
    this.#headers = data.headers;
    this.#body = data.body;
    this.#context = context;
    // Whoever reads the body meets its error there; without a listener an unread body's error would end the process.
    this.#body.on('error', () => undefined);
  }

  /** A header field's value, the first if it came several times; `name` in lower case. */
  header(name: string): string | undefined {
    return this.headerLines(name)[0];
  }

  /** All values of a header field. */
  headerLines(name: string): readonly string[] {
    const value = this.#headers[name];
    if (value === undefined) return [];
    return typeof value === 'string' ? [value] : value;
  }

  /** The announced length of the body in bytes, if it was announced. */
  get contentLength(): number | undefined {
    const text = this.header('content-length');
    return text !== undefined && /^[0-9]{1,15}$/.test(text) ? Number(text) : undefined;
  }

  /** `Retry-After` in whole seconds. */
  get retryAfterSeconds(): number | undefined {
    return parseRetryAfter(this.header('retry-after'), this.#context.clock.now());
  }

  /**
   * Reads the whole body.
   *
   * @param maxBytes - the most to accept; an announced length above it is refused before a byte is read
   * @throws {ExchangeError} `too_long`, `encoded`, `broken_off`, `timed_out`
   */
  async read(maxBytes: number): Promise<Uint8Array> {
    const tooLong = (): ExchangeError =>
      new ExchangeError('too_long', `the reply of ${this.host} is longer than ${maxBytes} bytes`, {
        detail: { host: this.host, maxBytes },
      });
    if ((this.contentLength ?? 0) > maxBytes) {
      this.discard();
      throw tooLong();
    }
    const chunks: Uint8Array[] = [];
    let total = 0;
    for await (const chunk of this.stream()) {
      total += chunk.length;
      if (total > maxBytes) throw tooLong();
      chunks.push(chunk);
    }
    return joinedBytes(chunks, total);
  }

  /**
   * The body as it arrives, to be iterated once; ending the iteration early closes the connection.
   *
   * @throws {ExchangeError} at once `encoded`; from the iteration `broken_off`, `timed_out`
   */
  stream(): AsyncIterable<Uint8Array> {
    const encoding = this.header('content-encoding') ?? '';
    if (encoding !== '' && encoding.toLowerCase() !== 'identity') {
      this.discard();
      throw new ExchangeError('encoded', `${this.host} sent encoded content, which was not asked`, {
        detail: { host: this.host },
      });
    }
    return new BodyStream(this.#body, this.#context);
  }

  /** Calls `action` once when nothing more comes of the body: it was read to its end, broke off, or was let go of. */
  whenOver(action: () => void): void {
    if (this.#body.closed) action();
    else this.#body.once('close', action);
  }

  /** Lets go of the body: a short one is read in the background so that the connection can be used again. */
  discard(): void {
    if (this.#isDiscarded) return;
    this.#isDiscarded = true;
    const body = this.#body;
    if ((this.contentLength ?? 0) > DISCARD_BYTES) {
      body.destroy();
      return;
    }
    const timer = this.#context.clock.after(DISCARD_MS, () => body.destroy());
    const done = (): void => timer.cancel();
    body.dump({ limit: DISCARD_BYTES }).then(done, done);
  }
}

/** Iterates a body once, and closes its connection when the iteration ends early, even before its first step. */
class BodyStream implements AsyncIterableIterator<Uint8Array> {
  readonly #body: Dispatcher.ResponseData['body'];
  readonly #chunks: AsyncIterator<Uint8Array>;
  readonly #context: ReplyContext;
  readonly #rate: LeastRate;
  #isOver = false;

  constructor(body: Dispatcher.ResponseData['body'], context: ReplyContext) {
    this.#body = body;
    this.#chunks = body[Symbol.asyncIterator]();
    this.#context = context;
    this.#rate = new LeastRate(context.minRate);
  }

  [Symbol.asyncIterator](): AsyncIterableIterator<Uint8Array> {
    return this;
  }

  async next(): Promise<IteratorResult<Uint8Array>> {
    if (this.#isOver) return { done: true, value: undefined };
    try {
      const { clock } = this.#context;
      const since = clock.monotonicMs();
      const result = await this.#chunks.next();
      if (result.done === true) {
        this.#isOver = true;
        return { done: true, value: undefined };
      }
      const { length } = result.value;
      this.#context.onBytes(length);
      if (!this.#rate.note(clock.monotonicMs() - since, length)) throw this.#tooSlow();
      return result;
    } catch (error) {
      this.#isOver = true;
      if (error instanceof ExchangeError) throw error;
      this.#context.signal?.throwIfAborted();
      throw failedBody(error, this.#context.host);
    }
  }

  #tooSlow(): ExchangeError {
    const { host, minRate } = this.#context;
    this.#body.destroy();
    const message = `${host} sends less than ${minRate} bytes a second`;
    return new ExchangeError('timed_out', message, { detail: { host, minRate } });
  }

  return(): Promise<IteratorResult<Uint8Array>> {
    this.#isOver = true;
    this.#body.destroy();
    return Promise.resolve({ done: true, value: undefined });
  }
}
