import { createHash, createPublicKey, type KeyObject } from 'node:crypto';
import { encodeCanonicalJson } from './canonical-json.ts';
import { readCertificates } from './certificate.ts';
import { asBase64, asObject, asString } from './fields.ts';
import type { JsonObject } from './strict-json.ts';

/** Algorithms that the reference client still accepts but a verifier should refuse unless told otherwise by name. */
export interface WeakAlgorithms {
  /** Accept `rsapkcs1v15` signatures. */
  readonly rsaPkcs1v15: boolean;
  /** Accept ECDSA keys on P-224. */
  readonly p224: boolean;
}

/** A public key as metadata carries it. */
export interface Key {
  /** In Notary v1 the SHA-256 over the key object, recomputed; in TUF 1.0 the name under which the metadata has the key. */
  readonly id: string;
  readonly keyType: string;
  /** The signature scheme, where keys name one. */
  readonly scheme?: string;
  /** The decoded `public` member. */
  readonly publicBytes: Uint8Array;
  /** The usable key, or undefined for a type or encoding that can never verify anything. */
  readonly publicKey: KeyObject | undefined;
  /** Key ID of the bare public key: the same for one key in two certificates. */
  readonly canonicalId: string;
}

const ED25519_SPKI_PREFIX = Buffer.from('302a300506032b6570032100', 'hex');
const MIN_RSA_BITS = 2048;

/**
 * Parses a key object; a key that cannot be used is returned without `publicKey` rather than refused, since listing
 * unknown key types is legal.
 *
 * @throws {TrustError} `malformed` when the object's structure or base64 is wrong
 * @source notary: tuf/data/keys.go
 */
export function parseKey(object: JsonObject, where: string): Key {
  const keyType = asString(object.get('keytype'), `${where}.keytype`);
  const keyval = asObject(object.get('keyval'), `${where}.keyval`);
  const publicBytes = asBase64(keyval.get('public'), `${where}.keyval.public`);
  const publicKey = readPublicKey(keyType, publicBytes);
  const id = keyId(keyType, publicBytes);
  return { id, keyType, publicBytes, publicKey, canonicalId: canonicalKeyId(publicKey) ?? id };
}

/**
 * The TUF key ID: lower-case hex SHA-256 over the canonical key object with `private` null.
 *
 * @source notary: tuf/data/keys.go
 */
export function keyId(keyType: string, publicBytes: Uint8Array): string {
  const object: JsonObject = new Map<string, string | JsonObject>([
    ['keytype', keyType],
    [
      'keyval',
      new Map([
        ['private', null],
        ['public', Buffer.from(publicBytes).toString('base64')],
      ]),
    ],
  ]);
  return createHash('sha256').update(encodeCanonicalJson(object)).digest('hex');
}

/** The key ID of the bare public key, or undefined for a key that has no bare form in this dialect. */
export function canonicalKeyId(publicKey: KeyObject | undefined): string | undefined {
  if (publicKey === undefined) return undefined;
  const der = publicKey.export({ format: 'der', type: 'spki' });
  switch (publicKey.asymmetricKeyType) {
    case 'ec':
      return keyId('ecdsa', der);
    case 'rsa':
      return keyId('rsa', der);
    case 'ed25519':
      return keyId('ed25519', der.subarray(ED25519_SPKI_PREFIX.length));
    default:
      return undefined;
  }
}

/** Says whether an RSA key is long enough; other kinds always are. */
export function isStrongEnough(publicKey: KeyObject): boolean {
  if (publicKey.asymmetricKeyType !== 'rsa') return true;
  return (publicKey.asymmetricKeyDetails?.modulusLength ?? 0) >= MIN_RSA_BITS;
}

function readPublicKey(keyType: string, bytes: Uint8Array): KeyObject | undefined {
  try {
    switch (keyType) {
      case 'ecdsa':
        return ofKind(spki(bytes), 'ec');
      case 'rsa':
        return ofKind(spki(bytes), 'rsa');
      case 'ed25519':
        return bytes.length === 32 ? spki(Buffer.concat([ED25519_SPKI_PREFIX, bytes])) : undefined;
      case 'ecdsa-x509':
        return ofKind(certificateKey(bytes), 'ec');
      case 'rsa-x509':
        return ofKind(certificateKey(bytes), 'rsa');
      default:
        return undefined;
    }
  } catch {
    // An unreadable key is like an unknown type: it may be listed, and never verifies a signature.
    return undefined;
  }
}

function spki(der: Uint8Array): KeyObject {
  return createPublicKey({ key: Buffer.from(der), format: 'der', type: 'spki' });
}

/**
 * Outside the root role a certificate is only a container: its name, dates and issuer are not looked at, but a SHA-1
 * signed one is not used.
 */
function certificateKey(pem: Uint8Array): KeyObject | undefined {
  const first = readCertificates(pem)?.[0];
  return first === undefined || first.isSha1Signed ? undefined : first.publicKey;
}

/** The key, if it is of the kind that its `keytype` claims. */
function ofKind(key: KeyObject | undefined, kind: 'ec' | 'rsa'): KeyObject | undefined {
  return key?.asymmetricKeyType === kind ? key : undefined;
}
