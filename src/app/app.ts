import type { AddressInfo } from 'node:net';
import type { Clock } from '../base/clock.ts';
import { VERSION } from '../base/version.ts';
import type { Config } from '../config/config.ts';
import { ConfigError, type ConfigProblem } from '../config/errors.ts';
import type { LoadedConfig } from '../config/load.ts';
import { Fleet } from '../front/fleet.ts';
import { startFrontProcess } from '../front/front-process.ts';
import type { Collection } from '../metadata/collection.ts';
import { Log, type LogSink } from '../observe/log.ts';
import { type ConfiguredNames, Metrics } from '../observe/metrics.ts';
import { OciError } from '../oci/errors.ts';
import { parseRepositoryName, type Repository } from '../oci/names.ts';
import { ruleName } from '../policy/rule.ts';
import { DecoyIssuer } from '../refusal/decoy.ts';
import { AdminListener, type RefreshResult } from '../server/admin-listener.ts';
import { BypassWatch } from '../server/bypass-watch.ts';
import type { HttpLimits } from '../server/http-limits.ts';
import { RefusalHistory } from '../server/refusal-history.ts';
import type { StatusReport } from '../server/status-report.ts';
import { AnswerCounts } from './answer-memory.ts';
import { ClientMemory } from './client-memory.ts';
import { collectCollectionGauges, collectionStatuses } from './collection-status.ts';
import { observedCoreEvents } from './core-events.ts';
import { collectExceptionGauges, exceptionStatus } from './exceptions.ts';
import { FrontedListeners } from './fronted-listeners.ts';
import { Generation, type Lasting } from './generation.ts';
import { settingsThatLast } from './lasting-settings.ts';
import { type ForListener, type Listeners, OwnListeners } from './listeners.ts';
import { passedAnswer } from './passed.ts';
import { ProcessLimits } from './process-limits.ts';
import { Reloads, type ReloadTrigger } from './reloads.ts';
import { collectTrustGauges, messageOf, repositoryStatuses, type StatusSources } from './status.ts';
import { openStores, type Stores } from './stores.ts';
import { collectUpstreamGauges, serverNames, upstreamStatuses } from './upstream-status.ts';
import { workersOf } from './workers.ts';

const DECOY_SECRET = 'decoy';
/** How many collections are asked for at a time when all are. */
const REFRESHES_AT_ONCE = 16;

/** What the process gives to the application. */
export interface AppOptions {
  readonly config: Config;
  readonly clock: Clock;
  readonly logSink: LogSink;
  /** Warnings of the configuration, for the log. */
  readonly warnings?: readonly ConfigProblem[];
  /** Reads the configuration anew, for `reload`; default: the one given stays. @throws {ConfigError} */
  readonly load?: () => Promise<LoadedConfig>;
  /** The program of worker processes; needed where the configuration asks for some. */
  readonly frontProgram?: URL;
  /** How many files the system lets this process open; default: enough. */
  readonly openFiles?: number | undefined;
}

/** One running Pinnace: all listeners with everything behind them. */
export class App {
  readonly #options: AppOptions;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #metrics: Metrics;
  readonly #stores: Stores;
  readonly #lasting: Lasting;
  readonly #reloads: Reloads;
  readonly #startedAt: number;
  /** What is in force. */
  #generation: Generation;
  /** What was in force before and still has requests to answer. */
  readonly #retiring = new Set<Generation>();
  #listeners: Listeners | undefined;
  #decoys: DecoyIssuer | undefined;
  #admin: AdminListener | undefined;
  #adminAddress: AddressInfo | undefined;
  #isReady = false;
  #stopped: Promise<void> | undefined;

