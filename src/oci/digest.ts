import { createHash, type Hash } from 'node:crypto';
import { OciError } from './errors.ts';

/** A content digest in the form `algorithm:hex`, of an algorithm Pinnace can compute. */
export type Digest = string & { readonly __brand: 'Digest' };

const PATTERN = /^(?:sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})$/;

/** Says whether `text` is a digest by the grammar of a registered algorithm. */
export function isDigest(text: string): text is Digest {
  return PATTERN.test(text);
}

/**
 * Parses a digest.
 *
 * @throws {OciError} `DIGEST_INVALID`
 * @source OCI image 1.1 (descriptor.md#digests)
 */
export function parseDigest(text: string): Digest {
  if (!isDigest(text)) {
    throw new OciError('DIGEST_INVALID', 'not a sha256 or sha512 digest in lower-case hex');
  }
  return text;
}

/** The algorithm part, as `node:crypto` names it. */
export function digestAlgorithm(digest: Digest): 'sha256' | 'sha512' {
  return digest.startsWith('sha512:') ? 'sha512' : 'sha256';
}

/** The hex part. */
export function digestHex(digest: Digest): string {
  return digest.slice(digest.indexOf(':') + 1);
}

/** A running hash for content that should turn out to have `digest`. */
export function createDigestHash(digest: Digest): Hash {
  return createHash(digestAlgorithm(digest));
}

/** The SHA-256 digest of `bytes`. */
export function sha256Digest(bytes: Uint8Array): Digest {
  return parseDigest(`sha256:${createHash('sha256').update(bytes).digest('hex')}`);
}

/** Says whether `bytes` have `digest`, by the digest's own algorithm. */
export function hasDigest(bytes: Uint8Array, digest: Digest): boolean {
  return createDigestHash(digest).update(bytes).digest('hex') === digestHex(digest);
}
