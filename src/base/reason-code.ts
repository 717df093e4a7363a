/**
 * Every reason for which Pinnace does not serve something, as a closed list. The codes are API: they appear in
 * error bodies, logs, metrics and `docs/errors.md`, and renaming one is a breaking change.
 *
 * The trust codes are the labels of the Notary v1 test vectors.
 */
export const TRUST_REASONS = [
  'no_trust_data',
  'tag_not_signed',
  'tag_not_released',
  'required_signer_missing',
  'signer_conflict',
  'target_unusable',
  'root_expired',
  'targets_expired',
  'snapshot_expired',
  'timestamp_expired',
  'bad_signature',
  'threshold_not_met',
  'malformed',
  'rollback',
  'checksum_mismatch',
  'length_exceeded',
  'length_mismatch',
  'metadata_missing',
  'root_cert_invalid',
  'root_rotation_invalid',
  'pin_mismatch',
  'tofu_disabled',
] as const;

/** Why the trust server gave no answer that could be judged. */
export const TRUST_SERVER_REASONS = [
  'trust_server_unreachable',
  'trust_server_unauthorized',
  'trust_server_error',
] as const;

/** Why the upstream registry's content is not served. */
export const UPSTREAM_REASONS = [
  'upstream_unreachable',
  'upstream_denied',
  'upstream_rate_limited',
  'upstream_busy',
  'manifest_missing',
  'blob_missing',
  'digest_mismatch',
] as const;

/** Reasons of Pinnace itself: policy, state, protocol. */
export const OWN_REASONS = [
  'no_rule',
  'digest_not_vouched',
  'image_not_ready',
  'image_incomplete',
  'overloaded',
  'denied_by_rule',
  'clock_went_back',
  'state_unreadable',
  'media_type_not_supported',
  'push_not_supported',
  'client_unauthorized',
  'client_forbidden',
  'canary',
  'client_rate_limited',
  'client_check_unavailable',
  'internal',
] as const;

export const REASON_CODES: readonly ReasonCode[] = [
  ...TRUST_REASONS,
  ...TRUST_SERVER_REASONS,
  ...UPSTREAM_REASONS,
  ...OWN_REASONS,
];

export type TrustReason = (typeof TRUST_REASONS)[number];
export type TrustServerReason = (typeof TRUST_SERVER_REASONS)[number];
export type UpstreamReason = (typeof UPSTREAM_REASONS)[number];
export type OwnReason = (typeof OWN_REASONS)[number];
export type ReasonCode = TrustReason | TrustServerReason | UpstreamReason | OwnReason;
