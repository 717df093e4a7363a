import { parseSnapshot, parseTimestamp } from './dialect/notary-v1.ts';
import { parseTargets } from './dialect/notary-v1-targets.ts';
import { TrustError } from './errors.ts';
import type { WeakAlgorithms } from './keys.ts';
import type { FileMeta, RoleBody, SnapshotBody, TargetsBody, TimestampBody } from './model.ts';
import type { Authority } from './threshold.ts';
import { authorityFingerprint } from './threshold.ts';
import { requireFresh, type TrustedRoot } from './trusted-root.ts';
import {
  type BodyParser,
  requireHashes,
  requireMatch,
  requireNotOlder,
  sha256Hex,
  type VerifiedFile,
  verifyFile,
} from './verified-file.ts';

/** A file from an earlier run: already verified in this process, or bytes read back from the store. */
export type EarlierFile<Body extends RoleBody> = VerifiedFile<Body> | Uint8Array;

/** The files last accepted for this collection. They set the floor below which no version may fall. */
export interface EarlierFiles {
  readonly timestamp: EarlierFile<TimestampBody> | undefined;
  readonly snapshot: EarlierFile<SnapshotBody> | undefined;
  readonly targets: ReadonlyMap<string, EarlierFile<TargetsBody>>;
}

/** No earlier files. */
export const NO_EARLIER_FILES: EarlierFiles = {
  timestamp: undefined,
  snapshot: undefined,
  targets: new Map(),
};

/** What a `TrustedSet` is built with. */
export interface TrustedSetOptions {
  /** The refresh time, milliseconds since the epoch; or no expiry check, for reading back what was accepted before. */
  readonly now: number | 'ignore-expiry';
  readonly weak: WeakAlgorithms;
  /** How long past its expiry a timestamp is still taken, for a clock that runs ahead; milliseconds, default 0. */
  readonly clockSkewMs?: number;
  readonly earlier: EarlierFiles;
}

/**
 * What one refresh has verified, in the order root → timestamp → snapshot → targets → delegations. Every rule about
 * signatures, versions, expiry and how files bind each other is applied here, on bytes; fetching and storing are the caller's.
 *
 * Methods called out of order throw a plain `Error`: that is a programmer's mistake, not the repository's.
 *
 * @source TUF 1.0.34 §5 (#detailed-client-workflow); notary: tuf/builder.go
 */
export class TrustedSet {
  readonly root: TrustedRoot;
  readonly #options: TrustedSetOptions;
  #timestamp: VerifiedFile<TimestampBody> | undefined;
  #snapshot: VerifiedFile<SnapshotBody> | undefined;
  #earlierSnapshot: VerifiedFile<SnapshotBody> | undefined;
  readonly #targets = new Map<string, VerifiedFile<TargetsBody>>();

  constructor(root: TrustedRoot, options: TrustedSetOptions) {
    this.root = root;
    this.#options = options;
    if (options.now !== 'ignore-expiry') root.requireInForce(options.now);
  }

  get timestamp(): VerifiedFile<TimestampBody> {
    return this.#timestamp ?? outOfOrder('timestamp');
  }

  get snapshot(): VerifiedFile<SnapshotBody> {
    return this.#snapshot ?? outOfOrder('snapshot');
  }

  /** Accepted targets files by role, the delegated ones included as far as they were asked for. */
  get targets(): ReadonlyMap<string, VerifiedFile<TargetsBody>> {
    return this.#targets;
  }

