import type { CollectionEvents } from '../metadata/trusted-metadata.ts';
import type { Log } from '../observe/log.ts';
import type { Metrics, Tally } from '../observe/metrics.ts';
import type { CompletionEvents } from '../resolve/complete-pulls.ts';
import { NO_CONTENT_EVENTS } from '../store/content-events.ts';
import { StateError } from '../store/errors.ts';
import { TrustError } from '../trust/errors.ts';
import { silentEvents, type UpstreamEvents, type UpstreamOutcome } from '../upstream/events.ts';
import type { CoreEvents } from './pull-core.ts';

/** A redirect is a step of a request that goes well; an odd status is the server's fault until shown otherwise. */
const OUTCOMES = {
  ok: 'ok',
  redirected: 'ok',
  unauthorized: 'denied',
  missing: 'not_found',
  rate_limited: 'rate_limited',
  client_error: 'server_error',
  server_error: 'server_error',
  unreachable: 'unreachable',
} as const satisfies Readonly<Record<UpstreamOutcome, string>>;

/**
 * Reports what happens in the core to logs and metrics.
 *
 * @param isReleasing - whether work under way is being broken off on purpose
 */
export function observedCoreEvents(
  log: Log,
  metrics: Metrics,
  isReleasing: () => boolean,
): CoreEvents {
  const reported = new WeakSet<Error>();
  let blobsInFlight = 0;
  const stateFailed = (error: unknown): void => {
    // A pull that waits for a refresh fails with the refresh's own error.
    if (!(error instanceof Error) || reported.has(error)) return;
    reported.add(error);
    metrics.count('pinnace_state_errors_total', {});
    log.failure('state.error', error);
  };
  return {
    stateFailed,
    collections: collectionEvents(log, metrics, { stateFailed, isReleasing }),
    upstream: upstreamEvents(log, metrics),
    blobs: {
      joined: () => metrics.count('pinnace_joined_requests_total', { kind: 'blob' }),
      upstreamRead: () => undefined,
      inFlight(count) {
        // Added up with what is still under way by an earlier configuration.
        metrics.add('pinnace_blobs_in_flight', {}, count - blobsInFlight);
        blobsInFlight = count;
      },
    },
    content: (cache) => ({
      hit: countIn(metrics.tally('pinnace_cache_hits_total', { cache })),
      miss: () => metrics.count('pinnace_cache_misses_total', { cache }),
      evicted: () => metrics.count('pinnace_cache_evictions_total', { cache }),
      writeFailed() {
        metrics.count('pinnace_cache_write_failures_total', { cache });
        log.event('cache.write_failed', { cache });
      },
      corrupt() {
        metrics.count('pinnace_cache_corrupt_total', { cache });
        log.event('cache.corrupt', { cache });
      },
      bytes: (total) => metrics.set('pinnace_cache_bytes', { cache }, total),
    }),
    completions: completionEvents(log, metrics),
    joinedManifest: () => metrics.count('pinnace_joined_requests_total', { kind: 'manifest' }),
  };
}

function countIn(tally: Tally): () => void {
  return () => {
    tally.total += 1;
  };
}

function upstreamEvents(log: Log, metrics: Metrics): UpstreamEvents {
  const bytes = new Map<string, Tally>();
  return {
    request(upstream, outcome) {
      metrics.count('pinnace_upstream_requests_total', { upstream, outcome: OUTCOMES[outcome] });
      if (outcome === 'rate_limited') log.event('upstream.rate_limited', { upstream });
    },
    bytes(upstream, count) {
      let tally = bytes.get(upstream);
      if (tally === undefined) {
        tally = metrics.tally('pinnace_upstream_bytes_total', { upstream });
        bytes.set(upstream, tally);
      }
      tally.total += count;
    },
    rateLimitRemaining: (upstream, count) =>
      metrics.set('pinnace_upstream_rate_limit_remaining', { upstream }, count),
    login(upstream, outcome) {
      metrics.count('pinnace_upstream_logins_total', { upstream, outcome });
      if (outcome !== 'ok') log.event('upstream.login_failed', { upstream, outcome });
    },
    breaker(upstream, state) {
      log.event(state === 'open' ? 'upstream.breaker_opened' : 'upstream.breaker_closed', {
        upstream,
      });
    },
    mismatch(upstream) {
      metrics.count('pinnace_upstream_mismatches_total', { upstream });
      log.event('upstream.mismatch', { upstream });
    },
    fellBack: (upstream) => metrics.count('pinnace_upstream_fallbacks_total', { upstream }),
  };
}

function collectionEvents(
  log: Log,
  metrics: Metrics,
  report: {
    readonly stateFailed: (error: unknown) => void;
    readonly isReleasing: () => boolean;
  },
): CollectionEvents {
  return {
    refreshed({ source, gun }, durationMs, failure) {
      metrics.observe(
        'pinnace_verification_duration_seconds',
        { trust: source },
        durationMs / 1000,
      );
      if (failure === undefined || report.isReleasing()) return;
      if (failure instanceof StateError) {
        report.stateFailed(failure);
        return;
      }
      const event = failure instanceof TrustError ? 'trust.refused' : 'trust.refresh_failed';
      log.failure(event, failure, { trust: source, repository: gun });
    },
    firstUse({ source, gun }, rootKeyIds) {
      metrics.count('pinnace_first_use_admissions_total', { trust: source });
      log.event('trust.first_use', { trust: source, repository: gun, rootKeyIds });
    },
    advanced({ source, gun }, versions) {
      const text = [...versions].map(([role, version]) => `${role}=${version}`);
      log.event('trust.changed', { trust: source, repository: gun, versions: text });
    },
  };
}

/** A completion that took longer than this is worth a line, in milliseconds. */
const LONG_COMPLETION_MS = 5_000;

function completionEvents(log: Log, metrics: Metrics): CompletionEvents {
  return {
    inFlight: (count) => metrics.set('pinnace_completions_in_flight', {}, count),
    ended({ reason, durationMs, ...image }) {
      const outcome = reason === undefined ? 'whole' : 'refused';
      metrics.observe('pinnace_completion_duration_seconds', { outcome }, durationMs / 1000);
      const fields = { ...image, durationMs: Math.round(durationMs) };
      if (reason !== undefined) {
        log.event('image.not_completed', { ...fields, code: reason });
        return;
      }
      metrics.count('pinnace_completed_bytes_total', {}, image.bytes);
      if (durationMs >= LONG_COMPLETION_MS) log.event('image.completed', fields);
    },
    late: (image, withinMs) => log.event('image.late', { ...image, withinMs }),
  };
}

/** What a command that answers one question reports: nothing, it prints its own result. */
export const SILENT_CORE_EVENTS: CoreEvents = {
  collections: {
    refreshed: () => undefined,
    firstUse: () => undefined,
    advanced: () => undefined,
  },
  upstream: silentEvents,
  blobs: { joined: () => undefined, upstreamRead: () => undefined, inFlight: () => undefined },
  content: () => NO_CONTENT_EVENTS,
  joinedManifest: () => undefined,
  completions: { inFlight: () => undefined, ended: () => undefined, late: () => undefined },
  stateFailed: () => undefined,
};
