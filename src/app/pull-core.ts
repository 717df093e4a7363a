import type { Clock } from '../base/clock.ts';
import type { LoopTurns } from '../base/loop-turns.ts';
import type { Config } from '../config/config.ts';
import { Collections, type TrustSource } from '../metadata/collections.ts';
import type { CollectionEvents } from '../metadata/trusted-metadata.ts';
import { parseRegistryHost, type RegistryHost } from '../oci/names.ts';
import { BreakGlass } from '../policy/break-glass.ts';
import { compilePolicy, type Policy } from '../policy/policy.ts';
import { refusalOfError } from '../refusal/refusal-of-error.ts';
import { JoinedBlobs } from '../resolve/blob-joined.ts';
import type { BlobEvents } from '../resolve/blob-ports.ts';
import { Catalog } from '../resolve/catalog.ts';
import type { CompletionEvents, HeldContent } from '../resolve/complete-pulls.ts';
import { PolicedPulls } from '../resolve/policed-pulls.ts';
import type { PullService, Refusal, VerifiedPullService } from '../resolve/pull-service.ts';
import { Referrers } from '../resolve/referrers.ts';
import { TrustFiles } from '../resolve/trust-files.ts';
import { UnverifiedContent } from '../resolve/unverified-content.ts';
import { VerifiedPulls } from '../resolve/verified-pulls.ts';
import type { ContentStoreEvents } from '../store/content-events.ts';
import type { DiskContentStore } from '../store/content-store.ts';
import type { DurableState } from '../store/durable-state.ts';
import { StateError } from '../store/errors.ts';
import { createAnswerCache } from '../store/memory.ts';
import type { UpstreamEvents } from '../upstream/events.ts';
import { RegistryClient } from '../upstream/registry-client.ts';
import type { UpstreamOptions } from '../upstream/upstream-chain.ts';
import { AnswerCounts, AnswerMemory } from './answer-memory.ts';
import { ProcessLimits } from './process-limits.ts';
import { openStores, type Stores } from './stores.ts';
import { createTrustSources, requireUsableRoots } from './trust-sources.ts';
import { optionsOf } from './upstream-options.ts';

/** Whom the core tells what happens in it. */
export interface CoreEvents {
  readonly collections: CollectionEvents;
  readonly upstream: UpstreamEvents;
  readonly blobs: BlobEvents;
  readonly content: (cache: 'manifest' | 'blob') => ContentStoreEvents;
  readonly joinedManifest: () => void;
  readonly completions: CompletionEvents;
  /** The durable state could not be read or written; the same error may come more than once. */
  readonly stateFailed: (error: unknown) => void;
}

/** Everything between a question and its answer, without any listener. */
export interface PullCore {
  /** What a listener asks. */
  readonly pulls: PullService;
  /** The verified part of it alone. */
  readonly verified: VerifiedPulls;
  /** Puts round other verified pulls what operators let through. */
  readonly police: (inner: VerifiedPullService) => PullService;
  readonly trustFiles: TrustFiles;
  readonly catalog: Catalog;
  readonly referrers: Referrers;
  readonly policy: Policy;
  readonly breakGlass: BreakGlass;
  readonly collections: Collections;
  readonly state: DurableState;
  readonly registries: RegistryClient;
  readonly content: DiskContentStore;
  /** What completing images has to know of the content. */
  readonly held: HeldContent;
  /** Looks at what is on disk; afterwards pulls can be answered. */
  start(): Promise<void>;
  /** Stops background work and releases what is held open. */
  stop(): Promise<void>;
}

/** What a core is put together from, beside its configuration. */
export interface CoreContext {
  readonly version: string;
  readonly clock: Clock;
  readonly events: CoreEvents;
}

/**
 * Puts the core together from a configuration, with stores of its own. Nothing has been asked of the network yet.
 *
 * @throws {ConfigError} `config_invalid` when trust cannot begin at a root file
 * @throws {StateError} `state_unreadable`
 */
export function createPullCore(config: Config, context: CoreContext): PullCore {
  requireUsableRoots(config);
  const stores = openStores(config, { clock: context.clock, events: context.events.content });
  const core = assembleCore(config, stores, {
    ...{ ...context, answerCounts: new AnswerCounts() },
    limits: new ProcessLimits(context.clock, config, { workers: 1 }),
  });
  return {
    ...core,
    start: () => stores.start(),
    async stop() {
      try {
        await core.stop();
      } finally {
        await stores.close();
      }
    },
  };
}

