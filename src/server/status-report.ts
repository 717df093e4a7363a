import type { LimitName, LimitUse } from '../observe/limit-use.ts';
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

/** One of the site's own collections, as Pinnace keeps it. */
export interface CollectionStatus {
  /** Its name in the configuration. */
  readonly collection: string;
  readonly folder: string;
  /** What is in the folder; empty while it cannot be read. */
  readonly roles: readonly RoleStatus[];
  /** When timestamp or snapshot are renewed next, RFC 3339. */
  readonly renewalDueAt?: string;
  /** Renewal stops when root or targets end within this time. */
  readonly stopBeforeMs?: number;
  /** Why it is not being renewed, in words; absent when it is. */
  readonly lastError?: string;
  readonly places: readonly PlaceStatus[];
}

/** A place that a collection is published to. */
export interface PlaceStatus {
  readonly place: string;
  /** When this process last saw that the newest state is there, RFC 3339. */
  readonly publishedAt?: string;
  /** When the timestamp that was seen there expires, RFC 3339. */
  readonly expiresAt?: string;
  /** Why nothing newer can be published there, in words; absent when it can. */
  readonly lastError?: string;
}

/** A server of an upstream registry: its own, or a fallback. */
export interface UpstreamStatus {
  /** `docker.io`, or `docker.io (mirror.example.com)` for a fallback. */
  readonly name: string;
  /** Host and port. */
  readonly server: string;
  /** `closed`: it is asked; `open`: it failed and is not asked for now; `half-open`: one request tries. */
  readonly breaker: 'closed' | 'half-open' | 'open';
  /** When it is tried again, RFC 3339; present while it is not asked. */
  readonly triedAgainAt?: string;
  readonly requestsInFlight: number;
  readonly requestsQueued: number;
}

/** One of the limits of the process, and how near it is. */
export interface LimitStatus extends LimitUse {
  readonly limit: LimitName;
}

/** A process that serves connections. */
export interface WorkerStatus {
  readonly pid: number;
  /** Whether it takes connections. */
  readonly isReady: boolean;
  readonly upSeconds: number;
}

/** An exception that is in force. */
export interface BreakGlassStatus {
  readonly image: string;
  readonly digest: string;
  readonly approvedBy: string;
  readonly reason: string;
  /** RFC 3339. */
  readonly until: string;
}

/** What `GET /api/v1/status` answers. */
export interface StatusReport {
  readonly version: string;
  /** RFC 3339. */
  readonly startedAt: string;
  readonly isReady: boolean;
  /** Absent before the first reload. */
  readonly lastReload?: ReloadStatus;
  /** The rules that let through what they would refuse, by name. */
  readonly rulesInAudit: readonly string[];
  /** The exceptions in force, the one that ends first coming first. */
  readonly breakGlass: readonly BreakGlassStatus[];
  readonly repositories: readonly RepositoryStatus[];
  /** The site's own collections; absent when none is configured. */
  readonly collections?: readonly CollectionStatus[];
  /** Upstreams in the order of the configuration, each followed by its fallbacks. */
  readonly upstreams: readonly UpstreamStatus[];
  /** Absent where one process does everything. */
  readonly workers?: readonly WorkerStatus[];
  /** What the process takes on at once; of this process only, which with workers holds no connections. */
  readonly limits: readonly LimitStatus[];
  /** Engines that seem to have gone round a refusal, newest first, at most 100; of this process only. */
  readonly suspectedBypasses: readonly SuspectedBypass[];
}
