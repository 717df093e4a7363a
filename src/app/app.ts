import type { AddressInfo } from 'node:net';
import type { Clock } from '../base/clock.ts';
import { VERSION } from '../base/version.ts';
import type { Config, ListenerConfig } from '../config/config.ts';
import type { Collection } from '../metadata/collection.ts';
import { Log, type LogSink } from '../observe/log.ts';
import { Metrics } from '../observe/metrics.ts';
import { OciError } from '../oci/errors.ts';
import { HostNames } from '../oci/host-names.ts';
import { parseRegistryHost, parseRepositoryName, type Repository } from '../oci/names.ts';
import { DecoyIssuer } from '../refusal/decoy.ts';
import { AdminListener, type RefreshResult } from '../server/admin-listener.ts';
import { BypassWatch } from '../server/bypass-watch.ts';
import { CanaryPulls } from '../server/canary-pulls.ts';
import { RefusalHistory } from '../server/refusal-history.ts';
import type { RegistryContext } from '../server/registry-context.ts';
import { RegistryListener } from '../server/registry-listener.ts';
import { Relay } from '../server/relay.ts';
import { observedCoreEvents } from './core-events.ts';
import { createPullCore, type PullCore } from './pull-core.ts';
import { collectTrustGauges, messageOf, repositoryStatuses, type StatusSources } from './status.ts';

const DECOY_SECRET = 'decoy';
/** How many collections are asked for at a time when all are. */
const REFRESHES_AT_ONCE = 16;

/** What the process gives to the application. */
export interface AppOptions {
  readonly config: Config;
  readonly clock: Clock;
  readonly logSink: LogSink;
  /** Warnings of the configuration, for the log. */
  readonly warnings?: readonly { readonly path: string; readonly problem: string }[];
}

/** One running Pinnace: all listeners with everything behind them. */
export class App {
  readonly #config: Config;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #metrics: Metrics;
  readonly #core: PullCore;
  readonly #refusals = new RefusalHistory();
  readonly #bypassWatch: BypassWatch;
  readonly #startedAt: number;
  #listeners: readonly RegistryListener[] = [];
  #admin: AdminListener | undefined;
  #adminAddress: AddressInfo | undefined;
  #relay: Relay | undefined;
  #isReady = false;
  #stopped: Promise<void> | undefined;
  /** Whether what is under way is being broken off, so that its failing says nothing. */
  #isReleasing = false;