/** What cores of one process share beside their stores. */
interface SharedContext extends CoreContext {
  readonly answerCounts: AnswerCounts;
  readonly limits: Pick<ProcessLimits, 'blobs' | 'bytes' | 'turns'>;
}

/**
 * Puts the core together over stores that stand already and outlive it: `stop` leaves them as they are, `start` does
 * nothing.
 *
 * @throws {ConfigError} `config_invalid` when trust cannot begin at a root file
 */
export function assembleCore(
  config: Config,
  { state, content, manifests, clockGuard }: Stores,
  context: SharedContext,
): PullCore {
  const { version, clock, events, answerCounts, limits } = context;
  requireUsableRoots(config);
  const policy = compilePolicy(config.rules, config.deny);
  const registries = new RegistryClient(upstreamOptions(config, clock), {
    version,
    clock,
    events: events.upstream,
  });
  const { turns } = limits;
  const world = { ...context, registries, state, turns };
  const { sources, collections } = createCollections(config, world);
  const blobs = new JoinedBlobs({
    ...{ store: content, upstream: registries, clock, events: events.blobs },
    ...{ places: limits.blobs, budget: limits.bytes },
  });
  const refusalOf = (error: unknown, rule: string | undefined): Refusal => {
    if (error instanceof StateError) events.stateFailed(error);
    return refusalOfError(error, rule);
  };
  const maxManifestBytes = config.limits.manifestBytes;
  const shared = { policy, collections, clock, clockGuard, refusalOf };
  const verified = new VerifiedPulls({
    ...shared,
    upstream: registries,
    manifests,
    blobs,
    pins: state,
    answers: new AnswerMemory(createAnswerCache(config.cache.maxManifestBytes), answerCounts),
    maxManifestBytes,
    onJoinedManifest: events.joinedManifest,
  });
  const breakGlass = new BreakGlass(config.breakGlass);
  const read = { policy, upstream: registries, blobs, maxManifestBytes };
  const unverified = new UnverifiedContent(read);
  const police = (inner: VerifiedPullService): PullService =>
    new PolicedPulls({ ...shared, inner, breakGlass, content: unverified });
  return {
    trustFiles: new TrustFiles(shared),
    ...{ verified, police, pulls: police(verified), policy, breakGlass },
    referrers: new Referrers({
      ...{ policy, verified, refusalOf },
      ...{ content: unverified, lists: registries, store: state },
    }),
    catalog: new Catalog({ policy, named: namesIn(config), pins: state }),
    ...{ collections, state, registries, content },
    held: {
      capacityBytes: config.cache.maxBytes,
      has: (digest) => content.has(digest),
      settled: (digest) => blobs.settled(digest),
    },
    start: () => Promise.resolve(),
    stop: () => stopCore({ collections, blobs, registries, sources }),
  };
}

/** What has to be let go of, in this order. */
interface Held {
  readonly collections: Collections;
  readonly blobs: JoinedBlobs;
  readonly registries: RegistryClient;
  readonly sources: ReadonlyMap<string, TrustSource>;
}

async function stopCore({ collections, blobs, registries, sources }: Held): Promise<void> {
  collections.stop();
  await blobs.stop();
  await registries.close();
  await Promise.all([...sources.values()].map(({ source }) => source.close()));
}

function createCollections(
  config: Config,
  context: CoreContext & {
    readonly registries: RegistryClient;
    readonly state: DurableState;
    readonly turns: LoopTurns;
  },
): { readonly sources: ReadonlyMap<string, TrustSource>; readonly collections: Collections } {
  const { version, clock, events, registries, state, turns } = context;
  const shared = { version, clock, events: events.upstream, registries };
  const sources = createTrustSources(config, shared);
  const own = { sources, store: state, clock, turns, events: events.collections };
  return { sources, collections: new Collections(own) };
}

/** The repositories that rules are for by name: patterns that leave nothing open. */
function namesIn({ rules }: Config): readonly string[] {
  return rules.map(({ match }) => match).filter((match) => !match.includes('*'));
}

function upstreamOptions(config: Config, clock: Clock): ReadonlyMap<RegistryHost, UpstreamOptions> {
  return new Map(
    [...config.upstreams].map(([host, upstream]) => [
      parseRegistryHost(host),
      optionsOf(upstream, clock),
    ]),
  );
}
