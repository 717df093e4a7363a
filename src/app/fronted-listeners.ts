import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import type { Clock } from '../base/clock.ts';
import type { ListenerConfig } from '../config/config.ts';
import { Door } from '../front/door.ts';
import type { Fleet } from '../front/fleet.ts';
import { type InnerAnswer, InnerListener } from '../front/inner-listener.ts';
import type { FrontLimits, FrontListenerSettings, FrontSettings } from '../front/messages.ts';
import { makeRunFolder, type RunFolder } from '../front/run-folder.ts';
import type { Log, LogLevel } from '../observe/log.ts';
import type { Metrics } from '../observe/metrics.ts';
import { hostEvents } from '../server/host-events.ts';
import { requireUsableIdentity } from '../server/http-host.ts';
import { mayStopHard } from '../server/refusal-answer.ts';
import { RegistryHandler } from '../server/registry-handler.ts';
import { announceListener, type NextConfiguration } from '../server/registry-listener.ts';
import type { ForListener, Listeners, OnBound } from './listeners.ts';

/** What fronted listeners are made of. */
export interface FrontedListenersOptions {
  readonly fleet: Fleet;
  readonly dataFolder: string;
  readonly contentFolder: string;
  /** The least level that is logged now. */
  readonly logLevel: () => LogLevel;
  /** What each front takes on now. */
  readonly limits: () => FrontLimits;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
}

interface Fronted {
  readonly config: ListenerConfig;
  next: NextConfiguration;
  answer: InnerAnswer;
}

/** Listeners whose connections front processes serve; what they answer is found out here, for all of them. */
export class FrontedListeners implements Listeners {
  readonly #options: FrontedListenersOptions;
  readonly #listeners: ReadonlyMap<string, Fronted>;
  readonly #doors: Door[] = [];
  readonly #secret = randomBytes(32).toString('hex');
  #folder: RunFolder | undefined;
  #inner: InnerListener | undefined;

  constructor(
    listeners: readonly ListenerConfig[],
    now: ForListener,
    options: FrontedListenersOptions,
  ) {
    this.#options = options;
    this.#listeners = new Map(
      listeners.map((config) => {
        const next = now(config);
        return [config.name, { config, next, answer: answerBy(next) }];
      }),
    );
  }

  get isAccepting(): boolean {
    return this.#options.fleet.isAccepting;
  }

  async start(onBound: OnBound): Promise<void> {
    const { clock, log, dataFolder } = this.#options;
    for (const [name, { config, next }] of this.#listeners) {
      const { onAcceptError } = hostEvents(name, this.#options);
      const door = new Door((socket) => this.#options.fleet.take(name, socket), onAcceptError);
      this.#doors.push(door);
      const address = await door.start(config.address);
      onBound(name, address);
      announceListener(log, address, next);
    }
    this.#folder = await makeRunFolder(dataFolder);
    this.#inner = new InnerListener({
      ...{ path: this.#socketPath(), secret: this.#secret, clock },
      answerOf: (listener) => this.#listeners.get(listener)?.answer,
      settled: () => this.#options.fleet.settled(),
    });
    await this.#inner.start();
    await this.#options.fleet.start(() => this.#settings());
  }

  prepare(listeners: readonly ListenerConfig[], next: ForListener): () => void {
    const commits = listeners.flatMap((config) => {
      const fronted = this.#listeners.get(config.name);
      if (fronted === undefined) return [];
      const wanted = next(config);
      if (wanted.tls !== undefined) requireUsableIdentity(wanted.tls);
      const answer = answerBy(wanted);
      return () => {
        fronted.next.context.keeper?.retire();
        fronted.next = wanted;
        fronted.answer = answer;
      };
    });
    return () => {
      for (const commit of commits) commit();
      this.#options.fleet.configure();
    };
  }

  async stop({ drainMs }: { readonly drainMs: number }): Promise<void> {
    for (const door of this.#doors) door.close();
    await this.#options.fleet.stop({ drainMs });
    await this.#inner?.stop({ drainMs: 0 });
    await this.#folder?.remove();
  }

  #socketPath(): string {
    return join(this.#folder?.path ?? '', 'core.sock');
  }

  #settings(): FrontSettings {
    const { contentFolder, logLevel, limits } = this.#options;
    return {
      listeners: [...this.#listeners.values()].map(frontListener),
      logLevel: logLevel(),
      limits: limits(),
      socketPath: this.#socketPath(),
      secret: this.#secret,
      runFolder: this.#folder?.path ?? '',
      contentFolder,
    };
  }
}

function frontListener({ config, next }: Fronted): FrontListenerSettings {
  const { tls, profile, context } = next;
  return {
    name: config.name,
    mayKeep: profile.gate === undefined,
    hasHosts: profile.hosts !== undefined,
    waits: mayStopHard({ listener: profile, context }),
    ...(tls === undefined ? {} : { tls }),
  };
}

function answerBy({ context, profile }: NextConfiguration): InnerAnswer {
  const handler = new RegistryHandler(context, profile);
  return (request, response, { peer, isSurplus }) => {
    if (isSurplus) handler.dismiss(request, response, peer);
    else handler.handle(request, response, peer);
  };
}
