import type { Clock } from '../base/clock.ts';
import type { Metrics } from '../observe/metrics.ts';
import type { CollectionStatus, PlaceStatus } from '../server/status-report.ts';
import { formatTime } from '../signing/documents.ts';
import { renewalDueAt, renewedAt } from '../signing/schedule.ts';
import type { CollectionUpkeep } from './collection-upkeep.ts';
import type { Publishing } from './publishing.ts';
import { messageOf, nearestExpiries, roleStatuses } from './status.ts';

/** The status of each of the site's own collections. */
export function collectionStatuses(
  upkeeps: readonly CollectionUpkeep[],
): readonly CollectionStatus[] {
  return upkeeps.map(({ name, folderName, open, failure, publishings }) => ({
    collection: name,
    folder: folderName,
    roles: open === undefined ? [] : roleStatuses(open.repository.set),
    places: publishings.map(placeStatus),
    ...(open === undefined
      ? {}
      : {
          renewalDueAt: formatTime(renewalDueAt(open.repository, open.settings)),
          stopBeforeMs: open.settings.stopBeforeMs,
        }),
    ...(failure === undefined ? {} : { lastError: messageOf(failure) }),
  }));
}

/** Sets the gauges of the site's own collections. */
export function collectCollectionGauges(
  metrics: Metrics,
  { upkeeps, clock }: { readonly upkeeps: readonly CollectionUpkeep[]; readonly clock: Clock },
): void {
  // A reload may have taken collections away.
  metrics.clear('pinnace_collection_expires_in_seconds');
  metrics.clear('pinnace_collection_last_renewal_timestamp_seconds');
  const now = clock.now();
  for (const { name: collection, open } of upkeeps) {
    if (open === undefined) continue;
    const { repository, settings } = open;
    for (const [role, expiresAt] of nearestExpiries(repository.set)) {
      const seconds = (expiresAt - now) / 1000;
      metrics.set('pinnace_collection_expires_in_seconds', { collection, role }, seconds);
    }
    const renewed = renewedAt(repository, settings) / 1000;
    metrics.set('pinnace_collection_last_renewal_timestamp_seconds', { collection }, renewed);
  }
}

function placeStatus({ place, published, failure }: Publishing): PlaceStatus {
  return {
    place,
    ...(published === undefined
      ? {}
      : {
          publishedAt: formatTime(published.at),
          expiresAt: formatTime(published.expiresAt),
        }),
    ...(failure === undefined ? {} : { lastError: messageOf(failure) }),
  };
}
