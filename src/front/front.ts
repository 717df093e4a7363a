import type { Socket } from 'node:net';
import { join } from 'node:path';
import type { Clock, Timer } from '../base/clock.ts';
import { VERSION } from '../base/version.ts';
import { collectLimit } from '../observe/limit-use.ts';
import { Log, type LogSink } from '../observe/log.ts';
import { Metrics } from '../observe/metrics.ts';
import { ConnectionDoor } from '../server/connection-door.ts';
import { ConnectionPlaces } from '../server/connection-places.ts';
import { hostEvents } from '../server/host-events.ts';
import { HttpHost } from '../server/http-host.ts';
import { InnerRelay } from './inner-relay.ts';
import type {
  FromFront,
  FrontLimits,
  FrontListenerSettings,
  FrontSettings,
  ToFront,
} from './messages.ts';

/** What a front lives on. */
export interface FrontOptions {
  readonly clock: Clock;
  readonly logSink: LogSink;
  /** Tells the core something; `onTold` is called when that is on its way. */
  readonly tell: (message: FromFront, onTold?: () => void) => void;
  /** Called when there is nothing left to do. */
  readonly onEnd: () => void;
}

interface Listener {
  readonly host: HttpHost;
  settings: FrontListenerSettings;
}

/** How often the core is told what was counted, so that little is lost with a front that dies; milliseconds. */
const COUNTS_EVERY_MS = 1_000;

/** One front: it speaks HTTP and TLS with engines, and asks the core for the answers. */
export class Front {
  readonly #options: FrontOptions;
  readonly #log: Log;
  readonly #metrics: Metrics;
  readonly #listeners = new Map<string, Listener>();
  #relay: InnerRelay | undefined;
  #connections: ConnectionPlaces | undefined;
  #reporting: Timer | undefined;

  constructor(options: FrontOptions) {
    this.#options = options;
    this.#log = new Log(options.logSink);
    this.#metrics = new Metrics({ version: VERSION, isFront: true });
  }

  /** Does what the core says. @param socket - that of a `connection`; absent when the client is gone already */
  async hear(message: ToFront, socket?: Socket): Promise<void> {
    switch (message.type) {
      case 'begin':
        await this.#begin(message.settings);
        break;
      case 'configure':
        this.#configure(message.settings);
        this.#options.tell({ type: 'settled', epoch: message.epoch });
        break;
      case 'forget':
        this.#options.tell({ type: 'settled', epoch: message.epoch });
        break;
      case 'watch':
        break;
      case 'connection':
        this.#options.tell({ type: 'taken', id: message.id });
        if (socket !== undefined) this.#take(message.listener, socket);
        break;
      case 'count':
        await this.#report(message.id);
        break;
      case 'drain':
        await this.#drain(message.drainMs);
        break;
    }
  }

  async #begin(settings: FrontSettings): Promise<void> {
    const { clock, tell } = this.#options;
    this.#relay = new InnerRelay({ ...settings, log: this.#log });
    this.#log.setLevel(settings.logLevel);
    const places = new ConnectionPlaces(clock, settings.limits);
    this.#connections = places;
    this.#metrics.onCollect(() => collectLimit(this.#metrics, 'connections', places));
    for (const [index, listener] of settings.listeners.entries()) {
      const host = this.#createHost(listener, settings.limits, places);
      this.#listeners.set(listener.name, { host, settings: listener });
      await host.startAt(join(settings.runFolder, `front-${process.pid}-${index}.sock`));
    }
    tell({ type: 'ready' });
    const report = (): void => {
      void this.#report();
      this.#reporting = clock.after(COUNTS_EVERY_MS, report);
    };
    report();
  }

  #createHost(
    { name, tls }: FrontListenerSettings,
    { idleTimeoutMs, minRate }: FrontLimits,
    places: ConnectionPlaces,
  ): HttpHost {
    const { clock } = this.#options;
    return new HttpHost({
      clock,
      ...(tls === undefined ? {} : { tls, http2: true }),
      limits: { idleTimeoutMs, minRate },
      door: new ConnectionDoor({ places, clock, waits: () => this.#waits(name) }),
      onRequest: (request, response, isSurplus) =>
        this.#relay?.pass(name, request, response, isSurplus),
      ...hostEvents(name, { clock, log: this.#log, metrics: this.#metrics }),
    });
  }

  #waits(name: string): boolean {
    return this.#listeners.get(name)?.settings.waits ?? false;
  }

  #take(listener: string, socket: Socket): void {
    const found = this.#listeners.get(listener);
    if (found === undefined) socket.destroy();
    else found.host.take(socket);
  }

  #configure(settings: FrontSettings): void {
    this.#connections?.configure(settings.limits);
    this.#log.setLevel(settings.logLevel);
    for (const next of settings.listeners) {
      const listener = this.#listeners.get(next.name);
      if (listener === undefined) continue;
      listener.settings = next;
      // The core has seen that it can be used.
      if (next.tls !== undefined) listener.host.prepareIdentity(next.tls)();
    }
  }

  async #report(id?: number): Promise<void> {
    const metrics = await this.#metrics.snapshot({ isInterim: id === undefined });
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#options.tell({ type: 'counts', metrics, ...(id === undefined ? {} : { id }) }, resolve);
    await promise;
  }

  async #drain(drainMs: number): Promise<void> {
    const hosts = [...this.#listeners.values()].map(({ host }) => host);
    await Promise.all(hosts.map(async (host) => await host.stop({ drainMs })));
    this.#reporting?.cancel();
    await this.#report();
    this.#relay?.close();
    this.#metrics.stop();
    this.#options.onEnd();
  }
}
