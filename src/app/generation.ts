import type { Clock } from '../base/clock.ts';
import { VERSION } from '../base/version.ts';
import type { Config, ListenerConfig } from '../config/config.ts';
import { sameSources } from '../config/same-sources.ts';
import type { Fleet } from '../front/fleet.ts';
import { HeldPulls, HeldTrustFiles } from '../front/held-services.ts';
import { FrontKeeper, scopeOf } from '../front/keeper.ts';
import type { CollectionKey } from '../metadata/ports.ts';
import type { Log } from '../observe/log.ts';
import type { Metrics } from '../observe/metrics.ts';
import { HostNames } from '../oci/host-names.ts';
import { parseRegistryHost, type Repository, type Tag } from '../oci/names.ts';
import type { DecoyIssuer } from '../refusal/decoy.ts';
import { CompletePulls, type CompletionEvents } from '../resolve/complete-pulls.ts';
import type { PullService } from '../resolve/pull-service.ts';
import type { BypassWatch } from '../server/bypass-watch.ts';
import { CanaryPulls } from '../server/canary-pulls.ts';
import type { RefusalHistory } from '../server/refusal-history.ts';
import type { ListenerProfile, RegistryContext } from '../server/registry-context.ts';
import type { NextConfiguration } from '../server/registry-listener.ts';
import { Relay } from '../server/relay.ts';
import { RequestCount } from '../server/request-count.ts';
import type { AnswerCounts } from './answer-memory.ts';
import { ClientGates } from './client-gates.ts';
import type { ClientMemory } from './client-memory.ts';
import { observedUpkeep } from './collection-events.ts';
import { observedCoreEvents } from './core-events.ts';
import { OwnCollections } from './own-collections.ts';
import type { ProcessLimits } from './process-limits.ts';
import { assembleCore, type PullCore } from './pull-core.ts';
import type { Stores } from './stores.ts';

/** What all configurations of a process share: what is on disk, what is counted, and what is remembered of engines. */
export interface Lasting {
  readonly stores: Stores;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly answerCounts: AnswerCounts;
  readonly refusals: RefusalHistory;
  readonly bypassWatch: BypassWatch;
  readonly clientMemory: ClientMemory;
  /** The processes that serve connections; absent where this one does. */
  readonly fleet?: Fleet;
  readonly limits: ProcessLimits;
}

type ForFronts = Pick<RegistryContext, 'pulls' | 'trustFiles' | 'keeper'>;

interface Fronted extends Pick<RegistryContext, 'pulls' | 'trustFiles'> {
  readonly listener: ListenerConfig;
}

/**
 * Everything that follows from one configuration. A reload makes another one beside it, has the listeners ask that one, and
 * retires this: nothing that was concluded under one configuration is known to another, but for what is on disk, and how the
 * metadata of trust sources stands that are configured the same in both (docs/adr/0015).
 */
export class Generation {
  readonly config: Config;
  readonly core: PullCore;
  readonly ownCollections: OwnCollections;
  readonly #lasting: Lasting;
  readonly #relay: Relay;
  readonly #completions: CompletionEvents;
  readonly #gates: ClientGates;
  readonly #requests = new RequestCount();
  /** Whether what is under way is being broken off, so that its failing says nothing. */
  #isReleasing = false;
  #released: Promise<void> | undefined;

  readonly #forget = (key: CollectionKey): void => this.#lasting.fleet?.forget(scopeOf(key));

  /** @throws {ConfigError} `config_invalid` when trust cannot begin at a root file */
  constructor(config: Config, lasting: Lasting) {
    const { stores, clock, log, metrics, answerCounts, limits } = lasting;
    this.config = config;
    this.#lasting = lasting;
    const events = observedCoreEvents(log, metrics, () => this.#isReleasing);
    this.#completions = events.completions;
    const collections = { ...events.collections, superseded: this.#forget };
    this.core = assembleCore(config, stores, {
      ...{ version: VERSION, clock, answerCounts, limits },
      events: { ...events, collections },
    });
    this.#relay = createRelay(this.core, config, clock);
    const upkeep = observedUpkeep(log, metrics);
    this.ownCollections = new OwnCollections(config, { clock, events: upkeep });
    this.#gates = new ClientGates(config.clients, {
      ...{ clock, log, memory: lasting.clientMemory, events: events.upstream },
      secret: async (name) => await stores.state.secret(name),
    });
  }

  /** What a listener answers by. */
  forListener(listener: ListenerConfig, decoys: DecoyIssuer): NextConfiguration {
    const { tls, clients = '' } = listener;
    const gate = this.#gates.of(clients);
    const asking = this.config.clients.get(clients);
    const clientCa = asking?.kind === 'mtls' ? { clientCa: asking.clientCa } : {};
    return {
      context: this.#contextOf(listener, decoys),
      profile: { ...profileOf(listener), ...(gate === undefined ? {} : { gate }) },
      ...(tls === undefined ? {} : { tls: { ...tls, ...clientCa } }),
    };
  }

