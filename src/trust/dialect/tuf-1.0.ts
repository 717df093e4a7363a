import { verify } from 'node:crypto';
import { ownBytes } from '../../base/own-bytes.ts';
import type { Authority } from '../authority.ts';
import { encodeCanonicalJson } from '../canonical-json.ts';
import type { Dialect } from '../dialect.ts';
import { asArray, asInteger, asObject, asString, malformed } from '../fields.ts';
import { isStrongEnough, type Key } from '../keys.ts';
import {
  type Envelope,
  type FileMeta,
  type RootBody,
  type SnapshotBody,
  type TimestampBody,
  TOP_LEVEL_ROLES,
  type TopLevelRole,
} from '../model.ts';
import { type Signature, verifyPkcs1, verifyPss } from '../signature.ts';
import { type JsonObject, type JsonValue, parseStrictJson } from '../strict-json.ts';
import { HEX, parseAuthority, parseHashes, parseKeys, parseRoleBody } from './tuf-1.0-parts.ts';
import { parseTargets } from './tuf-1.0-targets.ts';

const MAX_SIGNATURES = 256;

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
    value: HEX.test(hex) ? ownBytes(Buffer.from(hex, 'hex')) : new Uint8Array(),
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
  return { ...body, root: undefined, files };
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
