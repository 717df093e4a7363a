import type { Clock } from '../base/clock.ts';
import type { Collection } from '../metadata/collection.ts';
import { TrustServerError } from '../metadata/errors.ts';
import type { Metrics } from '../observe/metrics.ts';
import { parseRepositoryName } from '../oci/names.ts';
import type { Policy } from '../policy/policy.ts';
import { ruleName } from '../policy/rule.ts';
import type { RefusalHistory } from '../server/refusal-history.ts';
import type { RepositoryStatus, RoleStatus } from '../server/status-report.ts';
import type { TrustedSet } from '../trust/trusted-set.ts';

/** What the status of repositories is drawn from. */
export interface StatusSources {
  readonly collections: { list(): readonly Collection[] };
  readonly policy: Policy;
  readonly refusals: RefusalHistory;
  readonly clock: Clock;
}

/** The status of every repository that was asked for since the start. */
export function repositoryStatuses(sources: StatusSources): readonly RepositoryStatus[] {
  const collections = sources.collections.list();
  const seen = new Set(collections.map(({ key }) => key.gun));
  const refusedOnly = sources.refusals.repositories().filter((name) => !seen.has(name));
  return [
    ...collections.map((collection) => statusOf(collection, sources)),
    ...refusedOnly.map((repository) => ({
      repository,
      roles: [],
      lastRefusals: sources.refusals.of(repository),
    })),
  ];
}

/** Versions and expiries of what is trusted now, root first. */
export function roleStatuses(set: TrustedSet): readonly RoleStatus[] {
  const files = [
    { role: 'root', body: set.root.body },
    { role: 'timestamp', body: set.timestamp.body },
    { role: 'snapshot', body: set.snapshot.body },
    ...[...set.targets].map(([role, { body }]) => ({ role, body })),
  ];
  return files.map(({ role, body }) => ({
    role,
    version: body.version,
    expiresAt: new Date(body.expiresAt).toISOString(),
  }));
}

function statusOf(collection: Collection, sources: StatusSources): RepositoryStatus {
  const { gun, source } = collection.key;
  const { state, failure } = collection;
  const rule = ruleNameOf(sources.policy, gun);
  const checkedAt = state === undefined || state.checkedAt === 0 ? undefined : state.checkedAt;
  const graceEndsAt =
    !(failure instanceof TrustServerError) || checkedAt === undefined || state?.set === undefined
      ? undefined
      : checkedAt + collection.maxAgeMs + collection.outageGraceMs;
  return {
    repository: gun,
    trust: source,
    roles: state?.set === undefined ? [] : roleStatuses(state.set),
    lastRefusals: sources.refusals.of(gun),
    ...(rule === undefined ? {} : { rule }),
    ...(state === undefined ? {} : { admission: state.admission }),
    ...(checkedAt === undefined ? {} : { checkedAt: new Date(checkedAt).toISOString() }),
    ...(graceEndsAt === undefined ? {} : { graceEndsAt: new Date(graceEndsAt).toISOString() }),
    ...(failure === undefined ? {} : { lastError: messageOf(failure) }),
  };
}

function ruleNameOf(policy: Policy, gun: string): string | undefined {
  const rules = policy.rulesOf(parseRepositoryName(gun));
  const rule = rules.verifying ?? rules.withoutTag;
  return rule && ruleName(rule);
}

/** Sets the gauges that alerts watch: age of the freshest timestamp and time to the nearest expiry, per rule and source. */
export function collectTrustGauges(metrics: Metrics, sources: StatusSources): void {
  metrics.clear('pinnace_trust_metadata_age_seconds');
  metrics.clear('pinnace_trust_expires_in_seconds');
  const now = sources.clock.now();
  const oldest = new Map<string, number>();
  const nearest = new Map<string, number>();
  for (const collection of sources.collections.list()) {
    const { state, key } = collection;
    if (state?.set === undefined) continue;
    const rule = ruleNameOf(sources.policy, key.gun) ?? 'none';
    raise(oldest, JSON.stringify([rule, key.source]), (now - state.checkedAt) / 1000);
    for (const { role, expiresAt } of roleStatuses(state.set)) {
      const label = role.startsWith('targets/') ? 'delegation' : role;
      const seconds = (Date.parse(expiresAt) - now) / 1000;
      raise(nearest, JSON.stringify([rule, key.source, label]), -seconds);
    }
  }
  for (const [key, seconds] of oldest) {
    const [rule = '', trust = ''] = JSON.parse(key) as readonly string[];
    metrics.set('pinnace_trust_metadata_age_seconds', { rule, trust }, seconds);
  }
  for (const [key, seconds] of nearest) {
    const [rule = '', trust = '', label] = JSON.parse(key) as readonly string[];
    metrics.set(
      'pinnace_trust_expires_in_seconds',
      { rule, trust, role: roleLabel(label) },
      -seconds,
    );
  }
}

/** The nearest expiry of each kind of role, delegations all together; milliseconds since the epoch. */
export function nearestExpiries(set: TrustedSet): ReadonlyMap<RoleLabel, number> {
  const nearest = new Map<RoleLabel, number>();
  for (const { role, expiresAt } of roleStatuses(set)) {
    const label = roleLabel(role);
    nearest.set(
      label,
      Math.min(Date.parse(expiresAt), nearest.get(label) ?? Number.POSITIVE_INFINITY),
    );
  }
  return nearest;
}

type RoleLabel = 'root' | 'targets' | 'snapshot' | 'timestamp' | 'delegation';

function roleLabel(label: string | undefined): RoleLabel {
  switch (label) {
    case 'root':
    case 'targets':
    case 'snapshot':
    case 'timestamp':
      return label;
    default:
      return 'delegation';
  }
}

function raise(map: Map<string, number>, key: string, value: number): void {
  map.set(key, Math.max(value, map.get(key) ?? Number.NEGATIVE_INFINITY));
}

/** What went wrong, in words. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
