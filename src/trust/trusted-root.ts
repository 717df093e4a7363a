import { admittedKeys, type RootAnchor } from './anchor.ts';
import type { Authority } from './authority.ts';
import type { Dialect } from './dialect.ts';
import { TrustError } from './errors.ts';
import type { WeakAlgorithms } from './keys.ts';
import type { Envelope, RootBody, TopLevelRole } from './model.ts';
import { authorityOf, type RootKey } from './root-keys.ts';
import { requireThreshold, type SigningKey, signersOf } from './threshold.ts';
import { withRole } from './verified-file.ts';

/** What the rules for one collection's root depend on. */
export interface RootRules {
  readonly dialect: Dialect;
  readonly gun: string;
  readonly anchor: RootAnchor;
  readonly weak: WeakAlgorithms;
}

/**
 * A root that is trusted: admitted by an anchor, or reached from such a root by a chain without gaps. Whether its own dates
 * still hold is a separate question (`requireInForce`), since an outdated root is still good for checking its successor.
 */
export class TrustedRoot {
  readonly bytes: Uint8Array;
  readonly body: RootBody;
  readonly #rules: RootRules;
  readonly #envelope: Envelope;
  /** When it was found to be in force, and until when that goes on holding; milliseconds since the epoch. */
  #inForce: { readonly from: number; readonly until: number } | undefined;

  private constructor(envelope: Envelope, body: RootBody, rules: RootRules) {
    this.bytes = envelope.bytes;
    this.#envelope = envelope;
    this.body = body;
    this.#rules = rules;
  }

  /**
   * Admits a first root by the configured anchor.
   *
   * @param admittedAt - milliseconds since the epoch; a CA chain must be in force then
   * @throws {TrustError} `malformed`, `root_cert_invalid`, `pin_mismatch`, `tofu_disabled`, `bad_signature`,
   * `threshold_not_met`
   * @source TUF 1.0.34 §5.2; notary: trustpinning/certs.go (ValidateRoot)
   */
  static admit(bytes: Uint8Array, rules: RootRules, admittedAt: number): TrustedRoot {
    return withRole('root', () => {
      requireAnchorFile(bytes, rules.anchor);
      const envelope = rules.dialect.parseEnvelope(bytes);
      const body = rules.dialect.parseRoot(envelope);
      const keys = rules.dialect.rootKeys(body, rules.gun, 'ignore-dates');
      const admitted = admittedKeys(keys, rules.anchor, admittedAt);
      requireThreshold(envelope, authorityOf(body, admitted), rules);
      return new TrustedRoot(envelope, body, rules);
    });
  }

