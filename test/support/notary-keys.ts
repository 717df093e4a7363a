import {
  constants,
  createHash,
  createPublicKey,
  type KeyObject,
  sign as signBytes,
  X509Certificate,
} from 'node:crypto';
import { encodeCanonicalJson, type JsonObject } from './notary-json.ts';
import { type Certificate, type CertificateOptions, makeCertificate, makeKeyPair } from './x509.ts';

/** The key kinds of the dialect that the simulator makes; `ecdsa` means P-256. */
export type RoleKeyKind =
  | 'ecdsa'
  | 'ecdsa-p384'
  | 'ecdsa-p521'
  | 'ed25519'
  | 'rsa'
  | 'ecdsa-x509'
  | 'rsa-x509';

/** One signature as it stands in a metadata file. */
export type NotarySignature = {
  readonly keyid: string;
  readonly method: string;
  readonly sig: string;
};

/** One signature of either dialect; only Notary v1 names a method. */
export type WireSignature = {
  readonly keyid: string;
  readonly method?: string;
  readonly sig: string;
};

/** A key of either dialect, as far as signing needs it. */
export interface SigningKey {
  readonly keyId: string;
  sign(message: Uint8Array): WireSignature;
}

/** A role's key: its object in the metadata, its ids, and the power to sign. */
export interface RoleKey {
  readonly keyType: string;
  readonly keyObject: JsonObject;
  /** Lower-case hex SHA-256 of the key object. */
  readonly keyId: string;
  /** The id of the bare public key; another one than `keyId` only for x509 keys. */
  readonly canonicalKeyId: string;
  readonly publicKey: KeyObject;
  readonly privateKey: KeyObject;
  /** For x509 keys. */
  readonly certificate?: Certificate;
  sign(message: Uint8Array): NotarySignature;
}

/** Computes a key id from the key type and the standard base64 of its public part. */
export function notaryKeyId(keyType: string, publicBase64: string): string {
  const canonical = encodeCanonicalJson(keyObjectOf(keyType, publicBase64));
  return createHash('sha256').update(canonical).digest('hex');
}

/** Computes the id of the bare public key of a key object, whatever it is wrapped in. */
export function notaryCanonicalKeyId(keyType: string, publicBase64: string): string {
  if (keyType !== 'ecdsa-x509' && keyType !== 'rsa-x509') return notaryKeyId(keyType, publicBase64);
  const certificate = new X509Certificate(Buffer.from(publicBase64, 'base64'));
  const spki = certificate.publicKey.export({ type: 'spki', format: 'der' });
  return notaryKeyId(keyType.slice(0, -'-x509'.length), spki.toString('base64'));
}

/** Makes a key of the dialect. `certificate` is for the x509 kinds, which need at least a common name. */
export function makeRoleKey(
  kind: RoleKeyKind,
  certificate: CertificateOptions = { commonName: 'pinnace test key' },
): RoleKey {
  if (kind === 'ecdsa-x509' || kind === 'rsa-x509') {
    const keyKind = kind === 'rsa-x509' ? 'rsa2048' : 'p256';
    return certificateKey(makeCertificate({ keyKind, ...certificate }));
  }
  const { publicKey, privateKey } = makeKeyPair(
    (
      {
        ecdsa: 'p256',
        'ecdsa-p384': 'p384',
        'ecdsa-p521': 'p521',
        ed25519: 'ed25519',
        rsa: 'rsa2048',
      } as const
    )[kind],
  );
  const spki = publicKey.export({ type: 'spki', format: 'der' });
  // An Ed25519 key is stored raw: the 32 bytes behind the fixed 12 byte prefix of its SPKI form.
  const stored = kind === 'ed25519' ? spki.subarray(12) : spki;
  const keyType = kind.startsWith('ecdsa') ? 'ecdsa' : kind;
  return roleKey(keyType, stored, { publicKey, privateKey });
}

/** Makes a root key from a certificate and, where a CA chain is wanted, the PEM of its intermediates. */
export function certificateKey(certificate: Certificate, intermediatesPem = ''): RoleKey {
  const bare = certificate.publicKey.asymmetricKeyType === 'rsa' ? 'rsa' : 'ecdsa';
  const pem = Buffer.from(certificate.certPem + intermediatesPem);
  return { ...roleKey(`${bare}-x509`, pem, certificate), certificate };
}

function roleKey(
  keyType: string,
  stored: Uint8Array,
  pair: { readonly publicKey: KeyObject; readonly privateKey: KeyObject },
): RoleKey {
  const publicBase64 = Buffer.from(stored).toString('base64');
  const keyId = notaryKeyId(keyType, publicBase64);
  return {
    keyType,
    keyObject: keyObjectOf(keyType, publicBase64),
    keyId,
    canonicalKeyId: notaryCanonicalKeyId(keyType, publicBase64),
    publicKey: createPublicKey(pair.privateKey),
    privateKey: pair.privateKey,
    sign(message) {
      const { method, signature } = signMessage(pair.privateKey, message);
      return { keyid: keyId, method, sig: signature.toString('base64') };
    },
  };
}

function keyObjectOf(keyType: string, publicBase64: string): JsonObject {
  return { keytype: keyType, keyval: { private: null, public: publicBase64 } };
}

function signMessage(
  key: KeyObject,
  message: Uint8Array,
): { readonly method: string; readonly signature: Buffer } {
  switch (key.asymmetricKeyType) {
    case 'ed25519':
      return { method: 'eddsa', signature: signBytes(null, message, key) };
    case 'rsa': {
      const padding = { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 };
      return { method: 'rsapss', signature: signBytes('sha256', message, { key, ...padding }) };
    }
    default:
      return {
        method: 'ecdsa',
        signature: signBytes('sha256', message, { key, dsaEncoding: 'ieee-p1363' }),
      };
  }
}
