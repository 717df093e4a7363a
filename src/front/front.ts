import type { Socket } from 'node:net';
import { join } from 'node:path';
import type { Clock, Timer } from '../base/clock.ts';
import { VERSION } from '../base/version.ts';
import { collectLimit } from '../observe/limit-use.ts';
import { Log, type LogSink } from '../observe/log.ts';
import { Metrics } from '../observe/metrics.ts';
import { ByteBudget } from '../resolve/byte-budget.ts';
import { ConnectionPlaces } from '../server/connection-places.ts';
import { RequestCount } from '../server/request-count.ts';
import { RequestPlaces } from '../server/request-places.ts';
import { FileAnswers } from './file-answers.ts';
import { FrontListener, type FrontListenerOptions } from './front-listener.ts';
import { InnerRelay } from './inner-relay.ts';
import { KeptAnswers, type SeenAnswer } from './kept-answers.ts';
import { KeptFiles } from './kept-files.ts';
import type { FromFront, FrontLimits, FrontSettings, ToFront } from './messages.ts';
import { StoredFiles } from './stored-files.ts';
import { WatchedClients } from './watched-clients.ts';

/** What a front lives on. */
export interface FrontOptions {
  readonly clock: Clock;
  readonly logSink: LogSink;
  /** Tells the core something; `onTold` is called when that is on its way. */
  readonly tell: (message: FromFront, onTold?: () => void) => void;
  /** Called when there is nothing left to do. */
  readonly onEnd: () => void;
}

/** What the parts of a front share, once the core has told it to begin. */
interface Running {
  readonly listeners: ReadonlyMap<string, FrontListener>;
  readonly relay: InnerRelay;
  readonly kept: KeptAnswers;
  readonly keptFiles: KeptFiles;
}

/** What bounds what a front takes on at once. */
interface FrontPlaces {
  readonly connections: ConnectionPlaces;
  readonly memory: ByteBudget;
}

/** The core bounds what is under way; what a front answers by itself is over at once. */
const NO_LIMIT = { requests: Number.MAX_SAFE_INTEGER, queue: 0, queueTimeoutMs: 0 };

/** How often the core is told what was counted, so that little is lost with a front that dies; milliseconds. */
const COUNTS_EVERY_MS = 1_000;

/** One front: it speaks HTTP and TLS with engines, and asks the core for the answers. */
export class Front {
  readonly #options: FrontOptions;
  readonly #log: Log;
  readonly #metrics: Metrics;
  readonly #watched: WatchedClients;
  #running: Running | undefined;
  #places: FrontPlaces | undefined;
  #reporting: Timer | undefined;

  constructor(options: FrontOptions) {
    this.#options = options;
    this.#log = new Log(options.logSink);
    this.#metrics = new Metrics({ version: VERSION, isFront: true });
    this.#watched = new WatchedClients(options.clock);
  }

  /** Does what the core says. @param socket - that of a `connection`; absent when the client is gone already */
  async hear(message: ToFront, socket?: Socket): Promise<void> {
    switch (message.type) {
      case 'begin':
        await this.#begin(message.settings, message.epoch);
        break;
      case 'configure':
        this.#running?.kept.forget(message.epoch, undefined);
        this.#running?.keptFiles.forget(message.epoch);
        this.#configure(message.settings);
        this.#options.tell({ type: 'settled', epoch: message.epoch });
        break;
      case 'forget':
        this.#running?.kept.forget(message.epoch, message.scope);
        this.#running?.keptFiles.forget(message.epoch);
        this.#options.tell({ type: 'settled', epoch: message.epoch });
        break;
      case 'watch':
        this.#watched.watch(message.client, message.forMs);
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

  async #begin(settings: FrontSettings, epoch: number): Promise<void> {
    const { clock } = this.#options;
    const log = this.#log;
    log.setLevel(settings.logLevel);
    const kept = new KeptAnswers(clock, epoch);
    const keptFiles = new KeptFiles(clock, epoch);
    const keep = (key: string, seen: SeenAnswer): void => kept.keep(key, seen);
    const counting = this.#counting();
    const places = this.#createPlaces(settings.limits);
    const stored = new StoredFiles({
      ...{ folder: settings.contentFolder, budget: places.memory, clock },
    });
    const files = new FileAnswers(counting.context, stored);
    const relay = new InnerRelay({
      ...{ ...settings, clock, log, keep },
      keepFile: (...seen) => keptFiles.keep(...seen),
      giveFile: async (passed, answer) => await files.give(passed, answer),
    });
    const shared = {
      ...{
        relay,
        kept,
        keptFiles,
        files,
        watched: this.#watched,
        connections: places.connections,
        limits: settings.limits,
      },
      ...counting,
    };
    const listeners = new Map(
      settings.listeners.map((listener) => [listener.name, new FrontListener(listener, shared)]),
    );
    this.#running = { listeners, relay, kept, keptFiles };
    for (const [index, listener] of [...listeners.values()].entries()) {
      await listener.start(join(settings.runFolder, `front-${process.pid}-${index}.sock`));
    }
    this.#options.tell({ type: 'ready' });
    this.#reportAgain();
  }

  #createPlaces(limits: FrontLimits): FrontPlaces {
    const { clock } = this.#options;
    const connections = new ConnectionPlaces(clock, limits);
    const memory = new ByteBudget(clock, limits.memory);
    this.#metrics.onCollect(() => {
      collectLimit(this.#metrics, 'connections', connections);
      collectLimit(this.#metrics, 'buffered_bytes', memory);
    });
    this.#places = { connections, memory };
    return this.#places;
  }

  #counting(): Pick<FrontListenerOptions, 'context' | 'hits'> {
    const { clock } = this.#options;
    const [log, metrics] = [this.#log, this.#metrics];
    const places = new RequestPlaces(clock, NO_LIMIT);
    return {
      context: { requests: new RequestCount(), places, clock, metrics, log },
      hits: {
        answers: metrics.tally('pinnace_cache_hits_total', { cache: 'answer' }),
        blobs: metrics.tally('pinnace_cache_hits_total', { cache: 'blob' }),
      },
    };
  }

  #take(listener: string, socket: Socket): void {
    const found = this.#running?.listeners.get(listener);
    if (found === undefined) socket.destroy();
    else found.take(socket);
  }

  #configure(settings: FrontSettings): void {
    this.#places?.connections.configure(settings.limits);
    this.#places?.memory.configure(settings.limits.memory);
    this.#log.setLevel(settings.logLevel);
    for (const next of settings.listeners) {
      this.#running?.listeners.get(next.name)?.configure(next);
    }
  }

  #reportAgain(): void {
    void this.#report();
    this.#reporting = this.#options.clock.after(COUNTS_EVERY_MS, () => this.#reportAgain());
  }

  async #report(id?: number): Promise<void> {
    const metrics = await this.#metrics.snapshot({ isInterim: id === undefined });
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#options.tell({ type: 'counts', metrics, ...(id === undefined ? {} : { id }) }, resolve);
    await promise;
  }

  async #drain(drainMs: number): Promise<void> {
    const listeners = [...(this.#running?.listeners.values() ?? [])];
    await Promise.all(listeners.map(async (listener) => await listener.stop({ drainMs })));
    this.#reporting?.cancel();
    await this.#report();
    this.#running?.relay.close();
    this.#metrics.stop();
    this.#options.onEnd();
  }
}
