import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  sign,
} from 'node:crypto';
import { encodeCanonicalJson } from '../trust/canonical-json.ts';
import type { JsonObject } from '../trust/strict-json.ts';
import { SigningError } from './errors.ts';
import { objectOf } from './json.ts';

/** A public key as metadata carries it. */
export interface PublicKey {
  readonly keyId: string;
  /** The TUF key object. */
  readonly object: JsonObject;
}

const SPKI_PREFIX_BYTES = 12;

/**
 * The public key of 32 raw Ed25519 bytes.
 *
 * @param hex - 64 lower-case hex digits
 * @source TUF 1.0.34 §4.2 (key ID: SHA-256 over the canonical key object; ed25519)
 */
export function ed25519PublicKey(hex: string): PublicKey {
  const object = objectOf({ keytype: 'ed25519', keyval: { public: hex }, scheme: 'ed25519' });
  const keyId = createHash('sha256').update(encodeCanonicalJson(object)).digest('hex');
  return { keyId, object };
}

/** A private key that can sign and cannot be read out. */
export class SigningKey {
  readonly publicKey: PublicKey;
  readonly #privateKey: KeyObject;

  private constructor(privateKey: KeyObject) {
    this.#privateKey = privateKey;
    const der = createPublicKey(privateKey).export({ format: 'der', type: 'spki' });
    this.publicKey = ed25519PublicKey(der.subarray(SPKI_PREFIX_BYTES).toString('hex'));
  }

  get keyId(): string {
    return this.publicKey.keyId;
  }

  /** Lower-case hex of the Ed25519 signature. @source RFC 8032 */
  sign(message: Uint8Array): string {
    return sign(null, message, this.#privateKey).toString('hex');
  }

  /** Reads a PKCS#8 Ed25519 key. @throws {SigningError} `key_unreadable` */
  static fromPkcs8(der: Uint8Array): SigningKey {
    let key: KeyObject;
    try {
      key = createPrivateKey({ key: Buffer.from(der), format: 'der', type: 'pkcs8' });
    } catch (cause) {
      throw new SigningError('key_unreadable', 'the private key cannot be read', { cause });
    }
    if (key.asymmetricKeyType !== 'ed25519') {
      throw new SigningError('key_unreadable', 'the private key is not an Ed25519 key');
    }
    return new SigningKey(key);
  }

  /** Makes a new key; its PKCS#8 form is for the key file and nothing else. */
  static generate(): { readonly key: SigningKey; readonly pkcs8: Uint8Array } {
    const { privateKey } = generateKeyPairSync('ed25519');
    const pkcs8 = privateKey.export({ format: 'der', type: 'pkcs8' });
    return { key: new SigningKey(privateKey), pkcs8 };
  }
}