  /** Goes on where the metadata of `earlier` stands, of sources that are configured as they were there. */
  inherit(earlier: Generation): void {
    const isSame = sameSources(earlier.config, this.config);
    this.core.collections.inherit(earlier.core.collections, isSame);
  }

  /** Begins the background work. */
  start(): void {
    this.core.collections.start();
    this.ownCollections.start();
  }

  /** Ends the background work now, and releases everything when the last request that began here has ended. */
  async retire(): Promise<void> {
    this.core.collections.stop();
    const { drainTimeoutMs } = this.config.limits;
    await Promise.all([
      this.ownCollections.stop({ drainMs: drainTimeoutMs }),
      this.#requests.idle(),
    ]);
    await this.release();
  }

  /** Breaks off what is under way and releases what is held open, but not what is shared. */
  release(): Promise<void> {
    this.#isReleasing = true;
    this.#released ??= this.#release();
    return this.#released;
  }

  async #release(): Promise<void> {
    this.#relay.close();
    await this.#gates.close();
    await this.ownCollections.stop({ drainMs: 0 });
    await this.core.stop();
  }

  #contextOf(listener: ListenerConfig, decoys: DecoyIssuer): RegistryContext {
    const { clock, log, metrics, refusals, bypassWatch } = this.#lasting;
    const pulls = this.#pullsFor(listener);
    const upstreams = new Set(this.config.upstreams.keys());
    const canaries = { ...listener, isCompleteFirst: listener.completeFirst };
    return {
      ...this.#fronted({
        pulls: this.config.canaries ? new CanaryPulls(pulls, canaries, upstreams) : pulls,
        trustFiles: this.core.trustFiles,
        listener,
      }),
      catalog: this.core.catalog,
      referrers: this.core.referrers,
      relay: this.#relay,
      requests: this.#requests,
      places: this.#lasting.limits.requests,
      connections: this.#lasting.limits.connections,
      refusalForm: (repository, tag) => this.core.policy.rulesOf(repository).forTag(tag)?.refusal,
      hasHardStopRules: this.config.rules.some(({ refusal }) => refusal === 'hard-stop'),
      ...{ upstreams, decoys, bypassWatch, refusals, clock, metrics, log },
    };
  }

  /** Other processes give kept answers beside this one: what is new is held back until they have forgotten what is old. */
  #fronted({ pulls, trustFiles, listener }: Fronted): ForFronts {
    const { fleet, stores } = this.#lasting;
    if (fleet === undefined) return { pulls, trustFiles };
    const settled = (): Promise<void> | undefined => fleet.settled();
    return {
      pulls: new HeldPulls(pulls, settled),
      trustFiles: new HeldTrustFiles(trustFiles, settled),
      keeper: new FrontKeeper({
        keepable: (...answer) => this.core.verified.keepable(...answer),
        isBlobKeepable: (repository) => this.core.verified.isBlobKeepable(repository),
        isExempt: (repository, tag) => this.#isCompleteFirst(listener, repository, tag),
        epoch: () => fleet.epoch,
        witness: () => stores.clockGuard.witness,
      }),
    };
  }

  #isCompleteFirst({ completeFirst }: ListenerConfig, repository: Repository, tag: Tag): boolean {
    return this.core.policy.rulesOf(repository).forTag(tag)?.completeFirst ?? completeFirst;
  }

  /** The pulls as a listener offers them. */
  #pullsFor(listener: ListenerConfig): PullService {
    const { completeFirst, completion } = listener;
    const { verified: pulls, held, police } = this.core;
    const isAsked = completeFirst || this.config.rules.some((rule) => rule.completeFirst === true);
    if (!isAsked) return this.core.pulls;
    return police(
      new CompletePulls({
        ...{ pulls, held, clock: this.#lasting.clock, events: this.#completions },
        ...completion,
        appliesTo: (repository, tag) => this.#isCompleteFirst(listener, repository, tag),
      }),
    );
  }
}

function profileOf({ name, refusal, defaultRegistry, hosts }: ListenerConfig): ListenerProfile {
  const registries = Array.from(
    hosts,
    ([host, registry]) => [host, parseRegistryHost(registry)] as const,
  );
  const naming =
    defaultRegistry === undefined ? {} : { defaultRegistry: parseRegistryHost(defaultRegistry) };
  return {
    ...{ name, refusal, naming },
    ...(registries.length === 0 ? {} : { hosts: new HostNames(registries) }),
  };
}

function createRelay({ registries }: PullCore, config: Config, clock: Clock): Relay {
  return new Relay({
    clock,
    originOf: (registry) => {
      const { url, ca } = registries.originOf(registry);
      const { proxy = {}, limits } = config.upstreams.get(registry) ?? {};
      const minRate = limits?.minRate ?? 0;
      return { url: new URL(url), proxy, minRate, ...(ca === undefined ? {} : { ca }) };
    },
    authorization: (repository, refused) =>
      registries.authorization(repository, refused === undefined ? {} : { refused }),
    admit: (registry, signal) => registries.admit(registry, { signal }),
  });
}
