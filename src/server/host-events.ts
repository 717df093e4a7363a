import type { Clock } from '../base/clock.ts';
import type { Log } from '../observe/log.ts';
import type { Metrics } from '../observe/metrics.ts';
import type { HttpHostOptions } from './http-host.ts';
import { PacedCount } from './paced-count.ts';

/** What a listener's socket tells beside requests, for log and metrics. */
export function hostEvents(
  listener: string,
  { clock, log, metrics }: { readonly clock: Clock; readonly log: Log; readonly metrics: Metrics },
): Required<Pick<HttpHostOptions, 'onBadRequest' | 'onAcceptError' | 'onSlowClient'>> {
  const failedAccepts = new PacedCount(clock);
  return {
    onBadRequest(code, client) {
      metrics.countRequest('other', 'rejected');
      log.event('listener.bad_request', { listener, code, client });
    },
    onAcceptError(code) {
      metrics.count('pinnace_accept_errors_total', {});
      const connections = failedAccepts.note();
      if (connections !== undefined) {
        log.event('listener.accept_failed', { listener, code, connections });
      }
    },
    onSlowClient(client, { bytes, ms }) {
      metrics.count('pinnace_slow_clients_cut_total', {});
      log.event('client.cut', { listener, client, bytes, ms });
    },
  };
}