  /**
   * Accepts a timestamp at least as new as the one trusted before.
   *
   * @throws {TrustError} `malformed`, `bad_signature`, `threshold_not_met`, `rollback`, `timestamp_expired`
   * @source TUF 1.0.34 §5.4.2–5.4.4 (#update-timestamp)
   */
  acceptTimestamp(bytes: Uint8Array): void {
    const accepted = this.#accept(bytes, this.#options.earlier.timestamp, {
      authority: this.root.authority('timestamp'),
      parse: parseTimestamp,
    });
    const { clockSkewMs = 0 } = this.#options;
    this.#requireFresh('timestamp', accepted.body.expiresAt + clockSkewMs);
    this.#timestamp = accepted;
  }

  /**
   * Accepts the snapshot that the timestamp names.
   *
   * @throws {TrustError} `length_exceeded`, `length_mismatch`, `checksum_mismatch` (also when the snapshot names another
   * root than the trusted one), `malformed`, `bad_signature`, `threshold_not_met`, `rollback`, `snapshot_expired`
   * @source TUF 1.0.34 §5.5.2–5.5.6 (#update-snapshot); notary: tuf/builder.go (root in snapshot)
   */
  acceptSnapshot(bytes: Uint8Array): void {
    requireMatch(bytes, this.timestamp.body.snapshot, 'snapshot');
    const authority = this.root.authority('snapshot');
    this.#earlierSnapshot = this.#floor(this.#options.earlier.snapshot, authority, parseSnapshot);
    const accepted = this.#accept(bytes, this.#earlierSnapshot, {
      authority,
      parse: parseSnapshot,
    });
    this.#requireFresh('snapshot', accepted.body.expiresAt);
    // Without this an old root, with keys since withdrawn, could go on being served beside new files.
    requireHashes(this.root.bytes, accepted.body.root, 'root');
    this.#snapshot = accepted;
  }

  /**
   * What the snapshot says of a targets role's file, or undefined when the role has published nothing.
   *
   * @param role - `targets`, or a delegation of a role that was accepted before
   */
  expected(role: string): FileMeta | undefined {
    return this.snapshot.body.files.get(role);
  }

  /**
   * Accepts the file of `targets` or of a delegation whose parent was accepted before.
   *
   * @throws {TrustError} `length_exceeded`, `length_mismatch`, `checksum_mismatch`, `malformed`, `bad_signature`,
   * `threshold_not_met`, `rollback` (also when a delegation that was listed is listed no more), `targets_expired`
   * @source TUF 1.0.34 §5.6.2–5.6.6 (#update-targets)
   */
  acceptTargets(role: string, bytes: Uint8Array): VerifiedFile<TargetsBody> {
    const meta = this.expected(role);
    if (meta === undefined) outOfOrder(role);
    requireMatch(bytes, meta, role);
    const accepted = this.#accept(bytes, this.#options.earlier.targets.get(role), {
      authority: this.#targetsAuthority(role),
      parse: (envelope) => parseTargets(envelope, role),
    });
    this.#requireFresh(role, accepted.body.expiresAt);
    this.#requireStillListed(accepted.body);
    this.#targets.set(role, accepted);
    return accepted;
  }

  /**
   * Until when what was accepted may be relied on, milliseconds since the epoch: the earliest end among root, timestamp,
   * snapshot and the given targets roles.
   */
  freshUntil(roles: Iterable<string>, now: number): number {
    const { clockSkewMs = 0 } = this.#options;
    const ends = [...roles].map((role) => this.#targets.get(role)?.body.expiresAt ?? 0);
    return Math.min(
      this.root.inForceUntil(now),
      this.timestamp.body.expiresAt + clockSkewMs,
      this.snapshot.body.expiresAt,
      ...ends,
    );
  }

  /**
   * Requires that what was accepted still is in force at `now`, as time passes without anything new arriving.
   *
   * @param roles - the targets roles an answer rests on
   * @throws {TrustError} `root_cert_invalid` or an `*_expired` code, the first in the order of the workflow
   */
  requireFreshAt(now: number, roles: Iterable<string>): void {
    const { clockSkewMs = 0 } = this.#options;
    this.root.requireInForce(now);
    requireFresh('timestamp', this.timestamp.body.expiresAt + clockSkewMs, now);
    requireFresh('snapshot', this.snapshot.body.expiresAt, now);
    for (const role of roles) requireFresh(role, this.#targets.get(role)?.body.expiresAt ?? 0, now);
  }

  #targetsAuthority(role: string): Authority {
    if (role === 'targets') return this.root.authority('targets');
    const parent = this.#targets.get(role.slice(0, role.lastIndexOf('/')));
    const delegation = parent?.body.delegations.find(({ name }) => name === role);
    return delegation?.authority ?? outOfOrder(role);
  }

  #accept<Body extends RoleBody>(
    bytes: Uint8Array,
    earlier: EarlierFile<Body> | undefined,
    { authority, parse }: { readonly authority: Authority; readonly parse: BodyParser<Body> },
  ): VerifiedFile<Body> {
    const floor = this.#floor(earlier, authority, parse);
    if (floor !== undefined && floor.sha256 === sha256Hex(bytes)) return floor;
    const offered = verifyFile(bytes, authority, { parse, weak: this.#options.weak });
    if (floor !== undefined) requireNotOlder(offered, floor);
    return offered;
  }

  /**
   * The earlier file as far as the keys trusted now still stand behind it. When a key was rotated the old file loses its say,
   * which is how a repository recovers after an attacker pushed its versions up.
   */
  #floor<Body extends RoleBody>(
    earlier: EarlierFile<Body> | undefined,
    authority: Authority,
    parse: BodyParser<Body>,
  ): VerifiedFile<Body> | undefined {
    if (earlier === undefined) return undefined;
    const isBytes = earlier instanceof Uint8Array;
    if (!isBytes && earlier.verifiedUnder === authorityFingerprint(authority)) return earlier;
    try {
      const bytes = isBytes ? earlier : earlier.bytes;
      return verifyFile(bytes, authority, { parse, weak: this.#options.weak });
    } catch (error) {
      if (error instanceof TrustError) return undefined;
      throw error;
    }
  }

  /** A role that has published cannot unpublish: dropping it from the snapshot would hide its newest file. */
  #requireStillListed(body: TargetsBody): void {
    for (const { name, authority } of body.delegations) {
      if (this.snapshot.body.files.has(name)) continue;
      const wasListed = this.#earlierSnapshot?.body.files.has(name) ?? false;
      const earlier = this.#options.earlier.targets.get(name);
      const wasAccepted =
        this.#floor(earlier, authority, (envelope) => parseTargets(envelope, name)) !== undefined;
      if (wasListed || wasAccepted) {
        throw new TrustError('rollback', `${name} was published and is no longer listed`, {
          detail: { role: name, snapshotVersion: this.snapshot.body.version },
        });
      }
    }
  }

  #requireFresh(role: string, expiresAt: number): void {
    const { now } = this.#options;
    if (now !== 'ignore-expiry') requireFresh(role, expiresAt, now);
  }
}

function outOfOrder(role: string): never {
  throw new Error(`${role} was asked for before what it depends on was accepted`);
}
