import type { Clock } from '../base/clock.ts';
import type { LimitsConfig } from '../config/config.ts';
import type { Metrics } from '../observe/metrics.ts';
import { RequestPlaces } from '../server/request-places.ts';
import type { LimitStatus } from '../server/status-report.ts';

/**
 * What this process takes on at once, whatever configuration is in force. Made from numbers alone, so that each process has
 * its own.
 */
export class ProcessLimits {
  readonly requests: RequestPlaces;

  constructor(clock: Clock, limits: LimitsConfig) {
    this.requests = new RequestPlaces(clock, limits);
  }

  /** Takes over the limits of another configuration. */
  configure(limits: LimitsConfig): void {
    this.requests.configure(limits);
  }

  /** How near each limit is. */
  statuses(): readonly LimitStatus[] {
    return [{ limit: 'requests', ...statusOf(this.requests) }];
  }

  /** Sets the gauges, and raises the counters, of all limits. */
  collect(metrics: Metrics): void {
    for (const { limit, most, taken, waiting, turnedAway } of this.statuses()) {
      metrics.set('pinnace_limit', { limit }, most);
      metrics.set('pinnace_limit_used', { limit }, taken);
      metrics.set('pinnace_limit_waiting', { limit }, waiting);
      metrics.raiseTo('pinnace_turned_away_total', { limit }, turnedAway);
    }
  }
}

function statusOf({
  most,
  taken,
  waiting,
  turnedAway,
}: Omit<LimitStatus, 'limit'>): Omit<LimitStatus, 'limit'> {
  return { most, taken, waiting, turnedAway };
}
