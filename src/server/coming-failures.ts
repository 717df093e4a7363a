import type {
  CollectionStatus,
  RepositoryStatus,
  RoleStatus,
  StatusReport,
} from './status-report.ts';

/** Roles that are renewed without anybody's hand. */
const ONLINE: ReadonlySet<string> = new Set(['timestamp', 'snapshot']);

/** Something that will stop working, and why. */
export interface ComingFailure {
  /** A repository's full name, or `collection` and its name. */
  readonly subject: string;
  /** RFC 3339. */
  readonly at: string;
  /** In words: what happens then. */
  readonly why: string;
}

/**
 * What has stopped or will stop working, nearest first: for each repository its nearest signed expiry, the end of grace while
 * the trust server cannot be asked, and a failure on account of which its pulls are refused now; then the site's own collections.
 */
export function comingFailures(report: StatusReport): readonly ComingFailure[] {
  const { repositories, collections = [], startedAt } = report;
  return [
    ...repositories.flatMap((status) => failuresOf(status, startedAt)),
    ...collections.flatMap((status) => collectionFailures(status, startedAt)),
  ].toSorted((a, b) => Date.parse(a.at) - Date.parse(b.at));
}

function failuresOf(status: RepositoryStatus, startedAt: string): readonly ComingFailure[] {
  const { repository: subject, roles, graceEndsAt, lastError, checkedAt = startedAt } = status;
  const failures: ComingFailure[] = [];
  if (graceEndsAt !== undefined) {
    const why = 'the trust server cannot be asked, and the grace for that ends';
    failures.push({ subject, at: graceEndsAt, why });
  } else if (lastError !== undefined) {
    failures.push({ subject, at: checkedAt, why: `pulls are refused now: ${lastError}` });
  }
  const first = nearest(roles);
  if (first !== undefined) {
    const why = `the ${first.role} metadata expires unless it is signed again`;
    failures.push({ subject, at: first.expiresAt, why });
  }
  return failures;
}

/**
 * What will stop working in a collection: its online roles when they are not renewed, its renewal when root or targets end, what
 * a team approved when its role ends, and what clients see at a place that cannot be written to.
 */
function collectionFailures(status: CollectionStatus, startedAt: string): readonly ComingFailure[] {
  const subject = `collection ${status.collection}`;
  return [
    ...onlineFailures(status, startedAt),
    ...offlineFailures(status),
    ...status.places.flatMap(({ place, expiresAt, lastError }) =>
      lastError === undefined
        ? []
        : [{ at: expiresAt ?? startedAt, why: `${place} gets nothing newer: ${lastError}` }],
    ),
  ].map((failure) => ({ subject, ...failure }));
}

type Failure = Omit<ComingFailure, 'subject'>;

function onlineFailures(status: CollectionStatus, startedAt: string): readonly Failure[] {
  const { roles, lastError } = status;
  if (lastError === undefined) return [];
  const first = nearest(roles.filter(({ role }) => ONLINE.has(role)));
  if (first === undefined) return [{ at: startedAt, why: `it is not kept current: ${lastError}` }];
  return [
    { at: first.expiresAt, why: `its ${first.role} expires and is not renewed: ${lastError}` },
  ];
}

function offlineFailures({ roles, stopBeforeMs = 0 }: CollectionStatus): readonly Failure[] {
  const top = nearest(roles.filter(({ role }) => role === 'root' || role === 'targets'));
  const teams = roles.filter(
    ({ role }) => !ONLINE.has(role) && role !== 'root' && role !== 'targets',
  );
  const stops =
    top === undefined
      ? []
      : [
          {
            at: new Date(Date.parse(top.expiresAt) - stopBeforeMs).toISOString(),
            why: `renewal stops because its ${top.role} ends ${top.expiresAt}, unless somebody runs pinnace collection extend ${top.role}`,
          },
        ];
  return [
    ...stops,
    ...teams.map(({ role, expiresAt }) => ({
      at: expiresAt,
      why: `what ${role} approved ends, unless somebody runs pinnace collection extend ${role}`,
    })),
  ];
}

function nearest(roles: readonly RoleStatus[]): RoleStatus | undefined {
  return roles.toSorted((a, b) => Date.parse(a.expiresAt) - Date.parse(b.expiresAt))[0];
}
