import type { Authority } from '../authority.ts';
import { encodeCanonicalJson } from '../canonical-json.ts';
import { asArray, asBase64, asInteger, asObject, asString, asTime, malformed } from '../fields.ts';
import { type Key, parseKey } from '../keys.ts';
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
import type { Signature } from '../signature.ts';
import { type JsonObject, type JsonValue, parseStrictJson } from '../strict-json.ts';

/** More signatures than this on one file are refused before any is verified. */
const MAX_SIGNATURES = 256;
/** More keys than this in one file are refused. */
const MAX_KEYS = 4096;
const HASH_BYTES = { sha256: 32, sha512: 64 } as const;

/**
 * Takes a file apart into what was signed and the signatures.
 *
 * @throws {TrustError} `malformed`
 * @source notary: tuf/data/types.go (Signed)
 */
export function parseEnvelope(bytes: Uint8Array): Envelope {
  const document = parseStrictJson(bytes);
  const signed = asObject(document.get('signed'), 'signed');
  const entries = asArray(document.get('signatures'), 'signatures');
  if (entries.length > MAX_SIGNATURES)
    malformed('signatures', `has over ${MAX_SIGNATURES} entries`);
  const signatures = entries.map(parseSignature);
  return { bytes, signed, signedBytes: encodeCanonicalJson(signed), signatures };
}

function parseSignature(value: JsonValue, index: number): Signature {
  const where = `signatures[${index}]`;
  const entry = asObject(value, where);
  return {
    keyId: asString(entry.get('keyid'), `${where}.keyid`),
    method: asString(entry.get('method'), `${where}.method`).toLowerCase(),
    value: asBase64(entry.get('sig'), `${where}.sig`),
  };
}

/**
 * Reads a root's content.
 *
 * @throws {TrustError} `malformed`
 * @source notary: tuf/data/root.go
 */
export function parseRoot({ signed }: Envelope): RootBody {
  const body = parseRoleBody(signed, 'Root');
  const keys = parseKeys(signed.get('keys'), 'keys');
  const entries = asObject(signed.get('roles'), 'roles');
  const roles = new Map<TopLevelRole, Authority>();
  for (const role of TOP_LEVEL_ROLES) {
    roles.set(role, parseAuthority(entries.get(role), keys, { role, where: `roles.${role}` }));
  }
  return { ...body, keys, roles, consistentSnapshot: true };
}

/**
 * Reads a timestamp's content.
 *
 * @throws {TrustError} `malformed`
 * @source notary: tuf/data/timestamp.go
 */
export function parseTimestamp({ signed }: Envelope): TimestampBody {
  const body = parseRoleBody(signed, 'Timestamp');
  return { ...body, snapshot: requireListed(parseFiles(signed), 'snapshot') };
}

/**
 * Reads a snapshot's content.
 *
 * @throws {TrustError} `malformed`
 * @source notary: tuf/data/snapshot.go
 */
export function parseSnapshot({ signed }: Envelope): SnapshotBody {
  const body = parseRoleBody(signed, 'Snapshot');
  const files = parseFiles(signed);
  requireListed(files, 'targets');
  return { ...body, root: requireListed(files, 'root'), files };
}

/** Reads what all roles share, and requires the exact type name: it keeps one role's file from passing as another's. */
export function parseRoleBody(signed: JsonObject, type: string): RoleBody {
  if (signed.get('_type') !== type) malformed('signed._type', `is not "${type}"`);
  return {
    version: asInteger(signed.get('version'), 'signed.version', 1),
    expiresAt: asTime(signed.get('expires'), 'signed.expires'),
  };
}

/** Reads the `keys` member; keys are indexed by the name they stand under, with their true ID inside. */
export function parseKeys(value: JsonValue | undefined, where: string): ReadonlyMap<string, Key> {
  const entries = asObject(value, where);
  if (entries.size > MAX_KEYS) malformed(where, `has over ${MAX_KEYS} entries`);
  const keys = new Map<string, Key>();
  for (const [name, entry] of entries) {
    keys.set(name, parseKey(asObject(entry, `${where}.${name}`), `${where}.${name}`));
  }
  return keys;
}

/**
 * Reads key IDs and threshold of a role, and collects its keys.
 *
 * @throws {TrustError} `malformed`; also for a key that stands under an ID which is not its own, since anyone could
 * otherwise count one key under many names
 * @source notary: tuf/data/roles.go (BaseRole), tuf/signed/verify.go (ErrInvalidKeyID)
 */
export function parseAuthority(
  value: JsonValue | undefined,
  keys: ReadonlyMap<string, Key>,
  { role, where }: { readonly role: string; readonly where: string },
): Authority {
  const entry = asObject(value, where);
  const threshold = asInteger(entry.get('threshold'), `${where}.threshold`, 1);
  const own = new Map<string, Key>();
  for (const id of asArray(entry.get('keyids'), `${where}.keyids`)) {
    const key = keys.get(asString(id, `${where}.keyids`));
    if (key === undefined) malformed(where, 'lists a key ID that is not among the keys');
    if (key.id !== id) malformed(where, 'lists a key that does not have the ID it stands under');
    own.set(key.id, key);
  }
  return { role, keys: own, threshold };
}

function parseFiles(signed: JsonObject): ReadonlyMap<string, FileMeta> {
  const files = new Map<string, FileMeta>();
  for (const [name, entry] of asObject(signed.get('meta'), 'meta')) {
    files.set(name, parseFileMeta(entry, `meta.${name}`));
  }
  return files;
}

function requireListed(files: ReadonlyMap<string, FileMeta>, name: string): FileMeta {
  const meta = files.get(name);
  if (meta?.hashes.has('sha256') !== true) malformed(`meta.${name}`, 'lacks a SHA-256 hash');
  return meta;
}

/** Reads length and hashes; algorithms other than SHA-256 and SHA-512 are passed over, as the dialect has it. */
function parseFileMeta(value: JsonValue, where: string): FileMeta {
  const entry = asObject(value, where);
  const hashes = new Map<'sha256' | 'sha512', string>();
  const stated = asObject(entry.get('hashes'), `${where}.hashes`);
  for (const algorithm of ['sha256', 'sha512'] as const) {
    const hash = stated.get(algorithm);
    if (hash === undefined) continue;
    const bytes = asBase64(hash, `${where}.hashes.${algorithm}`);
    if (bytes.length !== HASH_BYTES[algorithm])
      malformed(where, `has a ${algorithm} of wrong size`);
    hashes.set(algorithm, Buffer.from(bytes).toString('hex'));
  }
  const length = asInteger(entry.get('length'), `${where}.length`, 0);
  return { length, version: undefined, hashes };
}
