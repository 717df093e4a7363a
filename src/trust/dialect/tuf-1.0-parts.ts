import { createPublicKey, type KeyObject } from 'node:crypto';
import { ownBytes } from '../../base/own-bytes.ts';
import type { Authority } from '../authority.ts';
import { asArray, asInteger, asObject, asString, asTime, malformed } from '../fields.ts';
import { canonicalKeyId, type Key } from '../keys.ts';
import type { RoleBody } from '../model.ts';
import type { JsonObject, JsonValue } from '../strict-json.ts';

const MAX_KEYS = 4096;
/** Whole bytes in hex, of either case. */
export const HEX: RegExp = /^(?:[0-9a-fA-F]{2})*$/;
const SPEC_VERSION = /^1\.[0-9]+(?:\.[0-9]+)?$/;
const HASH_HEX = { sha256: /^[0-9a-f]{64}$/, sha512: /^[0-9a-f]{128}$/ } as const;
const ED25519_SPKI_PREFIX = Buffer.from('302a300506032b6570032100', 'hex');
/** The curve that each ECDSA scheme is for. */
const CURVES: ReadonlyMap<string, string> = new Map([
  ['ecdsa-sha2-nistp256', 'prime256v1'],
  ['ecdsa-sha2-nistp384', 'secp384r1'],
]);
const UNUSABLE_KEY = 'unusable:';

/** Reads what all roles share. @source TUF 1.0.34 §4.2.1, §4.3 (spec_version: same major version) */
export function parseRoleBody(signed: JsonObject, type: string): RoleBody {
  if (signed.get('_type') !== type) malformed('signed._type', `is not "${type}"`);
  const specVersion = asString(signed.get('spec_version'), 'signed.spec_version');
  if (!SPEC_VERSION.test(specVersion)) malformed('signed.spec_version', 'is not a version 1.x');
  return {
    version: asInteger(signed.get('version'), 'signed.version', 1),
    expiresAt: asTime(signed.get('expires'), 'signed.expires'),
  };
}

/** Reads the `keys` member. Key IDs are names here: what counts for a threshold is the public key itself. */
export function parseKeys(value: JsonValue | undefined, where: string): ReadonlyMap<string, Key> {
  const entries = asObject(value, where);
  if (entries.size > MAX_KEYS) malformed(where, `has over ${MAX_KEYS} entries`);
  const keys = new Map<string, Key>();
  for (const [id, entry] of entries) keys.set(id, parseKey(id, asObject(entry, `${where}.${id}`)));
  return keys;
}

/** @source TUF 1.0.34 §4.2 (key objects) */
function parseKey(id: string, object: JsonObject): Key {
  const where = `keys.${id}`;
  const keyType = asString(object.get('keytype'), `${where}.keytype`);
  const scheme = asString(object.get('scheme'), `${where}.scheme`);
  const keyval = asObject(object.get('keyval'), `${where}.keyval`);
  const text = asString(keyval.get('public'), `${where}.keyval.public`);
  const publicKey = readPublicKey(keyType, scheme, text);
  const canonicalId = canonicalKeyId(publicKey) ?? `${UNUSABLE_KEY}${id}`;
  return { id, keyType, scheme, publicBytes: ownBytes(Buffer.from(text)), publicKey, canonicalId };
}

function readPublicKey(keyType: string, scheme: string, text: string): KeyObject | undefined {
  try {
    if (keyType === 'ed25519' && scheme === 'ed25519') {
      const raw = HEX.test(text) ? Buffer.from(text, 'hex') : Buffer.alloc(0);
      if (raw.length !== 32) return undefined;
      const der = Buffer.concat([ED25519_SPKI_PREFIX, raw]);
      return createPublicKey({ key: der, format: 'der', type: 'spki' });
    }
    if (!text.includes('-----BEGIN PUBLIC KEY-----')) return undefined;
    const key = createPublicKey(text);
    const isEcdsa = keyType === 'ecdsa' || keyType === scheme;
    if (key.asymmetricKeyType === 'ec') {
      const isCurve = key.asymmetricKeyDetails?.namedCurve === CURVES.get(scheme);
      return isEcdsa && isCurve ? key : undefined;
    }
    return key.asymmetricKeyType === 'rsa' && keyType === 'rsa' ? key : undefined;
  } catch {
    // As in the other dialect: a key of an unknown kind may be listed and never verifies a signature.
    return undefined;
  }
}

/**
 * @throws {TrustError} `malformed`
 * @source TUF 1.0.34 §4.3 (ROLE objects): key IDs are unique within a role
 */
export function parseAuthority(
  value: JsonValue | undefined,
  keys: ReadonlyMap<string, Key>,
  { role, where }: { readonly role: string; readonly where: string },
): Authority {
  const entry = asObject(value, where);
  const threshold = asInteger(entry.get('threshold'), `${where}.threshold`, 1);
  const own = new Map<string, Key>();
  for (const value of asArray(entry.get('keyids'), `${where}.keyids`)) {
    const id = asString(value, `${where}.keyids`);
    if (own.has(id)) malformed(where, 'lists a key ID twice');
    const key = keys.get(id) ?? malformed(where, 'lists a key ID that is not among the keys');
    own.set(id, key);
  }
  return { role, keys: own, threshold };
}

/** Reads hashes; a file that has some must have one that is known here, else nothing could be checked. */
export function parseHashes(
  value: JsonValue | undefined,
  where: string,
): ReadonlyMap<'sha256' | 'sha512', string> {
  const hashes = new Map<'sha256' | 'sha512', string>();
  if (value === undefined) return hashes;
  const stated = asObject(value, `${where}.hashes`);
  for (const algorithm of ['sha256', 'sha512'] as const) {
    const hash = stated.get(algorithm);
    if (hash === undefined) continue;
    const hex = asString(hash, `${where}.hashes.${algorithm}`);
    if (!HASH_HEX[algorithm].test(hex)) malformed(where, `has a ${algorithm} of wrong form`);
    hashes.set(algorithm, hex);
  }
  if (hashes.size === 0) malformed(`${where}.hashes`, 'has no SHA-256 or SHA-512');
  return hashes;
}
