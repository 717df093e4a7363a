import { createPublicKey, type KeyObject, verify } from 'node:crypto';
import { encodeCanonicalJson } from '../canonical-json.ts';
import type { Dialect } from '../dialect.ts';
import { asArray, asInteger, asObject, asString, asTime, malformed } from '../fields.ts';
import { canonicalKeyId, isStrongEnough, type Key } from '../keys.ts';
import {
  type Envelope,
  type FileMeta,
  type RoleBody,
  type RootBody,
  type SnapshotBody,
  type TimestampBody,
  TOP_LEVEL_ROLES,
  type TopLevelRole,
} from '../model.ts';
import { type Signature, verifyPkcs1, verifyPss } from '../signature.ts';
import { type JsonObject, type JsonValue, parseStrictJson } from '../strict-json.ts';
import type { Authority } from '../threshold.ts';
import { parseTargets } from './tuf-1.0-targets.ts';

const MAX_SIGNATURES = 256;
const MAX_KEYS = 4096;
const HEX = /^(?:[0-9a-fA-F]{2})*$/;
const SPEC_VERSION = /^1\.[0-9]+(?:\.[0-9]+)?$/;
const HASH_HEX = { sha256: /^[0-9a-f]{64}$/, sha512: /^[0-9a-f]{128}$/ } as const;
const ED25519_SPKI_PREFIX = Buffer.from('302a300506032b6570032100', 'hex');
/** The curve that each ECDSA scheme is for. */
const CURVES: ReadonlyMap<string, string> = new Map([
  ['ecdsa-sha2-nistp256', 'prime256v1'],
  ['ecdsa-sha2-nistp384', 'secp384r1'],
]);
const UNUSABLE_KEY = 'unusable:';

/**
 * The Update Framework 1.0: files go by version, roots are trusted by configuration and followed one by one.
 *
 * @source TUF 1.0.34 §4 (#document-formats)
 */
export const tuf10: Dialect = {
  name: 'tuf-1.0',
  parseEnvelope,
  parseRoot,
  parseTimestamp,
  parseSnapshot,
  parseTargets,
  verifySignature,
  rootKeys: (root) =>
    new Map([...(root.roles.get('root')?.keys ?? [])].map(([id, key]) => [id, { key }])),
  sameTimestampVersion: 'keep',
  targetsFloor: 'snapshot',
  bindsRootInSnapshot: false,
  unlistedDelegation: 'missing',
  fileName(role, { version }, { consistentSnapshot }) {
    const name = `${encodeRoleName(role)}.json`;
    if (!consistentSnapshot) return name;
    return `${version ?? malformed(`meta.${name}`, 'lacks a version')}.${name}`;
  },
};

/** A role name as part of a URL or file name: nothing but letters, digits and `_.-~` stays as it is. */
export function encodeRoleName(role: string): string {
  return encodeURIComponent(role).replaceAll(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

/** @source TUF 1.0.34 §4.2.1 (#file-formats-general-principles): key IDs must be unique among the signatures */
function parseEnvelope(bytes: Uint8Array): Envelope {
  const document = parseStrictJson(bytes);
  const signed = asObject(document.get('signed'), 'signed');
  const entries = asArray(document.get('signatures'), 'signatures');
  if (entries.length > MAX_SIGNATURES) {
    malformed('signatures', `has over ${MAX_SIGNATURES} entries`);
  }
  const signatures = entries.map(parseSignature);
  if (new Set(signatures.map(({ keyId }) => keyId)).size < signatures.length) {
    malformed('signatures', 'has two signatures of one key ID');
  }
  return { bytes, signed, signedBytes: encodeCanonicalJson(signed), signatures };
}

function parseSignature(value: JsonValue, index: number): Signature {
  const where = `signatures[${index}]`;
  const entry = asObject(value, where);
  const hex = asString(entry.get('sig'), `${where}.sig`);
  return {
    keyId: asString(entry.get('keyid'), `${where}.keyid`),
    method: '',
    // What is not hex is a signature that cannot be right; others on the file may still suffice.
    value: HEX.test(hex) ? Buffer.from(hex, 'hex') : new Uint8Array(),
  };
}

/** @source TUF 1.0.34 §4.3 (#file-formats-root) */
function parseRoot({ signed }: Envelope): RootBody {
  const body = parseRoleBody(signed, 'root');
  const keys = parseKeys(signed.get('keys'), 'keys');
  const entries = asObject(signed.get('roles'), 'roles');
  const roles = new Map<TopLevelRole, Authority>();
  for (const role of TOP_LEVEL_ROLES) {
    roles.set(role, parseAuthority(entries.get(role), keys, { role, where: `roles.${role}` }));
  }
  const consistent = signed.get('consistent_snapshot') ?? false;
  if (typeof consistent !== 'boolean') malformed('consistent_snapshot', 'is not true or false');
  return { ...body, keys, roles, consistentSnapshot: consistent };
}

/** @source TUF 1.0.34 §4.6 (#file-formats-timestamp) */
function parseTimestamp({ signed }: Envelope): TimestampBody {
  const body = parseRoleBody(signed, 'timestamp');
  const files = parseFiles(signed);
  const snapshot = files.get('snapshot') ?? malformed('meta.snapshot.json', 'is missing');
  return { ...body, snapshot };
}

/** @source TUF 1.0.34 §4.4 (#file-formats-snapshot) */
function parseSnapshot({ signed }: Envelope): SnapshotBody {
  const body = parseRoleBody(signed, 'snapshot');
  const files = parseFiles(signed);
  if (!files.has('targets')) malformed('meta.targets.json', 'is missing');
  return { ...body, files };
}

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
  return { id, keyType, scheme, publicBytes: Buffer.from(text), publicKey, canonicalId };
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

function parseFiles(signed: JsonObject): ReadonlyMap<string, FileMeta> {
  const files = new Map<string, FileMeta>();
  for (const [name, entry] of asObject(signed.get('meta'), 'meta')) {
    if (!name.endsWith('.json')) continue;
    files.set(name.slice(0, -'.json'.length), parseFileMeta(entry, `meta.${name}`));
  }
  return files;
}

/** @source TUF 1.0.34 §4.4 (METAFILES): a version, and optionally length and hashes */
function parseFileMeta(value: JsonValue, where: string): FileMeta {
  const entry = asObject(value, where);
  const version = asInteger(entry.get('version'), `${where}.version`, 1);
  const stated = entry.get('length');
  const length = stated === undefined ? undefined : asInteger(stated, `${where}.length`, 0);
  return { version, length, hashes: parseHashes(entry.get('hashes'), where) };
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

/** The algorithm follows from the key and the scheme its authority gave it; `rsa-pkcs1v15` only where that says so. */
function verifySignature(key: Key, { value }: Signature, message: Uint8Array): boolean {
  const { publicKey, scheme } = key;
  if (publicKey === undefined || !isStrongEnough(publicKey)) return false;
  switch (scheme) {
    case 'ed25519':
      return verify(null, message, publicKey, value);
    case 'ecdsa-sha2-nistp256':
      return verify('sha256', message, { key: publicKey, dsaEncoding: 'der' }, value);
    case 'ecdsa-sha2-nistp384':
      return verify('sha384', message, { key: publicKey, dsaEncoding: 'der' }, value);
    case 'rsassa-pss-sha256':
      return verifyPss(publicKey, message, value);
    case 'rsa-pkcs1v15-sha256':
      return verifyPkcs1(publicKey, message, value);
    default:
      return false;
  }
}
