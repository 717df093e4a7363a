import type { LIMITS } from './metric-table.ts';
import type { Metrics } from './metrics.ts';

/** How much of a limit is in use. */
export interface LimitUse {
  /** The most at once. */
  readonly most: number;
  readonly taken: number;
  readonly waiting: number;
  /** Since the start. */
  readonly turnedAway: number;
}

/** One of the limits of a process, by the name that metrics have for it. */
export type LimitName = (typeof LIMITS)[number];

/** Sets the gauges, and raises the counter, of one limit. */
export function collectLimit(metrics: Metrics, limit: LimitName, use: LimitUse): void {
  metrics.set('pinnace_limit', { limit }, use.most);
  metrics.set('pinnace_limit_used', { limit }, use.taken);
  metrics.set('pinnace_limit_waiting', { limit }, use.waiting);
  metrics.raiseTo('pinnace_turned_away_total', { limit }, use.turnedAway);
}