  /**
   * @throws {ConfigError} `config_invalid` when trust cannot begin at a root file
   * @throws {StateError} `state_unreadable`
   */
  constructor(options: AppOptions) {
    const { config, clock, logSink, warnings = [], load, openFiles } = options;
    this.#options = options;
    this.#clock = clock;
    this.#startedAt = clock.now();
    this.#log = new Log(logSink, { level: config.log.level });
    this.#metrics = new Metrics({ version: VERSION, ...namesOf(config) });
    const { content } = observedCoreEvents(this.#log, this.#metrics, () => false);
    this.#stores = openStores(config, { clock, events: content });
    const fleet = this.#createFleet(config);
    this.#lasting = {
      ...(fleet === undefined ? {} : { fleet }),
      ...{ stores: this.#stores, clock, log: this.#log, metrics: this.#metrics },
      answerCounts: new AnswerCounts(),
      refusals: new RefusalHistory(),
      bypassWatch: new BypassWatch({
        clock,
        onWatch: (client, forMs) => fleet?.watch(client, forMs),
      }),
      clientMemory: new ClientMemory(clock, this.#log),
      limits: new ProcessLimits(clock, config, { openFiles, workers: workersOf(config) }),
    };
    this.#generation = new Generation(config, this.#lasting);
    this.#reloads = new Reloads({
      load: load ?? (() => Promise.resolve({ config, warnings })),
      apply: (loaded) => this.#apply(loaded),
      ...{ clock, log: this.#log, metrics: this.#metrics },
    });
    const doubtful = this.#lasting.limits.warnings(config.limits);
    for (const { path, problem } of [...warnings, ...doubtful])
      this.#log.event('config.warning', { path, problem });
  }

  /** The addresses of the registry listeners by name, once started. */
  readonly addresses: Map<string, AddressInfo> = new Map();

  /** The address of the admin listener, once started. */
  get adminAddress(): AddressInfo | undefined {
    return this.#adminAddress;
  }

  /** Binds all listeners; resolves when engines can be sent here. @throws {Error} of `node:net` */
  async start(): Promise<void> {
    await this.#stores.start();
    const { config } = this.#generation;
    this.#metrics.onCollect(() => this.#collect());
    this.#admin = this.#createAdmin(config);
    this.#adminAddress = await this.#admin.start();
    const { address, port } = this.#adminAddress;
    this.#log.event('listener.started', { listener: 'admin', address, port, tls: false });
    const secret = await this.#stores.state.secret(DECOY_SECRET);
    const decoys = new DecoyIssuer({ secret, clock: this.#clock });
    this.#decoys = decoys;
    this.#listeners = this.#createListeners(config, (listener) =>
      this.#generation.forListener(listener, decoys),
    );
    await this.#listeners.start((name, address) => this.addresses.set(name, address));
    this.#generation.start();
    this.#isReady = true;
    this.#log.event('server.started', { version: VERSION, listeners: this.addresses.size });
  }

  /**
   * Reads the configuration anew and puts it in force between two requests; requests under way end by the one they began
   * with. What cannot be used is refused whole, logged and shown, and nothing changes. Before `start` and after `stop` it does
   * nothing. Never throws.
   */
  reload(trigger: ReloadTrigger): Promise<void> {
    return this.#isReady ? this.#reloads.reload(trigger) : Promise.resolve();
  }

  /** Stops taking requests, lets those in flight finish within the configured time, and releases everything. */
  stop(): Promise<void> {
    this.#stopped ??= this.#drainAndRelease();
    return this.#stopped;
  }

  /** @throws {ConfigError} `config_invalid` for what only a restart can change; nothing has changed then */
  async #apply({ config }: LoadedConfig): Promise<void> {
    const [decoys, listeners] = [this.#decoys, this.#listeners];
    if (!this.#isReady || decoys === undefined || listeners === undefined) return;
    const before = this.#generation;
    const problems = settingsThatLast(before.config, config);
    if (problems.length > 0) throw new ConfigError('the configuration', problems);
    const next = new Generation(config, this.#lasting);
    const commit = listeners.prepare(config.listeners, (listener) =>
      next.forListener(listener, decoys),
    );
    // From here on nothing fails and nothing waits: no request sees one half of each.
    this.#generation = next;
    commit();
    this.#lasting.limits.configure(config);
    this.#log.setLevel(config.log.level);
    this.#metrics.configure(namesOf(config));
    next.inherit(before);
    next.start();
    this.#retire(before);
    // In force is what nobody is answered against any more.
    await this.#lasting.fleet?.settled();
  }

  #createListeners(config: Config, now: ForListener): Listeners {
    const { fleet } = this.#lasting;
    if (fleet === undefined) return new OwnListeners(config.listeners, now, clientLimitsOf(config));
    return new FrontedListeners(config.listeners, now, {
      ...{ fleet, dataFolder: config.dataFolder },
      contentFolder: this.#stores.contentFolder,
      logLevel: () => this.#generation.config.log.level,
      limits: () => this.#lasting.limits.shareOf(this.#generation.config.limits),
      ...{ clock: this.#clock, log: this.#log, metrics: this.#metrics },
    });
  }

  /** The processes that serve connections; undefined where this one does. */
  #createFleet(config: Config): Fleet | undefined {
    const size = workersOf(config);
    const { frontProgram } = this.#options;
    if (size === 1) return undefined;
    if (frontProgram === undefined) throw new Error('no program for worker processes is named');
    const fleet = new Fleet({
      ...{ size, clock: this.#clock, log: this.#log, metrics: this.#metrics },
      startProcess: () => startFrontProcess(frontProgram),
      watched: () => this.#lasting.bypassWatch.watched,
    });
    this.#metrics.addFrom(async () => await fleet.counts());
    return fleet;
  }

  #retire(generation: Generation): void {
    this.#retiring.add(generation);
    generation
      .retire()
      .catch((error: unknown) => this.#log.failure('config.release_failed', error))
      .finally(() => this.#retiring.delete(generation));
  }

  async #drainAndRelease(): Promise<void> {
    this.#isReady = false;
    this.#log.event('server.stopping');
    const drainMs = this.#generation.config.limits.drainTimeoutMs;
    const generations = [this.#generation, ...this.#retiring];
    await Promise.all([
      this.#listeners?.stop({ drainMs }),
      this.#generation.ownCollections.stop({ drainMs }),
    ]);
    try {
      await Promise.all(generations.map((generation) => generation.release()));
    } finally {
      try {
        await this.#lasting.clientMemory.close();
        await this.#stores.close();
      } finally {
        await this.#admin?.stop({ drainMs: 1_000 });
        this.#log.event('server.stopped');
        this.#metrics.stop();
      }
    }
  }

  #collect(): void {
    const { hits, misses } = this.#lasting.answerCounts;
    this.#metrics.raiseTo('pinnace_cache_hits_total', { cache: 'answer' }, hits);
    this.#metrics.raiseTo('pinnace_cache_misses_total', { cache: 'answer' }, misses);
    this.#lasting.limits.collect(this.#metrics);
    collectTrustGauges(this.#metrics, this.#statusSources());
    collectExceptionGauges(this.#metrics, this.#generation.core.breakGlass, this.#clock.now());
    const upkeeps = this.#generation.ownCollections.list();
    collectCollectionGauges(this.#metrics, { upkeeps, clock: this.#clock });
    collectUpstreamGauges(this.#metrics, this.#generation.core.registries.servers());
  }

  #statusSources(): StatusSources {
    const { collections, policy } = this.#generation.core;
    return { collections, policy, refusals: this.#lasting.refusals, clock: this.#clock };
  }

  #createAdmin({ admin }: Config): AdminListener {
    const { host, port } = admin.address;
    const metrics = this.#metrics;
    return new AdminListener({
      host,
      port,
      clock: this.#clock,
      log: this.#log,
      ports: {
        metrics: { contentType: metrics.contentType, render: () => metrics.render() },
        status: () => this.#status(),
        isReady: () => this.#isReady && this.#listeners?.isAccepting === true,
        refresh: (repository, { signal }) => this.#refresh(repository, signal),
        passed: (question) =>
          passedAnswer(question, {
            state: this.#stores.state,
            policy: this.#generation.core.policy,
          }),
      },
    });
  }

  #status(): StatusReport {
    const lastReload = this.#reloads.last;
    const { fleet } = this.#lasting;
    const upkeeps = this.#generation.ownCollections.list();
    return {
      version: VERSION,
      startedAt: new Date(this.#startedAt).toISOString(),
      isReady: this.#isReady,
      ...(lastReload === undefined ? {} : { lastReload }),
      ...exceptionStatus(this.#generation, this.#clock.now()),
      repositories: repositoryStatuses(this.#statusSources()),
      ...(upkeeps.length === 0 ? {} : { collections: collectionStatuses(upkeeps) }),
      upstreams: upstreamStatuses(this.#generation.core.registries.servers(), this.#clock),
      limits: this.#lasting.limits.statuses(),
      ...(fleet === undefined ? {} : { workers: fleet.statuses }),
      suspectedBypasses: this.#lasting.bypassWatch.listed,
    };
  }

  /** @returns undefined for a repository that no rule has verified */
  async #refresh(
    repository: string | undefined,
    signal: AbortSignal,
  ): Promise<RefreshResult | undefined> {
    const chosen = this.#collectionsOf(repository);
    if (chosen === undefined) return undefined;
    const refreshed: string[] = [];
    const failed: { repository: string; reason: string }[] = [];
    const waiting = chosen.values();
    const work = async (): Promise<void> => {
      for (const collection of waiting) {
        if (signal.aborted) return;
        const { gun } = collection.key;
        try {
          await collection.refreshAnew();
          refreshed.push(gun);
        } catch (error) {
          failed.push({ repository: gun, reason: messageOf(error) });
        }
      }
    };
    await Promise.all(Array.from({ length: REFRESHES_AT_ONCE }, work));
    // Whoever hears that it is done must not be given an older answer by anybody.
    await this.#lasting.fleet?.settled();
    return { refreshed, failed };
  }

  /** The collection of a repository, or all that are in use; undefined when no rule has the repository verified. */
  #collectionsOf(name: string | undefined): readonly Collection[] | undefined {
    const { collections, policy } = this.#generation.core;
    if (name === undefined) return collections.list();
    const repository = repositoryNamed(name);
    if (repository === undefined) return undefined;
    const sources = policy
      .rulesOf(repository)
      .all.flatMap(({ requirement }) =>
        requirement.kind === 'verified' ? [requirement.source] : [],
      );
    if (sources.length === 0) return undefined;
    return [...new Set(sources)].map((source) => collections.open({ source, gun: name }));
  }
}

function repositoryNamed(name: string): Repository | undefined {
  try {
    return parseRepositoryName(name);
  } catch (error) {
    if (error instanceof OciError) return undefined;
    throw error;
  }
}

function clientLimitsOf({ limits }: Config): Partial<HttpLimits> {
  return { idleTimeoutMs: limits.idleTimeoutMs, minRate: limits.minRate };
}

function namesOf(config: Config): ConfiguredNames {
  return {
    rules: config.rules.map((rule) => ({
      rule: ruleName(rule),
      trust: rule.requirement.kind === 'verified' ? rule.requirement.source : 'none',
      audit: rule.audit ?? false,
    })),
    upstreams: serverNames(config),
    collections: config.collections.map(({ name }) => name),
  };
}
