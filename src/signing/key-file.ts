import {
  createCipheriv,
  createDecipheriv,
  createPublicKey,
  randomBytes,
  scrypt,
} from 'node:crypto';
import { encodeCanonicalJson } from '../trust/canonical-json.ts';
import { TrustError } from '../trust/errors.ts';
import { asBase64, asInteger, asObject, asString, asTime } from '../trust/fields.ts';
import { type JsonObject, parseStrictJson } from '../trust/strict-json.ts';
import { formatTime } from './documents.ts';
import { SigningError } from './errors.ts';
import { formatJson, objectOf, withMember } from './json.ts';
import { ed25519PublicKey, type PublicKey, SigningKey } from './signing-key.ts';

/** What a key file says without its passphrase. */
export interface KeyFile {
  /** The role it was made for; the metadata decides what it may sign. */
  readonly role: string;
  /** Milliseconds since the epoch. */
  readonly createdAt: number;
  readonly publicKey: PublicKey;
  readonly isEncrypted: boolean;
  /** Opens it. @throws {SigningError} `passphrase_missing`, `wrong_passphrase`, `key_unreadable` */
  open(passphrase: string | undefined): Promise<SigningKey>;
}

/** How a new key file is made. */
export interface KeyFileOptions {
  readonly role: string;
  /** Milliseconds since the epoch. */
  readonly createdAt: number;
  /** At least 8 characters; without one the file is not encrypted. */
  readonly passphrase?: string;
  /** The scrypt cost N, a power of 2 from 2^14 to 2^20; default 2^17. */
  readonly cost?: number;
}

const FORMAT = 'pinnace-key/1';
const PUBLIC_FORMAT = 'pinnace-public-key/1';
const DEFAULT_COST = 2 ** 17;
const MIN_COST = 2 ** 14;
const MAX_COST = 2 ** 20;
const BLOCK_SIZE = 8;
const MAX_MEMORY = 2 * 128 * BLOCK_SIZE * MAX_COST;
const MIN_PASSPHRASE = 8;
const SALT_BYTES = 16;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const KEY_BYTES = 32;
/** The longest key file that is read, in bytes. */
export const MAX_KEY_FILE_BYTES: number = 64 * 1024;

/**
 * Makes a key and its file. The private key is in the file and in the returned object, and nowhere else.
 *
 * @throws {SigningError} `passphrase_unfit`
 */
export async function createKeyFile(
  options: KeyFileOptions,
): Promise<{ readonly key: SigningKey; readonly bytes: Uint8Array }> {
  const { passphrase } = options;
  if (passphrase !== undefined && passphrase.length < MIN_PASSPHRASE) {
    throw new SigningError(
      'passphrase_unfit',
      `a passphrase needs at least ${MIN_PASSPHRASE} characters`,
    );
  }
  const { key, pkcs8 } = SigningKey.generate();
  const header = headerOf(key.publicKey, options);
  const bytes = formatJson(
    passphrase === undefined
      ? withMember(header, 'privateKey', Buffer.from(pkcs8).toString('base64'))
      : await encrypt(header, pkcs8, { passphrase, cost: options.cost ?? DEFAULT_COST }),
  );
  return { key, bytes };
}

/**
 * Reads a key file; the private key stays closed.
 *
 * @throws {SigningError} `key_unreadable`
 */
export function readKeyFile(bytes: Uint8Array): KeyFile {
  return orUnreadable(() => {
    const file = parseStrictJson(bytes.subarray(0, MAX_KEY_FILE_BYTES));
    if (file.get('format') !== FORMAT) unreadable('it is not a Pinnace key file');
    const publicKey = publicKeyOf(file);
    return {
      role: asString(file.get('role'), 'role'),
      createdAt: asTime(file.get('created'), 'created'),
      publicKey,
      isEncrypted: file.has('protection'),
      open: async (passphrase) => await open(file, publicKey, passphrase),
    };
  });
}

