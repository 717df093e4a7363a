import type { Log } from '../observe/log.ts';
import type { Metrics } from '../observe/metrics.ts';
import type { Renewal } from '../signing/collection.ts';
import { formatTime } from '../signing/documents.ts';
import type { Ending } from '../signing/endings.ts';
import { SigningError } from '../signing/errors.ts';

/** Whom the upkeep of collections tells what it does; each is called with the collection's name. */
export interface UpkeepEvents {
  renewed(collection: string, renewal: Exclude<Renewal, 'not-due'>, version: number): void;
  renewalFailed(collection: string, error: unknown): void;
  /** A role with offline keys ends soon; told once, and again when that begins to stop renewal. */
  ending(collection: string, ending: Ending): void;
  /** @param files - what was written; none when the place was up to date */
  published(collection: string, place: string, files: readonly string[]): void;
  publishingFailed(collection: string, place: string, error: unknown): void;
}

/** Reports the upkeep of collections to logs and metrics. */
export function observedUpkeep(log: Log, metrics: Metrics): UpkeepEvents {
  const renewals = 'pinnace_collection_renewals_total';
  const publications = 'pinnace_collection_publications_total';
  return {
    renewed(collection, renewal, version) {
      const outcome = renewal === 'renewed' ? 'renewed' : 'took_effect';
      metrics.count(renewals, { collection, outcome });
      log.event('collection.renewed', { collection, outcome, version });
    },
    renewalFailed(collection, error) {
      const isStopped = hasStoppedRenewal(error);
      metrics.count(renewals, { collection, outcome: isStopped ? 'stopped' : 'failed' });
      const event = isStopped ? 'collection.renewal_stopped' : 'collection.renewal_failed';
      log.failure(event, error, { collection });
    },
    ending(collection, { role, expiresAt, stopsRenewal }) {
      const fields = { collection, role, expiresAt: formatTime(expiresAt), stopsRenewal };
      log.event('collection.ending', fields);
    },
    published(collection, place, files) {
      const outcome = files.length === 0 ? 'unchanged' : 'published';
      metrics.count(publications, { collection, outcome });
      if (files.length > 0) log.event('collection.published', { collection, place, files });
    },
    publishingFailed(collection, place, error) {
      metrics.count(publications, { collection, outcome: 'failed' });
      log.failure('collection.publish_failed', error, { collection, place });
    },
  };
}

/** Whether renewal was stopped on purpose: root or targets are about to end. */
export function hasStoppedRenewal(error: unknown): boolean {
  return error instanceof SigningError && error.code === 'about_to_expire';
}
