import { join } from 'node:path';
import type { Clock } from '../base/clock.ts';
import type { Config, UpstreamConfig } from '../config/config.ts';
import { Collections } from '../metadata/collections.ts';
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
import { DiskManifestStore } from '../store/manifest-store.ts';
import { createAnswerCache } from '../store/memory.ts';
import { SqliteState } from '../store/sqlite-state.ts';
import type { UpstreamEvents } from '../upstream/events.ts';
import { RegistryClient } from '../upstream/registry-client.ts';
import type { UpstreamOptions } from '../upstream/registry-upstream.ts';
import { createTrustSources, requireUsableRoots } from './trust-sources.ts';

/** Whom the core tells what happens in it. */
export interface CoreEvents {
  readonly collections: CollectionEvents;
  readonly upstream: UpstreamEvents;
  readonly blobs: BlobEvents;
  readonly content: (cache: 'manifest' | 'blob') => ContentStoreEvents;
  readonly joinedManifest: () => void;
}

/** Everything between a question and its answer, without any listener. */
export interface PullCore {
  readonly pulls: VerifiedPulls;
  readonly policy: Policy;
  readonly collections: Collections;
  readonly state: DurableState;
  readonly registries: RegistryClient;
  readonly content: DiskContentStore;
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
  const sources = createTrustSources(config, {
    version,
    clock,
    events: events.upstream,
    registries,
  });
  const collections = new Collections({
    sources,
    store: state,
    clock,
    events: events.collections,
  });
  const { content, manifests } = createStores(config, clock, events);
  const blobs = new JoinedBlobs({
    store: content,
    upstream: registries,
    clock,
    events: events.blobs,
  });
  const clockGuard = new ClockGuard(clock, state);
  const pulls = new VerifiedPulls({
    policy,
    collections,
    upstream: registries,
    manifests,
    blobs,
    pins: state,
    answers: createAnswerCache(config.cache.maxManifestBytes),
    clock,
    clockGuard,
    refusalOf: refusalOfError,
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
    async start() {
      await clockGuard.start();
      await Promise.all([content.start(), manifests.start()]);
    },
    async stop() {
      collections.stop();
      await blobs.stop();
      await Promise.all([content.close(), manifests.close()]);
      await registries.close();
      await Promise.all([...sources.values()].map(({ source }) => source.close()));
      state.close();
    },
  };
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

function optionsOf(upstream: UpstreamConfig): UpstreamOptions {
  const { url, ca, clientCert, credentials, proxy, timeouts } = upstream;
  return {
    url,
    proxy,
    timeouts: {
      connectMs: timeouts.connectMs,
      headersMs: timeouts.headersMs,
      bodyIdleMs: timeouts.idleMs,
    },
    ...(ca === undefined ? {} : { ca }),
    ...(clientCert === undefined ? {} : { clientCertificate: clientCert }),
    ...(credentials === undefined ? {} : { credentials }),
  };
}