/** The file by which a holder hands over the public part of a key. */
export function writePublicKeyFile(role: string, publicKey: PublicKey): Uint8Array {
  const file = objectOf({ format: PUBLIC_FORMAT, role, keyId: publicKey.keyId });
  return formatJson(withMember(file, 'publicKey', publicKey.object));
}

/**
 * The public key in a public key file, a key file, or an Ed25519 public key in PEM.
 *
 * @throws {SigningError} `key_unreadable`
 */
export function readPublicKey(bytes: Uint8Array): PublicKey {
  return orUnreadable(() => {
    const text = Buffer.from(bytes.subarray(0, MAX_KEY_FILE_BYTES)).toString('latin1');
    if (text.trimStart().startsWith('-----BEGIN PUBLIC KEY-----')) return pemPublicKey(text);
    const file = parseStrictJson(bytes.subarray(0, MAX_KEY_FILE_BYTES));
    const format = file.get('format');
    if (format !== FORMAT && format !== PUBLIC_FORMAT) unreadable('it is not a Pinnace key file');
    return publicKeyOf(file);
  });
}

/**
 * The public key that a holder hands in for a role: a public key file made for it, or an Ed25519 public key in PEM.
 *
 * @throws {SigningError} `key_unreadable`; a file with a private key is refused, since it belongs to its holder alone
 */
export function readHandedInKey(bytes: Uint8Array, role: string): PublicKey {
  return orUnreadable(() => {
    const text = Buffer.from(bytes.subarray(0, MAX_KEY_FILE_BYTES)).toString('latin1').trimStart();
    if (/^-----BEGIN [A-Z ]{0,20}PRIVATE KEY-----/.test(text)) privateHandedIn();
    if (text.startsWith('-----BEGIN')) return readPublicKey(bytes);
    const file = parseStrictJson(bytes.subarray(0, MAX_KEY_FILE_BYTES));
    if (file.get('format') === FORMAT) privateHandedIn();
    const madeFor = file.get('role');
    if (typeof madeFor === 'string' && madeFor !== role) {
      unreadable(`it was made for ${JSON.stringify(madeFor)} and is handed in for ${role}`);
    }
    return readPublicKey(bytes);
  });
}

function privateHandedIn(): never {
  unreadable(
    'it holds the private key, which stays with its holder: hand in the .pub file beside it',
  );
}

function pemPublicKey(pem: string): PublicKey {
  try {
    const key = createPublicKey(pem);
    if (key.asymmetricKeyType !== 'ed25519') unreadable('only Ed25519 keys are taken');
    const der = key.export({ format: 'der', type: 'spki' });
    return ed25519PublicKey(der.subarray(-32).toString('hex'));
  } catch (cause) {
    if (cause instanceof SigningError) throw cause;
    throw new SigningError('key_unreadable', 'the PEM public key cannot be read', { cause });
  }
}

function headerOf(publicKey: PublicKey, { role, createdAt }: KeyFileOptions): JsonObject {
  const created = formatTime(createdAt);
  const header = objectOf({ format: FORMAT, role, created, keyId: publicKey.keyId });
  return withMember(header, 'publicKey', publicKey.object);
}

/** The ID is computed anew, so that a file cannot pass off one key under another's name. */
function publicKeyOf(file: JsonObject): PublicKey {
  const object = asObject(file.get('publicKey'), 'publicKey');
  const hex = asString(asObject(object.get('keyval'), 'keyval').get('public'), 'public');
  const isEd25519 = object.get('keytype') === 'ed25519' && object.get('scheme') === 'ed25519';
  if (!isEd25519 || !/^[0-9a-f]{64}$/.test(hex)) unreadable('its public key is not Ed25519');
  const publicKey = ed25519PublicKey(hex);
  if (file.get('keyId') !== publicKey.keyId) unreadable('its key ID is not that of its public key');
  return publicKey;
}

