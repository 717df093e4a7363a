import { join } from 'node:path';
import type { Clock } from '../base/clock.ts';
import type { Config } from '../config/config.ts';
import { ClockGuard } from '../resolve/clock-guard.ts';
import type { ContentStoreEvents } from '../store/content-events.ts';
import { DiskContentStore } from '../store/content-store.ts';
import type { DurableState } from '../store/durable-state.ts';
import { DiskManifestStore } from '../store/manifest-store.ts';
import { SqliteState } from '../store/sqlite-state.ts';

/** Memory for small blobs, which an image's configuration is: some thousand of them. */
const SMALL_CONTENT_BYTES = 16 * 1024 * 1024;
/** Files of blobs that stay open for a moment after they were read. */
const IDLE_FILES = 64;

/** What outlives a configuration: everything on disk, and the guard of the clock that rests on it. */
export interface Stores {
  readonly state: DurableState;
  readonly content: DiskContentStore;
  /** Where that is. */
  readonly contentFolder: string;
  readonly manifests: DiskManifestStore;
  readonly clockGuard: ClockGuard;
  /** Looks at what is on disk; afterwards pulls can be answered. */
  start(): Promise<void>;
  /** Releases what is held open; nothing may be using it any more. */
  close(): Promise<void>;
}

/**
 * Opens what a configuration keeps on disk.
 *
 * @throws {StateError} `state_unreadable`
 */
export function openStores(
  config: Config,
  {
    clock,
    events,
  }: {
    readonly clock: Clock;
    readonly events: (cache: 'manifest' | 'blob') => ContentStoreEvents;
  },
): Stores {
  const state = SqliteState.open(config.dataFolder, { clock });
  const contentFolder = join(config.dataFolder, 'content');
  const content = new DiskContentStore({
    folder: contentFolder,
    maxBytes: config.cache.maxBytes,
    clock,
    events: events('blob'),
    memoryBytes: SMALL_CONTENT_BYTES,
    maxIdleFiles: IDLE_FILES,
  });
  const manifests = new DiskManifestStore({
    folder: join(config.dataFolder, 'manifests'),
    clock,
    memoryBytes: config.cache.maxManifestBytes,
    events: events('manifest'),
  });
  const clockGuard = new ClockGuard(clock, state);
  return {
    state,
    ...{ content, contentFolder, manifests, clockGuard },
    async start() {
      await clockGuard.start();
      await Promise.all([content.start(), manifests.start()]);
    },
    async close() {
      try {
        await Promise.all([content.close(), manifests.close()]);
      } finally {
        state.close();
      }
    },
  };
}
