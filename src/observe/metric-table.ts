import { REASON_CODES, type ReasonCode } from '../base/reason-code.ts';

/** The kinds of request that metrics and logs tell apart. */
export const REQUEST_KINDS = [
  'ping',
  'manifest_tag',
  'manifest_digest',
  'blob',
  'tags',
  'referrers',
  'catalog',
  'trust',
  'token',
  'other',
] as const;

/**
 * How a request ended: `pinned` (verified content was sent), `passed_through` (relayed unverified by an explicit rule),
 * `audit` and `break_glass` (sent although it would be refused, by an operator's word),
 * `refused` (proved bad or not allowed), `inconclusive` (could not be found out), `answered` (nothing to verify),
 * `rejected` (malformed or unsupported), `failed` (an internal error), `cut` (begun, then broken off).
 */
export const REQUEST_VERDICTS = [
  'pinned',
  'passed_through',
  'audit',
  'break_glass',
  'refused',
  'inconclusive',
  'answered',
  'rejected',
  'failed',
  'cut',
] as const;

export type RequestKind = (typeof REQUEST_KINDS)[number];
export type RequestVerdict = (typeof REQUEST_VERDICTS)[number];

const CACHES = ['answer', 'manifest', 'blob'] as const;
const OUTCOMES = [
  'ok',
  'not_found',
  'denied',
  'rate_limited',
  'server_error',
  'unreachable',
] as const;
/** What Pinnace takes on at once, by the keys below `limits`. */
export const LIMITS = ['connections', 'requests', 'blobs', 'buffered_bytes'] as const;
const ROLES = ['root', 'targets', 'snapshot', 'timestamp', 'delegation'] as const;

/** A label that takes any value from the configuration; the others list theirs. */
const CONFIGURED: readonly string[] = [];

const REASONS: readonly ReasonCode[] = REASON_CODES;

/** One metric: its type, what it says, and its labels with their possible values (empty: names from the configuration). */
export interface MetricRow {
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly help: string;
  readonly labels: Readonly<Record<string, readonly string[]>>;
  /** Upper bounds in seconds; histograms only. */
  readonly buckets?: readonly number[];
  /** How values of several processes become one; default: they are added up. */
  readonly together?: 'max' | 'first';
}

/**
 * Every metric Pinnace exports, declared once; `docs/metrics.md` describes each. No label ever holds a tag, a digest,
 * a repository or an address.
 */