  /**
   * Accepts the next root of the chain: version exactly one higher, signed by enough of this root's keys and of its own.
   *
   * @throws {TrustError} `malformed`, `root_cert_invalid`, `root_rotation_invalid`, `bad_signature`, `threshold_not_met`,
   * `rollback`
   * @source TUF 1.0.34 §5.3.4–5.3.5 (#update-root)
   */
  successor(bytes: Uint8Array): TrustedRoot {
    return withRole('root', () => {
      const { dialect, gun } = this.#rules;
      const envelope = dialect.parseEnvelope(bytes);
      const body = dialect.parseRoot(envelope);
      const own = dialect.rootKeys(body, gun, 'ignore-dates');
      this.#requireSignedByThis(envelope, body);
      requireThreshold(envelope, authorityOf(body, own), this.#rules);
      this.#requireNextVersion(body);
      return new TrustedRoot(envelope, body, this.#rules);
    });
  }

  /**
   * Requires that the root can be relied on at `now`: enough of its signers' certificates and the root itself in force.
   *
   * @param now - milliseconds since the epoch
   * @throws {TrustError} `root_cert_invalid`, `bad_signature`, `threshold_not_met`, `root_expired`
   * @source TUF 1.0.34 §5.3.10; notary: trustpinning/certs.go
   */
  requireInForce(now: number): void {
    if (this.#foundInForce(now) !== undefined) return;
    withRole('root', () => {
      const valid = this.#rules.dialect.rootKeys(this.body, this.#rules.gun, now);
      requireThreshold(this.#envelope, authorityOf(this.body, valid), this.#rules);
      requireFresh('root', this.body.expiresAt, now);
    });
    this.#inForce = { from: now, until: this.#untilTooFewSign(now) };
  }

  /**
   * Until when `requireInForce` will go on holding, milliseconds since the epoch: the root's own expiry, or the moment when
   * too few of its signers' certificates are left. Call it only on a root that is in force.
   */
  inForceUntil(now: number): number {
    return this.#foundInForce(now)?.until ?? this.#untilTooFewSign(now);
  }

  /** What was found before, if it holds now: only the end of a certificate or of the root takes it away, none before `until`. */
  #foundInForce(now: number): { readonly until: number } | undefined {
    const found = this.#inForce;
    return found !== undefined && found.from <= now && now < found.until ? found : undefined;
  }

  #untilTooFewSign(now: number): number {
    const valid = this.#rules.dialect.rootKeys(this.body, this.#rules.gun, now);
    const authority = authorityOf(this.body, valid);
    const { keyIds } = signersOf(this.#envelope, authority, this.#rules);
    const signing = [...valid].filter(([id]) => keyIds.has(id));
    const ends = signing.map(([, key]) => certificateEnd(key)).sort((a, b) => b - a);
    return Math.min(this.body.expiresAt, ends[authority.threshold - 1] ?? 0);
  }

  /** The keys of the root role that signed it, whatever the dates of their certificates, and how many are needed. */
  get signedBy(): { readonly keys: readonly SigningKey[]; readonly threshold: number } {
    const own = this.#rules.dialect.rootKeys(this.body, this.#rules.gun, 'ignore-dates');
    const authority = authorityOf(this.body, own);
    const { keys } = signersOf(this.#envelope, authority, this.#rules);
    return { keys, threshold: authority.threshold };
  }

  get dialect(): Dialect {
    return this.#rules.dialect;
  }

  /** The keys and threshold that speak for a top-level role. */
  authority(role: TopLevelRole): Authority {
    // parseRoot made sure that all four exist; an empty authority could not be met anyway.
    return this.body.roles.get(role) ?? { role, keys: new Map(), threshold: Infinity };
  }

  #requireNextVersion(body: RootBody): void {
    const next = this.body.version + 1;
    if (body.version === next) return;
    const detail = {
      role: 'root',
      trustedVersion: this.body.version,
      offeredVersion: body.version,
    };
    throw body.version < next
      ? new TrustError('rollback', 'the next root has an old version', { detail })
      : new TrustError('root_rotation_invalid', 'the next root skips a version', { detail });
  }

  /** In this role the previous root's certificates count whatever their dates: their keys only vouch for a successor. */
  #requireSignedByThis(envelope: Envelope, body: RootBody): void {
    const keys = this.#rules.dialect.rootKeys(this.body, this.#rules.gun, 'ignore-dates');
    const authority = authorityOf(this.body, keys);
    const { keyIds } = signersOf(envelope, authority, this.#rules);
    if (keyIds.size >= authority.threshold) return;
    throw new TrustError('root_rotation_invalid', 'the new root is not signed by the trusted one', {
      detail: {
        role: 'root',
        trustedVersion: this.body.version,
        offeredVersion: body.version,
        threshold: authority.threshold,
        validSignatures: keyIds.size,
      },
    });
  }
}

/** An expired intermediate takes its key out of the root as an expired leaf does; a bare key has no end of its own. */
function certificateEnd({ certificate }: RootKey): number {
  if (certificate === undefined) return Number.POSITIVE_INFINITY;
  const { leaf, intermediates } = certificate;
  return Math.min(...[leaf, ...intermediates].map(({ notAfter }) => notAfter));
}

function requireAnchorFile(bytes: Uint8Array, anchor: RootAnchor): void {
  if (anchor.kind !== 'root-file' || Buffer.compare(bytes, anchor.bytes) === 0) return;
  throw new TrustError('pin_mismatch', 'this is not the root that is configured', {
    detail: { role: 'root' },
  });
}

/**
 * Requires that a role has not expired; the instant of expiry itself counts as expired.
 *
 * @throws {TrustError} `root_expired`, `timestamp_expired`, `snapshot_expired`, `targets_expired`
 * @source TUF 1.0.34 §5.3.10, §5.4.4, §5.5.6, §5.6.5
 */
export function requireFresh(role: string, expiresAt: number, now: number): void {
  if (expiresAt > now) return;
  const kind = role === 'root' || role === 'timestamp' || role === 'snapshot' ? role : 'targets';
  throw new TrustError(`${kind}_expired`, `${role} metadata has expired`, {
    detail: { role, expiresAt: new Date(expiresAt).toISOString() },
  });
}
