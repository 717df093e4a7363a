import { constants, type KeyObject, verify } from 'node:crypto';
import { isStrongEnough, type Key, type WeakAlgorithms } from './keys.ts';

/** One entry of a file's `signatures`. */
export interface Signature {
  readonly keyId: string;
  /** Lower-cased. */
  readonly method: string;
  readonly value: Uint8Array;
}

/** Bytes of the order of each curve, which is the length of r and of s. */
const CURVE_BYTES: ReadonlyMap<string, number> = new Map([
  ['prime256v1', 32],
  ['secp384r1', 48],
  ['secp521r1', 66],
]);
const P224 = 'secp224r1';
const P224_BYTES = 28;
const MIN_RSA_SIGNATURE_BYTES = 256;
const PSS_SALT_BYTES = 32;

/**
 * Verifies one signature. The algorithm follows from the key; the signature's method must agree with it.
 *
 * @returns false for a wrong signature and for any key, method or encoding that is not accepted
 * @source notary: tuf/signed/verifiers.go; CVE-2015-9258 for why the method never chooses the algorithm
 */
export function verifySignature(
  key: Key,
  signature: Signature,
  message: Uint8Array,
  weak: WeakAlgorithms,
): boolean {
  const { publicKey } = key;
  if (publicKey === undefined) return false;
  switch (publicKey.asymmetricKeyType) {
    case 'ec':
      return signature.method === 'ecdsa' && verifyEcdsa(publicKey, signature.value, message, weak);
    case 'ed25519':
      return signature.method === 'eddsa' && verify(null, message, publicKey, signature.value);
    case 'rsa':
      return verifyRsa(publicKey, signature, message, weak);
    default:
      return false;
  }
}

/** SHA-256 on every curve, r and s side by side and padded; DER is refused. */
function verifyEcdsa(
  publicKey: KeyObject,
  value: Uint8Array,
  message: Uint8Array,
  weak: WeakAlgorithms,
): boolean {
  const curve = publicKey.asymmetricKeyDetails?.namedCurve ?? '';
  const bytes = weak.p224 && curve === P224 ? P224_BYTES : CURVE_BYTES.get(curve);
  if (bytes === undefined || value.length !== 2 * bytes) return false;
  return verify('sha256', message, { key: publicKey, dsaEncoding: 'ieee-p1363' }, value);
}

function verifyRsa(
  publicKey: KeyObject,
  signature: Signature,
  message: Uint8Array,
  weak: WeakAlgorithms,
): boolean {
  if (!isStrongEnough(publicKey) || signature.value.length < MIN_RSA_SIGNATURE_BYTES) return false;
  if (signature.method === 'rsapss') return verifyPss(publicKey, message, signature.value);
  if (signature.method === 'rsapkcs1v15' && weak.rsaPkcs1v15) {
    return verifyPkcs1(publicKey, message, signature.value);
  }
  return false;
}

/** RSASSA-PSS with SHA-256, MGF1-SHA-256 and a salt of exactly 32 bytes. @source RFC 8017 §8.1 */
export function verifyPss(key: KeyObject, message: Uint8Array, value: Uint8Array): boolean {
  const padding = constants.RSA_PKCS1_PSS_PADDING;
  // OpenSSL would otherwise find out the salt length from the signature and accept any.
  const saltLength = PSS_SALT_BYTES;
  return verify('sha256', message, { key, padding, saltLength }, value);
}

/** RSASSA-PKCS1-v1_5 with SHA-256. @source RFC 8017 §8.2 */
export function verifyPkcs1(key: KeyObject, message: Uint8Array, value: Uint8Array): boolean {
  const padding = constants.RSA_PKCS1_PADDING;
  return verify('sha256', message, { key, padding }, value);
}