export const METRIC_TABLE = {
  pinnace_build_info: {
    type: 'gauge',
    help: 'Always 1; the version of Pinnace and of Node.js are in the labels.',
    labels: { version: CONFIGURED, node: CONFIGURED },
    together: 'first',
  },
  pinnace_workers: {
    type: 'gauge',
    help: 'Worker processes that serve connections now; 0 where one process does everything.',
    labels: {},
  },
  pinnace_worker_restarts_total: {
    type: 'counter',
    help: 'Worker processes that ended unasked and were replaced.',
    labels: {},
  },
  pinnace_requests_total: {
    type: 'counter',
    help: 'Requests of engines by kind and by how they ended.',
    labels: { kind: REQUEST_KINDS, verdict: REQUEST_VERDICTS },
  },
  pinnace_request_duration_seconds: {
    type: 'histogram',
    help: 'Time from the request line to the end of the answer.',
    labels: { kind: REQUEST_KINDS },
    buckets: [0.001, 0.005, 0.025, 0.1, 0.5, 1, 2.5, 5, 10, 30, 120],
  },
  pinnace_refusals_total: {
    type: 'counter',
    help: 'Requests that were refused or could not be decided, by reason code.',
    labels: { reason: REASONS, rule: CONFIGURED, trust: CONFIGURED },
  },
  pinnace_verification_duration_seconds: {
    type: 'histogram',
    help: 'Time one run of verification took, from the first metadata request to the verdict.',
    labels: { trust: CONFIGURED },
    buckets: [0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30],
  },
  pinnace_trust_metadata_age_seconds: {
    type: 'gauge',
    help: 'Time since the trust server last confirmed its current timestamp; the oldest repository in use.',
    labels: { rule: CONFIGURED, trust: CONFIGURED },
  },
  pinnace_trust_expires_in_seconds: {
    type: 'gauge',
    help: 'Time until the nearest expiry of a role among the repositories in use; negative once expired.',
    labels: { rule: CONFIGURED, trust: CONFIGURED, role: ROLES },
  },
  pinnace_upstream_requests_total: {
    type: 'counter',
    help: 'Requests to upstream registries and trust servers by outcome.',
    labels: { upstream: CONFIGURED, outcome: OUTCOMES },
  },
  pinnace_upstream_bytes_total: {
    type: 'counter',
    help: 'Bytes of content read from upstreams.',
    labels: { upstream: CONFIGURED },
  },
  pinnace_upstream_rate_limit_remaining: {
    type: 'gauge',
    help: 'What the upstream last said is left of its rate limit.',
    labels: { upstream: CONFIGURED },
  },
  pinnace_upstream_logins_total: {
    type: 'counter',
    help: 'Logins at upstream registries and trust servers by outcome.',
    labels: { upstream: CONFIGURED, outcome: ['ok', 'denied', 'failed'] },
  },
  pinnace_upstream_fallbacks_total: {
    type: 'counter',
    help: 'Contents that came from a fallback of an upstream.',
    labels: { upstream: CONFIGURED },
  },
  pinnace_upstream_mismatches_total: {
    type: 'counter',
    help: 'Contents that did not have the digest by which an upstream or fallback was asked for them.',
    labels: { upstream: CONFIGURED },
  },
  pinnace_upstream_breaker_state: {
    type: 'gauge',
    help: 'Whether an upstream or fallback is asked: 0 yes, 1 one request tries, 2 not for now.',
    labels: { upstream: CONFIGURED },
  },
  pinnace_upstream_in_flight: {
    type: 'gauge',
    help: 'Requests to an upstream or fallback that are under way, bodies included.',
    labels: { upstream: CONFIGURED },
  },
  pinnace_upstream_queued: {
    type: 'gauge',
    help: 'Requests that wait until an upstream or fallback has a place for them.',
    labels: { upstream: CONFIGURED },
  },
  pinnace_cache_hits_total: {
    type: 'counter',
    help: 'Lookups answered from a cache.',
    labels: { cache: CACHES },
  },
  pinnace_cache_misses_total: {
    type: 'counter',
    help: 'Lookups a cache could not answer.',
    labels: { cache: CACHES },
  },
  pinnace_cache_bytes: {
    type: 'gauge',
    help: 'Bytes a cache holds.',
    labels: { cache: CACHES },
  },
  pinnace_cache_evictions_total: {
    type: 'counter',
    help: 'Entries dropped to stay within the size limit.',
    labels: { cache: CACHES },
  },
  pinnace_cache_corrupt_total: {
    type: 'counter',
    help: 'Entries dropped because their content no longer had its digest.',
    labels: { cache: CACHES },
  },
  pinnace_cache_write_failures_total: {
    type: 'counter',
    help: 'Contents served but not kept because the disk refused them.',
    labels: { cache: CACHES },
  },
  pinnace_blobs_in_flight: {
    type: 'gauge',
    help: 'Blobs being read from upstreams now.',
    labels: {},
  },
  pinnace_completions_in_flight: {
    type: 'gauge',
    help: 'Images being fetched whole before their tag is answered (completeFirst).',
    labels: {},
  },
  pinnace_completion_duration_seconds: {
    type: 'histogram',
    help: 'Time until an image was whole, or known not to become so (completeFirst).',
    labels: { outcome: ['whole', 'refused'] },
    buckets: [0.1, 0.5, 1, 2.5, 5, 10, 25, 60, 180, 600, 1800],
  },
  pinnace_completed_bytes_total: {
    type: 'counter',
    help: 'Bytes of images that became whole before their tag was answered, cached parts included (completeFirst).',
    labels: {},
  },
  pinnace_joined_requests_total: {
    type: 'counter',
    help: 'Requests that shared work already under way.',
    labels: { kind: ['metadata', 'manifest', 'blob'] },
  },
  pinnace_stale_answers_total: {
    type: 'counter',
    help: 'Verified answers served within outageGrace while the trust server could not be asked.',
    labels: {},
  },
  pinnace_first_use_admissions_total: {
    type: 'counter',
    help: 'Collections trusted because nothing was known of them (trustOnFirstUse).',
    labels: { trust: CONFIGURED },
  },
  pinnace_bypass_suspected_total: {
    type: 'counter',
    help: 'Engines that were refused a tag and then asked for a different digest of that repository.',
    labels: {},
  },
  pinnace_decoys_issued_total: {
    type: 'counter',
    help: 'Refused tags answered with a manifest that nobody can complete (hard stop).',
    labels: {},
  },
  pinnace_client_logins_total: {
    type: 'counter',
    help: 'Requests on listeners that ask who is calling, by what came of it.',
    labels: {
      clients: CONFIGURED,
      outcome: ['admitted', 'missing', 'wrong', 'limited', 'unavailable', 'forbidden'],
    },
  },
  pinnace_relayed_requests_total: {
    type: 'counter',
    help: 'Requests relayed unverified to an upstream by an allowUnverified rule.',
    labels: { outcome: ['ok', 'failed'] },
  },
  pinnace_state_errors_total: {
    type: 'counter',
    help: 'Failures to read or write the durable trust state.',
    labels: {},
  },
  pinnace_audited_refusals_total: {
    type: 'counter',
    help: 'Manifests that a rule in audit let through although they would be refused, by reason code.',
    labels: { reason: REASONS, rule: CONFIGURED },
  },
  pinnace_break_glass_answers_total: {
    type: 'counter',
    help: 'Manifests that went out by break-glass although they would be refused, by reason code.',
    labels: { reason: REASONS },
  },
  pinnace_break_glass_active: {
    type: 'gauge',
    help: 'Break-glass entries in force now.',
    labels: {},
  },
  pinnace_break_glass_ends_in_seconds: {
    type: 'gauge',
    help: 'Time until the last break-glass entry in force ends; 0 when none is.',
    labels: {},
  },
  pinnace_config_reloads_total: {
    type: 'counter',
    help: 'Reloads of the configuration: taken over, or refused so that the earlier one stays in force.',
    labels: { outcome: ['ok', 'refused'] },
  },
  pinnace_config_last_reload_successful: {
    type: 'gauge',
    help: '1 when the configuration in force is the one last read; 0 when that one was refused.',
    labels: {},
  },
  pinnace_limit: {
    type: 'gauge',
    help: 'The most that this process takes on at once, by limit.',
    labels: { limit: LIMITS },
  },
  pinnace_limit_used: {
    type: 'gauge',
    help: 'How much of a limit is in use now.',
    labels: { limit: LIMITS },
  },
  pinnace_limit_waiting: {
    type: 'gauge',
    help: 'How many wait now because a limit is reached.',
    labels: { limit: LIMITS },
  },
  pinnace_turned_away_total: {
    type: 'counter',
    help: 'Requests refused, and connections closed, because a limit was reached.',
    labels: { limit: LIMITS },
  },
  pinnace_accept_errors_total: {
    type: 'counter',
    help: 'Connections that the system could not hand over, mostly for want of file descriptors.',
    labels: {},
  },
  pinnace_slow_clients_cut_total: {
    type: 'counter',
    help: 'Answers broken off because the client took too little of them for too long.',
    labels: {},
  },
  pinnace_collection_expires_in_seconds: {
    type: 'gauge',
    help: "Time until a role of one of the site's own collections expires, the nearest of its teams as delegation; negative once expired.",
    labels: { collection: CONFIGURED, role: ROLES },
  },
  pinnace_collection_last_renewal_timestamp_seconds: {
    type: 'gauge',
    help: 'When the timestamp in the folder of a collection was signed, by this process or another one, as Unix time.',
    labels: { collection: CONFIGURED },
  },
  pinnace_collection_renewals_total: {
    type: 'counter',
    help: 'Renewals of timestamp and snapshot of a collection, by outcome.',
    labels: {
      collection: CONFIGURED,
      outcome: ['renewed', 'took_effect', 'stopped', 'failed'],
    },
  },
  pinnace_collection_publications_total: {
    type: 'counter',
    help: 'Attempts to publish a collection, by outcome.',
    labels: { collection: CONFIGURED, outcome: ['published', 'unchanged', 'failed'] },
  },
  pinnace_event_loop_delay_seconds: {
    type: 'gauge',
    help: 'Delay of the event loop since the last collection; of several processes the longest.',
    labels: { quantile: ['0.5', '0.99', '1'] },
    together: 'max',
  },
} as const satisfies Readonly<Record<string, MetricRow>>;
