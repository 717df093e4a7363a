import type { SuspectedBypass } from './bypass-watch.ts';
import type { PastRefusal } from './refusal-history.ts';

/** One role of a repository's trust metadata. */
export interface RoleStatus {
  /** `root`, `timestamp`, `snapshot`, `targets`, `targets/releases`, … */
  readonly role: string;
  readonly version: number;
  /** RFC 3339. */
  readonly expiresAt: string;
}

/** A repository that has been asked for since the start, or that trust state knows. */
export interface RepositoryStatus {
  /** Its full name, `docker.io/library/alpine`. */
  readonly repository: string;
  /** The policy rule that applies (its `match`). */
  readonly rule?: string;
  /** The trust source's name; absent for repositories without verification. */
  readonly trust?: string;
  /** How its root came to be trusted. */
  readonly admission?: 'anchor' | 'first-use';
  readonly roles: readonly RoleStatus[];
  /** When the trust server last confirmed the timestamp, RFC 3339. */
  readonly checkedAt?: string;
  /** Until when answers go on while the trust server cannot be asked, RFC 3339; set while that is so. */
  readonly graceEndsAt?: string;
  /** Why the last check failed, in words; absent when it did not. */
  readonly lastError?: string;
  readonly lastRefusals: readonly PastRefusal[];
}

/** How the last reload of the configuration went. */
export interface ReloadStatus {
  /** RFC 3339. */
  readonly at: string;
  /** Why the configuration was refused, so that the one before it is still in force; absent when it was not. */
  readonly problem?: string;
}

/** What `GET /api/v1/status` answers. */
export interface StatusReport {
  readonly version: string;
  /** RFC 3339. */
  readonly startedAt: string;
  readonly isReady: boolean;
  /** Absent before the first reload. */
  readonly lastReload?: ReloadStatus;
  readonly repositories: readonly RepositoryStatus[];
  /** Engines that seem to have gone round a refusal, newest first, at most 100; of this process only. */
  readonly suspectedBypasses: readonly SuspectedBypass[];
}

/** Something that will stop working, and why. */
export interface ComingFailure {
  readonly repository: string;
  /** RFC 3339. */
  readonly at: string;
  /** In words: what happens then. */
  readonly why: string;
}

/**
 * What has stopped or will stop working, nearest first: for each repository its nearest signed expiry, the end of grace while
 * the trust server cannot be asked, and a failure on account of which its pulls are refused now.
 */
export function comingFailures(report: StatusReport): readonly ComingFailure[] {
  return report.repositories
    .flatMap((status) => failuresOf(status, report.startedAt))
    .toSorted((a, b) => Date.parse(a.at) - Date.parse(b.at));
}

function failuresOf(status: RepositoryStatus, startedAt: string): readonly ComingFailure[] {
  const { repository, roles, graceEndsAt, lastError, checkedAt = startedAt } = status;
  const failures: ComingFailure[] = [];
  if (graceEndsAt !== undefined) {
    const why = 'the trust server cannot be asked, and the grace for that ends';
    failures.push({ repository, at: graceEndsAt, why });
  } else if (lastError !== undefined) {
    failures.push({ repository, at: checkedAt, why: `pulls are refused now: ${lastError}` });
  }
  const nearest = roles.toSorted((a, b) => Date.parse(a.expiresAt) - Date.parse(b.expiresAt))[0];
  if (nearest !== undefined) {
    const why = `the ${nearest.role} metadata expires unless it is signed again`;
    failures.push({ repository, at: nearest.expiresAt, why });
  }
  return failures;
}
