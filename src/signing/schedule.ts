import type { Repository } from './repository.ts';
import type { CollectionSettings } from './settings.ts';

/** Share of a timestamp's life after which it is renewed: what is left is the time to notice and mend a renewal that fails. */
const TIMESTAMP_SHARE = 1 / 3;
const SNAPSHOT_SHARE = 1 / 2;

/** From when on the next renewal signs a new snapshot too, in milliseconds since the epoch. */
export function snapshotDueAt({ set }: Repository, { lifetimes }: CollectionSettings): number {
  return set.snapshot.body.expiresAt - lifetimes.snapshot * (1 - SNAPSHOT_SHARE);
}

/** When timestamp or snapshot are to be renewed next, in milliseconds since the epoch. */
export function renewalDueAt(repository: Repository, settings: CollectionSettings): number {
  const { expiresAt } = repository.set.timestamp.body;
  const timestampDueAt = expiresAt - settings.lifetimes.timestamp * (1 - TIMESTAMP_SHARE);
  return Math.min(timestampDueAt, snapshotDueAt(repository, settings));
}

/** Whether that time has come. @param now - milliseconds since the epoch */
export function isRenewalDue(
  repository: Repository,
  settings: CollectionSettings,
  now: number,
): boolean {
  return renewalDueAt(repository, settings) <= now;
}

/** When the current timestamp was signed, as its expiry and lifetime say; milliseconds since the epoch. */
export function renewedAt({ set }: Repository, { lifetimes }: CollectionSettings): number {
  return set.timestamp.body.expiresAt - lifetimes.timestamp;
}
