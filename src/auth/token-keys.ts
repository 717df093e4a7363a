import { createHash, createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto';
import type { KeySet } from './key-set.ts';
import type { KeySource } from './key-source.ts';

/** A key pair that signs tokens. */
export interface SigningKeys {
  readonly privateKey: KeyObject;
  readonly keyId: string;
  readonly keySet: KeySet;
}

/** What stands before the 32 bytes of an Ed25519 key. @source RFC 8410 §7 */
const PKCS8_HEAD = Buffer.from('302e020100300506032b657004220420', 'hex');

/** The keys of Pinnace's own token service: made from a secret that is kept with the trust state, so that they last. */
export class OwnTokenKeys implements KeySource {
  readonly #secret: () => Promise<Uint8Array>;
  #keys: Promise<SigningKeys> | undefined;

  /** @param secret - 32 bytes, the same at every call */
  constructor(secret: () => Promise<Uint8Array>) {
    this.#secret = secret;
  }

  /** The pair. @throws {StateError} `state_unreadable` */
  async signing(): Promise<SigningKeys> {
    this.#keys ??= this.#make();
    try {
      return await this.#keys;
    } catch (error) {
      this.#keys = undefined;
      throw error;
    }
  }

  async current(): Promise<KeySet> {
    return (await this.signing()).keySet;
  }

  async renewed(): Promise<KeySet> {
    return await this.current();
  }

  async #make(): Promise<SigningKeys> {
    const seed = await this.#secret();
    const der = Buffer.concat([PKCS8_HEAD, seed]);
    const privateKey = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
    const publicJwk = createPublicKey(privateKey).export({ format: 'jwk' });
    const keyId = createHash('sha256').update(`${publicJwk.x}`).digest('base64url').slice(0, 16);
    return { privateKey, keyId, keySet: { keys: [{ ...publicJwk, kid: keyId, alg: 'EdDSA' }] } };
  }
}
