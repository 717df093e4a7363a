import type { Repository } from './repository.ts';
import type { CollectionSettings } from './settings.ts';

/** A role whose metadata ends soon, or has ended. */
export interface Ending {
  readonly role: string;
  /** Milliseconds since the epoch. */
  readonly expiresAt: number;
  /** True when renewal must not go on as if nothing were the matter. */
  readonly stopsRenewal: boolean;
}

/**
 * The roles with offline keys that end soon. What a team signs itself only concerns its own images, so it never stops the
 * renewal of all.
 *
 * @param now - milliseconds since the epoch
 */
export function endingsOf(
  { current }: Repository,
  { warnBeforeMs, stopBeforeMs }: CollectionSettings,
  now: number,
): readonly Ending[] {
  return [...current.values()]
    .filter(({ role }) => role !== 'snapshot' && role !== 'timestamp')
    .filter(({ expiresAt }) => expiresAt - now <= Math.max(warnBeforeMs, stopBeforeMs))
    .map(({ role, expiresAt }) => ({
      role,
      expiresAt,
      stopsRenewal: (role === 'root' || role === 'targets') && expiresAt - now <= stopBeforeMs,
    }));
}
