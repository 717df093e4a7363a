import type { Authority } from './authority.ts';
import type { Dialect } from './dialect.ts';
import { TrustError } from './errors.ts';
import type { WeakAlgorithms } from './keys.ts';
import type { Signature } from './signature.ts';

/** How signatures are to be verified. */
export interface SignatureRules {
  readonly dialect: Dialect;
  readonly weak: WeakAlgorithms;
}

/** What was signed, and by whom it claims to be. */
export interface SignedBytes {
  readonly signedBytes: Uint8Array;
  readonly signatures: readonly Signature[];
}

/** A key whose signature on a file was verified. */
export interface SigningKey {
  /** The ID under which the role lists it. */
  readonly id: string;
  /** The ID of the bare public key. */
  readonly canonicalId: string;
}

/**
 * The IDs of the authority's keys that really signed, at most one per public key: a key in two certificates is one key.
 *
 * @source TUF 1.0.34 §4.2.1 (threshold of distinct keys); notary: tuf/signed/verify.go
 */
export function signersOf(
  file: SignedBytes,
  authority: Authority,
  { dialect, weak }: SignatureRules,
): {
  readonly keyIds: ReadonlySet<string>;
  readonly keys: readonly SigningKey[];
  readonly anyFailed: boolean;
} {
  const byPublicKey = new Map<string, string>();
  let anyFailed = false;
  for (const signature of file.signatures) {
    const key = authority.keys.get(signature.keyId);
    if (key === undefined || byPublicKey.has(key.canonicalId)) continue;
    if (dialect.verifySignature(key, signature, file.signedBytes, weak)) {
      byPublicKey.set(key.canonicalId, key.id);
    } else {
      anyFailed = true;
    }
  }
  const keys = Array.from(byPublicKey, ([canonicalId, id]) => ({ id, canonicalId }));
  return { keyIds: new Set(byPublicKey.values()), keys, anyFailed };
}

/**
 * Requires that enough distinct keys of the authority signed the file.
 *
 * @returns the keys that did
 * @throws {TrustError} `bad_signature` when a listed key's signature failed and the rest do not suffice,
 * `threshold_not_met` when there simply are too few
 * @source TUF 1.0.34 §5.4.2 and the like; notary: tuf/signed/verify.go
 */
export function requireThreshold(
  file: SignedBytes,
  authority: Authority,
  rules: SignatureRules,
): readonly SigningKey[] {
  const { keyIds, keys, anyFailed } = signersOf(file, authority, rules);
  if (keyIds.size >= authority.threshold) return keys;
  const detail = {
    role: authority.role,
    threshold: authority.threshold,
    validSignatures: keyIds.size,
  };
  throw anyFailed
    ? new TrustError('bad_signature', `a signature on ${authority.role} does not verify`, {
        detail,
      })
    : new TrustError('threshold_not_met', `too few signatures on ${authority.role}`, { detail });
}
