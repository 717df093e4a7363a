import type { Clock } from '../base/clock.ts';
import type { Config } from '../config/config.ts';
import type { Metrics } from '../observe/metrics.ts';
import type { UpstreamStatus } from '../server/status-report.ts';
import type { ServerState } from '../upstream/registry-client.ts';
import { fallbackName } from '../upstream/upstream-chain.ts';

const STATES = { closed: 0, 'half-open': 1, open: 2 } as const;

/** What every server of the upstreams is called in metrics and logs. */
export function serverNames({ upstreams }: Config): readonly string[] {
  return [...upstreams].flatMap(([registry, { fallbacks }]) => [
    registry,
    ...fallbacks.map(({ url }) => fallbackName(registry, new URL(url))),
  ]);
}

/** Sets the gauges of the servers there are now. */
export function collectUpstreamGauges(metrics: Metrics, servers: readonly ServerState[]): void {
  metrics.clear('pinnace_upstream_breaker_state');
  metrics.clear('pinnace_upstream_in_flight');
  metrics.clear('pinnace_upstream_queued');
  for (const { name: upstream, breaker, inFlight, queued } of servers) {
    metrics.set('pinnace_upstream_breaker_state', { upstream }, STATES[breaker]);
    metrics.set('pinnace_upstream_in_flight', { upstream }, inFlight);
    metrics.set('pinnace_upstream_queued', { upstream }, queued);
  }
}

/** How the servers fare, for people. */
export function upstreamStatuses(
  servers: readonly ServerState[],
  clock: Clock,
): readonly UpstreamStatus[] {
  return servers.map(({ name, host, breaker, trialInMs, inFlight, queued }) => ({
    name,
    server: host,
    breaker,
    ...(breaker === 'open'
      ? { triedAgainAt: new Date(clock.now() + trialInMs).toISOString() }
      : {}),
    requestsInFlight: inFlight,
    requestsQueued: queued,
  }));
}