async function encrypt(
  header: JsonObject,
  pkcs8: Uint8Array,
  { passphrase, cost }: { readonly passphrase: string; readonly cost: number },
): Promise<JsonObject> {
  const salt = randomBytes(SALT_BYTES);
  const nonce = randomBytes(NONCE_BYTES);
  const protection = objectOf({
    kdf: 'scrypt',
    n: cost,
    r: BLOCK_SIZE,
    p: 1,
    salt: salt.toString('base64'),
    cipher: 'aes-256-gcm',
    nonce: nonce.toString('base64'),
  });
  const file = withMember(header, 'protection', protection);
  const cipher = createCipheriv('aes-256-gcm', await derive(passphrase, salt, cost), nonce);
  // All that the file says of the key is bound to it: role, ID and parameters cannot be changed unnoticed.
  cipher.setAAD(encodeCanonicalJson(file));
  const sealed = Buffer.concat([cipher.update(pkcs8), cipher.final(), cipher.getAuthTag()]);
  return withMember(file, 'privateKey', sealed.toString('base64'));
}

async function open(
  file: JsonObject,
  publicKey: PublicKey,
  passphrase: string | undefined,
): Promise<SigningKey> {
  const stored = orUnreadable(() => asBase64(file.get('privateKey'), 'privateKey'));
  const pkcs8 = file.has('protection') ? await decrypt(file, stored, passphrase) : stored;
  const key = SigningKey.fromPkcs8(pkcs8);
  if (key.keyId !== publicKey.keyId)
    unreadable('its private and public keys do not belong together');
  return key;
}

async function decrypt(
  file: JsonObject,
  stored: Uint8Array,
  passphrase: string | undefined,
): Promise<Uint8Array> {
  if (passphrase === undefined) {
    throw new SigningError(
      'passphrase_missing',
      'the key file is encrypted and needs a passphrase',
    );
  }
  const { cost, salt, nonce } = orUnreadable(() => parametersOf(file));
  const decipher = createDecipheriv('aes-256-gcm', await derive(passphrase, salt, cost), nonce);
  const header = new Map([...file].filter(([name]) => name !== 'privateKey'));
  decipher.setAAD(encodeCanonicalJson(header));
  const end = Math.max(0, stored.length - TAG_BYTES);
  try {
    decipher.setAuthTag(stored.subarray(end));
    return Buffer.concat([decipher.update(stored.subarray(0, end)), decipher.final()]);
  } catch (cause) {
    const message = 'the passphrase is wrong, or the key file was changed';
    throw new SigningError('wrong_passphrase', message, { cause });
  }
}

function parametersOf(file: JsonObject): {
  readonly cost: number;
  readonly salt: Uint8Array;
  readonly nonce: Uint8Array;
} {
  const protection = asObject(file.get('protection'), 'protection');
  const cost = asInteger(protection.get('n'), 'protection.n', MIN_COST);
  const isKnown =
    protection.get('kdf') === 'scrypt' &&
    protection.get('cipher') === 'aes-256-gcm' &&
    protection.get('r') === BLOCK_SIZE &&
    protection.get('p') === 1;
  if (!isKnown || cost > MAX_COST || !Number.isInteger(Math.log2(cost))) {
    unreadable('it is protected in a way that is not known here');
  }
  const salt = asBase64(protection.get('salt'), 'protection.salt');
  const nonce = asBase64(protection.get('nonce'), 'protection.nonce');
  if (nonce.length !== NONCE_BYTES || salt.length < SALT_BYTES) unreadable('its salt is too short');
  return { cost, salt, nonce };
}

/** @source RFC 7914 */
async function derive(passphrase: string, salt: Uint8Array, cost: number): Promise<Buffer> {
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
  const parameters = { N: cost, r: BLOCK_SIZE, p: 1, maxmem: MAX_MEMORY };
  // Normalised, so that the same words typed on another keyboard give the same key.
  scrypt(passphrase.normalize('NFKC'), salt, KEY_BYTES, parameters, (error, key) =>
    error === null ? resolve(key) : reject(error),
  );
  return await promise;
}

function orUnreadable<Result>(work: () => Result): Result {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof TrustError)) throw error;
    const message = `the key file cannot be read: ${error.message}`;
    throw new SigningError('key_unreadable', message, { cause: error });
  }
}

function unreadable(what: string): never {
  throw new SigningError('key_unreadable', `the key file cannot be used: ${what}`);
}
