import type { Clock } from '../base/clock.ts';
import { withDeadline } from './deadline.ts';
import { ExchangeError } from './errors.ts';
import type { UpstreamEvents } from './events.ts';
import { HttpClient } from './http-client.ts';
import type { ProxyOptions } from './http-dispatcher.ts';

/** Where a small document is, and how it is fetched. */
export interface SmallDocumentOptions {
  /** What its server is called in events. */
  readonly name: string;
  readonly url: string;
  /** PEM text of certificate authorities trusted in addition to the usual roots. */
  readonly ca?: string;
  readonly proxy?: ProxyOptions;
  /** The most bytes accepted. */
  readonly maxBytes: number;
  readonly version: string;
  readonly clock: Clock;
  readonly events: UpstreamEvents;
}

/** Milliseconds for all of it: somebody waits for a login. */
const TIMEOUT_MS = 10_000;

/** A document that is fetched whole from one URL, with no login and along no redirect. */
export class SmallDocument {
  readonly #options: SmallDocumentOptions;
  readonly #http: HttpClient;

  constructor(options: SmallDocumentOptions) {
    this.#options = options;
    const timeouts = {
      connectMs: TIMEOUT_MS,
      headersMs: TIMEOUT_MS,
      bodyIdleMs: TIMEOUT_MS,
      totalMs: TIMEOUT_MS,
    };
    this.#http = new HttpClient({
      ...options,
      base: new URL(options.url),
      timeouts,
      userAgent: `pinnace/${options.version}`,
    });
  }

  /** Fetches it. @throws {ExchangeError} */
  async fetch(): Promise<string> {
    const { clock, maxBytes, url } = this.#options;
    return await withDeadline({ clock, timeoutMs: TIMEOUT_MS }, async (signal) => {
      const reply = await this.#http.request({ url: new URL(url), signal });
      if (reply.status !== 200) {
        reply.discard();
        const message = `${reply.host} answered with status ${reply.status}`;
        throw new ExchangeError('unexpected', message, { detail: { status: reply.status } });
      }
      return new TextDecoder().decode(await reply.read(maxBytes));
    });
  }

  /** Cuts its connections. */
  async close(): Promise<void> {
    await this.#http.close();
  }
}
