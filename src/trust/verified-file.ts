import { createHash } from 'node:crypto';
import { type Authority, authorityFingerprint } from './authority.ts';
import { TrustError } from './errors.ts';
import type { Envelope, FileMeta, RoleBody } from './model.ts';
import { requireThreshold, type SignatureRules, type SigningKey } from './threshold.ts';

/** A metadata file whose signatures have been verified, with the authority they were verified under. */
export interface VerifiedFile<Body extends RoleBody> {
  readonly role: string;
  readonly bytes: Uint8Array;
  readonly sha256: string;
  readonly body: Body;
  /** Fingerprint of the authority; a file verified under the same one need not be verified again. */
  readonly verifiedUnder: string;
  /** The keys of the authority that signed it, and how many of them were needed. */
  readonly signedBy: { readonly keys: readonly SigningKey[]; readonly threshold: number };
}

/** What turns an envelope into a role's content. */
export type BodyParser<Body extends RoleBody> = (envelope: Envelope) => Body;

/**
 * Verifies a file's signatures and then reads its content, in this order: nothing unsigned is interpreted.
 *
 * @throws {TrustError} `malformed`, `bad_signature`, `threshold_not_met`
 */
export function verifyFile<Body extends RoleBody>(
  bytes: Uint8Array,
  authority: Authority,
  options: SignatureRules & { readonly parse: BodyParser<Body> },
): VerifiedFile<Body> {
  return withRole(authority.role, () => {
    const envelope = options.dialect.parseEnvelope(bytes);
    const keys = requireThreshold(envelope, authority, options);
    return {
      role: authority.role,
      bytes,
      sha256: sha256Hex(bytes),
      body: options.parse(envelope),
      verifiedUnder: authorityFingerprint(authority),
      signedBy: { keys, threshold: authority.threshold },
    };
  });
}

/** Adds the role to a `TrustError` that does not carry one yet. */
export function withRole<Result>(role: string, work: () => Result): Result {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof TrustError) || error.detail['role'] !== undefined) throw error;
    const detail = { role, ...error.detail };
    throw new TrustError(error.code, `${role}: ${error.message}`, { detail, cause: error });
  }
}

/** Lower-case hex SHA-256. */
export function sha256Hex(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/**
 * Requires that bytes are those which the referring file named: exact length and every known hash.
 *
 * @throws {TrustError} `length_exceeded`, `length_mismatch`, `checksum_mismatch`
 * @source TUF 1.0.34 §5.5.2, §5.6.2; notary: tuf/data/types.go (CheckHashes)
 */
export function requireMatch(bytes: Uint8Array, meta: FileMeta, role: string): void {
  const expectedBytes = meta.length ?? bytes.length;
  const detail = { role, expectedBytes, actualBytes: bytes.length };
  if (bytes.length > expectedBytes) {
    throw new TrustError('length_exceeded', `${role} is longer than announced`, { detail });
  }
  if (bytes.length < expectedBytes) {
    throw new TrustError('length_mismatch', `${role} is shorter than announced`, { detail });
  }
  // A file bound by version alone has neither; its version is compared once it has been read.
  if (meta.hashes.size > 0 || meta.version === undefined) requireHashes(bytes, meta, role);
}

/**
 * Requires that a file has the version under which the referring file lists it, where that says one.
 *
 * @throws {TrustError} `checksum_mismatch`: the file is not the one its parent names
 * @source TUF 1.0.34 §5.5.4, §5.6.4
 */
export function requireListedVersion(file: VerifiedFile<RoleBody>, meta: FileMeta): void {
  if (meta.version === undefined || file.body.version === meta.version) return;
  throw new TrustError('checksum_mismatch', `${file.role} is not the version its parent names`, {
    detail: { role: file.role, listedVersion: meta.version, offeredVersion: file.body.version },
  });
}

/** Requires every known hash, and at least one. @throws {TrustError} `checksum_mismatch` */
export function requireHashes(bytes: Uint8Array, meta: FileMeta, role: string): void {
  const matches = [...meta.hashes].every(
    ([algorithm, expected]) => createHash(algorithm).update(bytes).digest('hex') === expected,
  );
  if (meta.hashes.size === 0 || !matches) {
    throw new TrustError('checksum_mismatch', `${role} is not the file its parent names`, {
      detail: { role },
    });
  }
}

/**
 * Requires that a role does not go back: a higher version, or the same bytes again.
 *
 * @throws {TrustError} `rollback`
 * @source TUF 1.0.34 §5.4.3, §5.5.5; same version with other bytes is stricter than notary
 */
export function requireNotOlder(
  offered: VerifiedFile<RoleBody>,
  trusted: VerifiedFile<RoleBody>,
): void {
  const detail = {
    role: offered.role,
    trustedVersion: trusted.body.version,
    offeredVersion: offered.body.version,
  };
  if (offered.body.version < trusted.body.version) {
    throw new TrustError('rollback', `${offered.role} went back to an older version`, { detail });
  }
  if (offered.body.version === trusted.body.version && offered.sha256 !== trusted.sha256) {
    throw new TrustError('rollback', `${offered.role} changed without a new version`, { detail });
  }
}
