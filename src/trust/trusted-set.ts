import { type Authority, authorityFingerprint } from './authority.ts';
import { TrustError } from './errors.ts';
import type { WeakAlgorithms } from './keys.ts';
import type { FileMeta, RoleBody, SnapshotBody, TargetsBody, TimestampBody } from './model.ts';
import type { SigningKey } from './threshold.ts';
import { requireFresh, type TrustedRoot } from './trusted-root.ts';
import {
  type BodyParser,
  requireHashes,
  requireListedVersion,
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
    const { dialect } = this.root;
    const authority = this.root.authority('timestamp');
    const { parseTimestamp } = dialect;
    const floor = this.#floor(this.#options.earlier.timestamp, authority, parseTimestamp);
    let accepted = this.#verify(bytes, floor, { authority, parse: parseTimestamp });
    if (floor !== undefined) {
      const isSameVersion = accepted.body.version === floor.body.version;
      // §5.4.3.1: the trusted one stays; with it the version of the snapshot cannot change either.
      if (isSameVersion && dialect.sameTimestampVersion === 'keep') accepted = floor;
      requireNotOlder(accepted, floor);
      requireVersionsKept('snapshot', accepted.body.snapshot, floor.body.snapshot);
    }
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
    const { dialect } = this.root;
    const meta = this.timestamp.body.snapshot;
    requireMatch(bytes, meta, 'snapshot');
    const authority = this.root.authority('snapshot');
    const { parseSnapshot } = dialect;
    const floor = this.#floor(this.#options.earlier.snapshot, authority, parseSnapshot);
    const accepted = this.#verify(bytes, floor, { authority, parse: parseSnapshot });
    requireListedVersion(accepted, meta);
    if (floor !== undefined) requireNotOlder(accepted, floor);
    if (floor !== undefined && dialect.targetsFloor === 'snapshot') {
      requireRolesKept(accepted.body, floor.body);
    }
    this.#requireFresh('snapshot', accepted.body.expiresAt);
    // Without this an old root, with keys since withdrawn, could go on being served beside new files.
    const { root } = accepted.body;
    if (root !== undefined) requireHashes(this.root.bytes, root, 'root');
    this.#earlierSnapshot = floor;
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
   * Accepts the file of `targets` or of a delegation whose delegator was accepted before.
   *
   * @param delegator - the role whose delegation counts; in Notary v1 it follows from the name
   * @throws {TrustError} `length_exceeded`, `length_mismatch`, `checksum_mismatch`, `malformed`, `bad_signature`,
   * `threshold_not_met`, `rollback` (also when a delegation that was listed is listed no more), `targets_expired`
   * @source TUF 1.0.34 §5.6.2–5.6.6 (#update-targets)
   */
  acceptTargets(
    role: string,
    bytes: Uint8Array,
    delegator: string = parentOf(role),
  ): VerifiedFile<TargetsBody> {
    const { dialect } = this.root;
    const meta = this.expected(role);
    if (meta === undefined) outOfOrder(role);
    requireMatch(bytes, meta, role);
    const authority = this.#targetsAuthority(role, delegator);
    const parse: BodyParser<TargetsBody> = (envelope) => dialect.parseTargets(envelope, role);
    const floor = this.#floor(this.#options.earlier.targets.get(role), authority, parse);
    const accepted = this.#verify(bytes, floor, { authority, parse });
    requireListedVersion(accepted, meta);
    if (dialect.targetsFloor === 'own-file') {
      if (floor !== undefined) requireNotOlder(accepted, floor);
      this.#requireStillListed(accepted.body);
    }
    this.#requireFresh(role, accepted.body.expiresAt);
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

  /**
   * A key of `denied` without whose signature root, timestamp, snapshot or one of the given targets roles would not have
   * enough; undefined when all stand without. A key is known by its own ID or by that of its certificate.
   */
  deniedKeyBehind(roles: Iterable<string>, denied: ReadonlySet<string>): string | undefined {
    const files = [...roles].flatMap((role) => this.#targets.get(role) ?? []);
    for (const { signedBy } of [this.root, this.timestamp, this.snapshot, ...files]) {
      const { keys, threshold } = signedBy;
      const isDenied = ({ id, canonicalId }: SigningKey): boolean =>
        denied.has(id) || denied.has(canonicalId);
      const key = keys.find(isDenied);
      if (key !== undefined && keys.filter((each) => !isDenied(each)).length < threshold) {
        return denied.has(key.id) ? key.id : key.canonicalId;
      }
    }
    return undefined;
  }

  /**
   * Whether a role has been accepted under what this delegator says of it. Another delegator's word does not count: it may
   * have named other keys.
   */
  isAccepted(role: string, delegator: string): boolean {
    const accepted = this.#targets.get(role);
    if (accepted === undefined) return false;
    return accepted.verifiedUnder === authorityFingerprint(this.#targetsAuthority(role, delegator));
  }

  #targetsAuthority(role: string, delegator: string): Authority {
    if (role === 'targets') return this.root.authority('targets');
    const parent = this.#targets.get(delegator);
    const delegation = parent?.body.delegations.find(({ name }) => name === role);
    return delegation?.authority ?? outOfOrder(role);
  }

  /** The file with its signatures verified; one that was verified before under the same authority is not parsed again. */
  #verify<Body extends RoleBody>(
    bytes: Uint8Array,
    floor: VerifiedFile<Body> | undefined,
    { authority, parse }: { readonly authority: Authority; readonly parse: BodyParser<Body> },
  ): VerifiedFile<Body> {
    if (floor !== undefined && floor.sha256 === sha256Hex(bytes)) return floor;
    const { weak } = this.#options;
    return verifyFile(bytes, authority, { parse, weak, dialect: this.root.dialect });
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
      const { weak } = this.#options;
      return verifyFile(bytes, authority, { parse, weak, dialect: this.root.dialect });
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
        this.#floor(earlier, authority, (envelope) =>
          this.root.dialect.parseTargets(envelope, name),
        ) !== undefined;
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

/**
 * Requires that no role of the trusted snapshot is missing from the new one or listed there with an older version.
 *
 * @throws {TrustError} `rollback`
 * @source TUF 1.0.34 §5.5.5 (#update-snapshot)
 */
function requireRolesKept(offered: SnapshotBody, trusted: SnapshotBody): void {
  for (const [role, meta] of trusted.files) {
    const listed = offered.files.get(role);
    if (listed === undefined) {
      throw new TrustError('rollback', `${role} was published and is no longer listed`, {
        detail: { role, snapshotVersion: offered.version },
      });
    }
    requireVersionsKept(role, listed, meta);
  }
}

/** @throws {TrustError} `rollback` when a listed version is lower than the one listed before */
function requireVersionsKept(role: string, offered: FileMeta, trusted: FileMeta): void {
  if (offered.version === undefined || trusted.version === undefined) return;
  if (offered.version >= trusted.version) return;
  throw new TrustError('rollback', `${role} is listed with an older version than before`, {
    detail: { role, trustedVersion: trusted.version, offeredVersion: offered.version },
  });
}

/** In Notary v1 a delegation's name starts with its delegator's. */
function parentOf(role: string): string {
  return role.slice(0, role.lastIndexOf('/'));
}

function outOfOrder(role: string): never {
  throw new Error(`${role} was asked for before what it depends on was accepted`);
}
