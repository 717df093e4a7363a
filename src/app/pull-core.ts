import { join } from 'node:path';
import type { Clock } from '../base/clock.ts';
import type { Config } from '../config/config.ts';
import { Collections, type TrustSource } from '../metadata/collections.ts';
import type { CollectionEvents } from '../metadata/trusted-metadata.ts';
import { parseRegistryHost, type RegistryHost } from '../oci/names.ts';
import { compilePolicy, type Policy } from '../policy/policy.ts';
import { refusalOfError } from '../refusal/refusal-of-error.ts';
import { JoinedBlobs } from '../resolve/blob-joined.ts';
import type { BlobEvents } from '../resolve/blob-ports.ts';
import { ClockGuard } from '../resolve/clock-guard.ts';
import { VerifiedPulls } from '../resolve/verified-pulls.ts';
import type { ContentStoreEvents } from '../store/content-events.ts';
import { DiskContentStore } from '../store/content-store.ts';
import type { DurableState } from '../store/durable-state.ts';
import { StateError } from '../store/errors.ts';
import { DiskManifestStore } from '../store/manifest-store.ts';
import { createAnswerCache } from '../store/memory.ts';
import { SqliteState } from '../store/sqlite-state.ts';
import type { UpstreamEvents } from '../upstream/events.ts';
import { RegistryClient } from '../upstream/registry-client.ts';
import type { UpstreamOptions } from '../upstream/registry-upstream.ts';
import { AnswerMemory } from './answer-memory.ts';
import { createTrustSources, requireUsableRoots } from './trust-sources.ts';
import { optionsOf } from './upstream-options.ts';

/** Whom the core tells what happens in it. */
export interface CoreEvents {
  readonly collections: CollectionEvents;
  readonly upstream: UpstreamEvents;
  readonly blobs: BlobEvents;
  readonly content: (cache: 'manifest' | 'blob') => ContentStoreEvents;
  readonly joinedManifest: () => void;
  /** The durable state could not be read or written; the same error may come more than once. */
  readonly stateFailed: (error: unknown) => void;
}

/** Everything between a question and its answer, without any listener. */
export interface PullCore {
  readonly pulls: VerifiedPulls;
  readonly policy: Policy;
  readonly collections: Collections;
  readonly state: DurableState;
  readonly registries: RegistryClient;
  readonly content: DiskContentStore;
  readonly answers: AnswerMemory;
  /** Looks at what is on disk; afterwards pulls can be answered. */
  start(): Promise<void>;
  /** Stops background work and releases what is held open. */
  stop(): Promise<void>;
}

/**
 * Puts the core together from a configuration. Nothing has been asked of the network yet.
 *
 * @throws {ConfigError} `config_invalid` when trust cannot begin at a root file
 * @throws {StateError} `state_unreadable`
 */
export function createPullCore(
  config: Config,
  context: { readonly version: string; readonly clock: Clock; readonly events: CoreEvents },
): PullCore {
  const { version, clock, events } = context;
  requireUsableRoots(config);
  const state = SqliteState.open(config.dataFolder, { clock });
  const policy = compilePolicy(config.rules);
  const registries = new RegistryClient(upstreamOptions(config), {
    version,
    clock,
    events: events.upstream,
  });
  const { sources, collections } = createCollections(config, { ...context, registries, state });
  const { content, manifests } = createStores(config, clock, events);
  const blobs = new JoinedBlobs({
    store: content,
    upstream: registries,
    clock,
    events: events.blobs,
  });
  const clockGuard = new ClockGuard(clock, state);
  const answers = new AnswerMemory(createAnswerCache(config.cache.maxManifestBytes));
  const pulls = new VerifiedPulls({
    policy,
    collections,
    upstream: registries,
    manifests,
    blobs,
    pins: state,
    answers,
    clock,
    clockGuard,
    refusalOf(error, rule) {
      if (error instanceof StateError) events.stateFailed(error);
      return refusalOfError(error, rule);
    },
    maxManifestBytes: config.limits.manifestBytes,
    onJoinedManifest: events.joinedManifest,
  });
  return {
    pulls,
    policy,
    collections,
    state,
    registries,
    content,
    answers,
    async start() {
      await clockGuard.start();
      await Promise.all([content.start(), manifests.start()]);
    },
    stop: () => stopCore({ collections, blobs, content, manifests, registries, sources, state }),
  };
}

/** What has to be let go of, in this order. */
interface Held {
  readonly collections: Collections;
  readonly blobs: JoinedBlobs;
  readonly content: DiskContentStore;
  readonly manifests: DiskManifestStore;
  readonly registries: RegistryClient;
  readonly sources: ReadonlyMap<string, TrustSource>;
  readonly state: DurableState;
}

async function stopCore(held: Held): Promise<void> {
  held.collections.stop();
  try {
    await held.blobs.stop();
    await Promise.all([held.content.close(), held.manifests.close()]);
    await held.registries.close();
    await Promise.all([...held.sources.values()].map(({ source }) => source.close()));
  } finally {
    held.state.close();
  }
}

function createCollections(
  config: Config,
  context: {
    readonly version: string;
    readonly clock: Clock;
    readonly events: CoreEvents;
    readonly registries: RegistryClient;
    readonly state: DurableState;
  },
): { readonly sources: ReadonlyMap<string, TrustSource>; readonly collections: Collections } {
  const { version, clock, events, registries, state } = context;
  const shared = { version, clock, events: events.upstream, registries };
  const sources = createTrustSources(config, shared);
  const own = { sources, store: state, clock, events: events.collections };
  return { sources, collections: new Collections(own) };
}

function createStores(
  config: Config,
  clock: Clock,
  events: CoreEvents,
): { readonly content: DiskContentStore; readonly manifests: DiskManifestStore } {
  const content = new DiskContentStore({
    folder: join(config.dataFolder, 'content'),
    maxBytes: config.cache.maxBytes,
    clock,
    events: events.content('blob'),
  });
  const manifests = new DiskManifestStore({
    folder: join(config.dataFolder, 'manifests'),
    clock,
    memoryBytes: config.cache.maxManifestBytes,
    events: events.content('manifest'),
  });
  return { content, manifests };
}

function upstreamOptions(config: Config): ReadonlyMap<RegistryHost, UpstreamOptions> {
  return new Map(
    [...config.upstreams].map(([host, upstream]) => [parseRegistryHost(host), optionsOf(upstream)]),
  );
}
