import { constants, createHash, type KeyObject, sign as signBytes } from 'node:crypto';
import { encodeCanonicalJson, type Json, type JsonObject } from './notary-json.ts';
import { makeKeyPair } from './x509.ts';

/** The key kinds that TUF 1.0 names, with the scheme each signs by. */
export type TufKeyKind = 'ed25519' | 'ecdsa-p256' | 'ecdsa-p384' | 'rsa-pss' | 'rsa-pkcs1';

/** One signature as it stands in a metadata file; `sig` is hex. */
export type TufSignature = { readonly keyid: string; readonly sig: string };

/** A role's key: its object in the metadata, the name it has there, and the power to sign. */
export interface TufKey {
  readonly keyId: string;
  readonly keyObject: JsonObject;
  sign(message: Uint8Array): TufSignature;
}

const KINDS = {
  ed25519: { pair: 'ed25519', keytype: 'ed25519', scheme: 'ed25519' },
  'ecdsa-p256': { pair: 'p256', keytype: 'ecdsa', scheme: 'ecdsa-sha2-nistp256' },
  'ecdsa-p384': { pair: 'p384', keytype: 'ecdsa', scheme: 'ecdsa-sha2-nistp384' },
  'rsa-pss': { pair: 'rsa2048', keytype: 'rsa', scheme: 'rsassa-pss-sha256' },
  'rsa-pkcs1': { pair: 'rsa2048', keytype: 'rsa', scheme: 'rsa-pkcs1v15-sha256' },
} as const;

/**
 * Makes a key.
 *
 * @source TUF 1.0.34 §4.2 (key objects); the ID is the SHA-256 over the canonical key object
 */
export function makeTufKey(kind: TufKeyKind = 'ed25519'): TufKey {
  const { pair, keytype, scheme } = KINDS[kind];
  const { publicKey, privateKey } = makeKeyPair(pair);
  const keyObject = { keytype, scheme, keyval: { public: publicText(publicKey) } };
  return keyOf(keyObject, (message) => signMessage(kind, privateKey, message));
}

/** The same key under another name, or with other members in its object. */
export function renamedKey(
  key: TufKey,
  change: { readonly keyId?: string; readonly members?: Readonly<Record<string, Json>> },
): TufKey {
  const keyId = change.keyId ?? key.keyId;
  const keyObject = { ...key.keyObject, ...change.members };
  const sign = (message: Uint8Array): TufSignature => ({ ...key.sign(message), keyid: keyId });
  return { keyId, keyObject, sign };
}

function keyOf(keyObject: JsonObject, sign: (message: Uint8Array) => Buffer): TufKey {
  const keyId = createHash('sha256').update(encodeCanonicalJson(keyObject)).digest('hex');
  return {
    keyId,
    keyObject,
    sign: (message) => ({ keyid: keyId, sig: sign(message).toString('hex') }),
  };
}

function publicText(key: KeyObject): string {
  if (key.asymmetricKeyType !== 'ed25519') {
    return key.export({ type: 'spki', format: 'pem' }).toString();
  }
  // The 32 bytes behind the fixed 12 byte prefix of the SPKI form.
  return key.export({ type: 'spki', format: 'der' }).subarray(12).toString('hex');
}

function signMessage(kind: TufKeyKind, key: KeyObject, message: Uint8Array): Buffer {
  switch (kind) {
    case 'ed25519':
      return signBytes(null, message, key);
    case 'ecdsa-p256':
      return signBytes('sha256', message, key);
    case 'ecdsa-p384':
      return signBytes('sha384', message, key);
    case 'rsa-pss': {
      const padding = { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 };
      return signBytes('sha256', message, { key, ...padding });
    }
    case 'rsa-pkcs1':
      return signBytes('sha256', message, { key, padding: constants.RSA_PKCS1_PADDING });
  }
}
