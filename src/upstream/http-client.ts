import type { Dispatcher } from 'undici';
import type { Clock } from '../base/clock.ts';
import { BodyGarbage } from './body-garbage.ts';
import { abortable } from './deadline.ts';
import { ExchangeError } from './errors.ts';
import { outcomeOfStatus, type UpstreamEvents } from './events.ts';
import { type ConnectionOptions, createDispatcher } from './http-dispatcher.ts';
import { failedRequest } from './http-failure.ts';
import { HttpReply } from './http-reply.ts';

/** What a client of one upstream is made from. */
export interface HttpClientOptions extends ConnectionOptions {
  /** What the upstream is called in events. */
  readonly name: string;
  /** Only requests to this URL's origin carry the client certificate. */
  readonly base: URL;
  /** The `User-Agent`. */
  readonly userAgent: string;
  readonly clock: Clock;
  readonly events: UpstreamEvents;
  /** Bytes a second that bodies have to bring while they are waited for, on average over a minute; default 0 asks for none. */
  readonly minRate?: number | undefined;
}

/** One request. */
export interface HttpRequest {
  readonly url: URL;
  /** Header fields beside those the client sets itself. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
  /** Makes the request a POST of these form fields. */
  readonly form?: URLSearchParams;
}

/** The longest pile of body bytes kept ready for a reader, per reply. */
const READ_AHEAD_BYTES = 256 * 1024;

/** Sends single requests on behalf of one upstream; follows no redirects, retries nothing, decodes nothing. */
export class HttpClient {
  readonly #options: HttpClientOptions;
  readonly #dispatchers = new Map<string, Dispatcher>();
  readonly #garbage = new BodyGarbage();
  #isClosed = false;

  constructor(options: HttpClientOptions) {
    this.#options = options;
    // At once, so that an unusable certificate stops the start and not the first pull.
    this.#dispatcher(options.base);
  }

  /**
   * Sends a request and resolves with the reply's headers, whatever the status.
   *
   * @throws {ExchangeError} `unreachable`, `timed_out`, `broken_off`
   */
  async request(request: HttpRequest): Promise<HttpReply> {
    const { url, signal } = request;
    const { name, events, clock, minRate = 0 } = this.#options;
    signal?.throwIfAborted();
    const data = await this.#send(request);
    const hadAuthorization = request.headers?.['authorization'] !== undefined;
    events.request(name, outcomeOfStatus(data.statusCode, hadAuthorization));
    const reply = new HttpReply(data, {
      host: url.host,
      ...{ clock, signal, minRate },
      onBytes: (count) => {
        events.bytes(name, count);
        this.#garbage.note(count);
      },
    });
    const remaining = /^[0-9]{1,9}/.exec(reply.header('ratelimit-remaining') ?? '')?.[0];
    if (remaining !== undefined) events.rateLimitRemaining(name, Number(remaining));
    return reply;
  }

  /** Cuts all connections; what is under way fails. */
  async close(): Promise<void> {
    this.#isClosed = true;
    const dispatchers = [...this.#dispatchers.values()];
    this.#dispatchers.clear();
    await Promise.all(dispatchers.map((dispatcher) => dispatcher.destroy()));
  }

  async #send(request: HttpRequest): Promise<Dispatcher.ResponseData> {
    const { url, signal, form } = request;
    const { name, events, userAgent } = this.#options;
    const pending = this.#dispatcher(url).request({
      origin: url.origin,
      path: `${url.pathname}${url.search}`,
      method: form === undefined ? 'GET' : 'POST',
      headers: {
        'user-agent': userAgent,
        'accept-encoding': 'identity',
        ...(form === undefined ? {} : { 'content-type': 'application/x-www-form-urlencoded' }),
        ...request.headers,
      },
      highWaterMark: READ_AHEAD_BYTES,
      ...(form === undefined ? {} : { body: form.toString() }),
      ...(signal === undefined ? {} : { signal }),
    });
    try {
      // undici looks at the signal only once a connection is there, so the wait for one has to be cut short here.
      return await abortable(pending, signal);
    } catch (error) {
      pending.then(dropLate, () => undefined);
      events.request(name, 'unreachable');
      signal?.throwIfAborted();
      throw failedRequest(error, url.host);
    }
  }

  #dispatcher(url: URL): Dispatcher {
    if (this.#isClosed) throw new ExchangeError('unreachable', 'the client is closed');
    const { base, clientCertificate, ...others } = this.#options;
    const scheme = url.protocol === 'https:' ? 'https:' : 'http:';
    // The certificate says who we are: a redirect's target or a token service elsewhere has no business knowing.
    const isOwn = clientCertificate === undefined || url.origin === base.origin;
    const key = isOwn ? `${scheme} own` : scheme;
    const known = this.#dispatchers.get(key);
    if (known !== undefined) return known;
    const made = createDispatcher(
      scheme,
      isOwn && clientCertificate !== undefined ? { ...others, clientCertificate } : others,
    );
    this.#dispatchers.set(key, made);
    return made;
  }
}

function dropLate(data: Dispatcher.ResponseData): void {
  data.body.on('error', () => undefined).destroy();
}