  /** @throws {StateError} `state_unreadable` */
  constructor({ config, clock, logSink, warnings = [] }: AppOptions) {
    this.#config = config;
    this.#clock = clock;
    this.#startedAt = clock.now();
    this.#bypassWatch = new BypassWatch({ clock });
    this.#log = new Log(logSink, { level: config.log.level });
    this.#metrics = new Metrics({
      version: VERSION,
      rules: config.rules.map(({ match, requirement }) => ({
        rule: match,
        trust: requirement.kind === 'verified' ? requirement.source : 'none',
      })),
      upstreams: [...config.upstreams.keys()],
    });
    const events = observedCoreEvents(this.#log, this.#metrics, () => this.#isReleasing);
    this.#core = createPullCore(config, { version: VERSION, clock, events });
    for (const { path, problem } of warnings) this.#log.event('config.warning', { path, problem });
  }

  /** The addresses of the registry listeners by name, once started. */
  readonly addresses: Map<string, AddressInfo> = new Map();

  /** The address of the admin listener, once started. */
  get adminAddress(): AddressInfo | undefined {
    return this.#adminAddress;
  }

  /** Binds all listeners; resolves when engines can be sent here. @throws {Error} of `node:net` */
  async start(): Promise<void> {
    await this.#core.start();
    const sources = this.#statusSources();
    this.#metrics.onCollect(() => this.#collect(sources));
    this.#admin = this.#createAdmin(sources);
    this.#adminAddress = await this.#admin.start();
    const { address, port } = this.#adminAddress;
    this.#log.event('listener.started', { listener: 'admin', address, port, tls: false });
    const context = await this.#registryContext();
    this.#listeners = this.#config.listeners.map((listener) =>
      createListener(listener, this.#contextOf(listener, context)),
    );
    for (const [index, listener] of this.#listeners.entries()) {
      this.addresses.set(this.#config.listeners[index]?.name ?? '', await listener.start());
    }
    this.#core.collections.start();
    this.#isReady = true;
    this.#log.event('server.started', { version: VERSION, listeners: this.#listeners.length });
  }

  /** Stops taking requests, lets those in flight finish within the configured time, and releases everything. */
  stop(): Promise<void> {
    this.#stopped ??= this.#drainAndRelease();
    return this.#stopped;
  }

  async #drainAndRelease(): Promise<void> {
    this.#isReady = false;
    this.#log.event('server.stopping');
    const drainMs = this.#config.limits.drainTimeoutMs;
    await Promise.all(this.#listeners.map((listener) => listener.stop({ drainMs })));
    this.#isReleasing = true;
    this.#relay?.close();
    try {
      await this.#core.stop();
    } finally {
      await this.#admin?.stop({ drainMs: 1_000 });
      this.#log.event('server.stopped');
      this.#metrics.stop();
    }
  }

  #collect(sources: StatusSources): void {
    const { hits, misses } = this.#core.answers;
    this.#metrics.raiseTo('pinnace_cache_hits_total', { cache: 'answer' }, hits);
    this.#metrics.raiseTo('pinnace_cache_misses_total', { cache: 'answer' }, misses);
    collectTrustGauges(this.#metrics, sources);
  }

  #statusSources(): StatusSources {
    const { collections, policy } = this.#core;
    return { collections, policy, refusals: this.#refusals, clock: this.#clock };
  }

  async #registryContext(): Promise<RegistryContext> {
    const { pulls, state } = this.#core;
    const clock = this.#clock;
    this.#relay = this.#createRelay();
    return {
      pulls,
      upstreams: new Set(this.#config.upstreams.keys()),
      decoys: new DecoyIssuer({ secret: await state.secret(DECOY_SECRET), clock }),
      relay: this.#relay,
      bypassWatch: this.#bypassWatch,
      refusals: this.#refusals,
      clock,
      metrics: this.#metrics,
      log: this.#log,
    };
  }

  #contextOf(listener: ListenerConfig, context: RegistryContext): RegistryContext {
    if (!this.#config.canaries) return context;
    const { pulls, upstreams } = context;
    return { ...context, pulls: new CanaryPulls(pulls, listener, upstreams) };
  }

  #createRelay(): Relay {
    const { registries } = this.#core;
    return new Relay({
      clock: this.#clock,
      originOf: (registry) => {
        const { url, ca } = registries.originOf(registry);
        const proxy = this.#config.upstreams.get(registry)?.proxy ?? {};
        return { url: new URL(url), proxy, ...(ca === undefined ? {} : { ca }) };
      },
      authorization: (repository) => registries.authorization(repository),
    });
  }

  #createAdmin(sources: StatusSources): AdminListener {
    const { host, port } = this.#config.admin.address;
    const metrics = this.#metrics;
    return new AdminListener({
      host,
      port,
      clock: this.#clock,
      log: this.#log,
      ports: {
        metrics: { contentType: metrics.contentType, render: () => metrics.render() },
        status: () => ({
          version: VERSION,
          startedAt: new Date(this.#startedAt).toISOString(),
          isReady: this.#isReady,
          repositories: repositoryStatuses(sources),
          suspectedBypasses: this.#bypassWatch.listed,
        }),
        isReady: () => this.#isReady,
        refresh: (repository, { signal }) => this.#refresh(repository, signal),
      },
    });
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
    return { refreshed, failed };
  }

  /** The collection of a repository, or all that are in use; undefined when no rule has the repository verified. */
  #collectionsOf(name: string | undefined): readonly Collection[] | undefined {
    const { collections, policy } = this.#core;
    if (name === undefined) return collections.list();
    const repository = repositoryNamed(name);
    const requirement = repository && policy.match(repository)?.requirement;
    if (requirement?.kind !== 'verified') return undefined;
    return [collections.open({ source: requirement.source, gun: name })];
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

function createListener(config: ListenerConfig, context: RegistryContext): RegistryListener {
  const { name, address, refusal, defaultRegistry, tls } = config;
  const hosts = Array.from(
    config.hosts,
    ([host, registry]) => [host, parseRegistryHost(registry)] as const,
  );
  return new RegistryListener({
    host: address.host,
    port: address.port,
    ...(tls === undefined ? {} : { tls }),
    profile: {
      name,
      refusal,
      naming:
        defaultRegistry === undefined
          ? {}
          : { defaultRegistry: parseRegistryHost(defaultRegistry) },
      ...(hosts.length === 0 ? {} : { hosts: new HostNames(hosts) }),
    },
    context,
  });
}
