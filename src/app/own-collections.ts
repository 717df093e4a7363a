import type { Clock } from '../base/clock.ts';
import type { Config } from '../config/config.ts';
import type { OwnCollectionConfig, PlaceConfig } from '../config/connection.ts';
import { repositoryName } from '../oci/names.ts';
import { SigningError } from '../signing/errors.ts';
import type { KeyRing } from '../signing/key-ring.ts';
import { collectionFolder, keyRingOf } from './collection-desk.ts';
import type { UpkeepEvents } from './collection-events.ts';
import { CollectionUpkeep } from './collection-upkeep.ts';
import { openPublishTarget, type PublishOptions } from './publish-places.ts';
import { Publishing } from './publishing.ts';

/** What the upkeep of all configured collections is made with. */
export interface OwnCollectionsOptions {
  readonly clock: Clock;
  readonly events: UpkeepEvents;
}

/** The site's own collections, each kept current by itself. */
export class OwnCollections {
  readonly #upkeeps: readonly CollectionUpkeep[];

  constructor(config: Config, options: OwnCollectionsOptions) {
    this.#upkeeps = config.collections.map((each) => upkeepOf(each, config, options));
  }

  /** In the order of the configuration. */
  list(): readonly CollectionUpkeep[] {
    return this.#upkeeps;
  }

  /** Begins to look after them. */
  start(): void {
    for (const upkeep of this.#upkeeps) upkeep.start();
  }

  /** Stops them all as `CollectionUpkeep.stop` does. */
  async stop(options: { readonly drainMs: number }): Promise<void> {
    await Promise.all(this.#upkeeps.map((upkeep) => upkeep.stop(options)));
  }
}

/**
 * The online keys of a configured collection, which nobody is asked for.
 *
 * @throws {SigningError} `key_missing`; opening one of the keys `passphrase_missing`, `wrong_passphrase`
 */
export async function onlineKeys(config: OwnCollectionConfig): Promise<KeyRing> {
  const { folder, keyPaths, passphrase } = config;
  return await keyRingOf(folder, keyPaths, {
    ask: async () => {
      if (passphrase !== undefined) return await passphrase();
      throw new SigningError(
        'passphrase_missing',
        `it is encrypted: name the file with its passphrase as collections.${config.name}.passphraseFile`,
      );
    },
    attempts: 1,
  });
}

function upkeepOf(
  own: OwnCollectionConfig,
  config: Config,
  { clock, events }: OwnCollectionsOptions,
): CollectionUpkeep {
  const { name, folder } = own;
  const publishings = own.places.map((place) => {
    const named = nameOf(place);
    return new Publishing({
      place: named,
      open: () => openPublishTarget(place, reachOf(place, config, clock)),
      clock,
      onPublished: (files) => events.published(name, named, files),
      onFailed: (error) => events.publishingFailed(name, named, error),
    });
  });
  const keys = (): Promise<KeyRing> => onlineKeys(own);
  const disk = collectionFolder(folder, clock);
  return new CollectionUpkeep({ name, folder: disk, keys, publishings, clock, events });
}

function reachOf(place: PlaceConfig, { upstreams }: Config, clock: Clock): PublishOptions {
  if (place.kind !== 'server') return { clock, config: { upstreams } };
  const { ca, credentials, proxy } = place;
  return {
    clock,
    proxy,
    ...(ca === undefined ? {} : { ca }),
    ...(credentials === undefined ? {} : { credentials }),
  };
}

function nameOf(place: PlaceConfig): string {
  switch (place.kind) {
    case 'server':
      return place.url;
    case 'folder':
      return place.path;
    case 'artifact':
      return `oci://${repositoryName(place.repository)}:${place.tag}`;
  }
}
