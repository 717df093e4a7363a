import { asArray, asInteger, asObject, asString, malformed } from '../fields.ts';
import type { Delegation, Envelope, Target, TargetsBody } from '../model.ts';
import type { JsonObject, JsonValue } from '../strict-json.ts';
import { parseAuthority, parseHashes, parseKeys, parseRoleBody } from './tuf-1.0-parts.ts';

const MAX_DELEGATIONS = 32_768;
const MAX_ROLE_NAME_LENGTH = 255;
const HASH_PREFIX = /^[0-9a-f]{1,64}$/;
const TOP_LEVEL: ReadonlySet<string> = new Set(['root', 'timestamp', 'snapshot', 'targets']);

/**
 * Reads the content of a targets or delegated targets file.
 *
 * @throws {TrustError} `malformed`
 * @source TUF 1.0.34 §4.5 (#file-formats-targets)
 */
export function parseTargets({ signed }: Envelope): TargetsBody {
  const body = parseRoleBody(signed, 'targets');
  const targets = new Map<string, Target>();
  for (const [name, entry] of asObject(signed.get('targets'), 'targets')) {
    targets.set(name, parseTarget(entry, `targets.${name}`));
  }
  return { ...body, targets, delegations: parseDelegations(signed.get('delegations')) };
}

function parseTarget(value: JsonValue, where: string): Target {
  const entry = asObject(value, where);
  const length = asInteger(entry.get('length'), `${where}.length`, 0);
  const stated = asObject(entry.get('hashes'), `${where}.hashes`);
  const known = stated.has('sha256') || stated.has('sha512');
  const hashes = known ? parseHashes(stated, where) : new Map<'sha256' | 'sha512', string>();
  const sha512 = hashes.get('sha512');
  const custom = entry.get('custom');
  return {
    length,
    sha256: hashes.get('sha256'),
    ...(sha512 === undefined ? {} : { sha512 }),
    ...(custom === undefined ? {} : { custom }),
  };
}

function parseDelegations(value: JsonValue | undefined): readonly Delegation[] {
  if (value === undefined) return [];
  const entry = asObject(value, 'delegations');
  const keys = parseKeys(entry.get('keys'), 'delegations.keys');
  // Succinct hash bins (TAP 15) are no part of 1.0.34: to pass over them could hide a delegation that comes first.
  const entries = asArray(entry.get('roles'), 'delegations.roles');
  if (entries.length > MAX_DELEGATIONS) {
    malformed('delegations.roles', `has over ${MAX_DELEGATIONS} entries`);
  }
  const seen = new Set<string>();
  return entries.map((item, index) => {
    const where = `delegations.roles[${index}]`;
    const role = asObject(item, where);
    const name = parseRoleName(role, where);
    if (seen.has(name)) malformed(where, 'names a role a second time');
    seen.add(name);
    const authority = parseAuthority(item, keys, { role: name, where });
    return { name, authority, ...parseScope(role, where) };
  });
}

function parseRoleName(role: JsonObject, where: string): string {
  const name = asString(role.get('name'), `${where}.name`);
  const isUsable = name !== '' && name.length <= MAX_ROLE_NAME_LENGTH && !TOP_LEVEL.has(name);
  return isUsable ? name : malformed(`${where}.name`, 'cannot be the name of a delegated role');
}

/** @source TUF 1.0.34 §4.5: exactly one of `paths` and `path_hash_prefixes` */
function parseScope(
  role: JsonObject,
  where: string,
): Pick<Delegation, 'paths' | 'pathHashPrefixes' | 'isTerminating'> {
  const terminating = role.get('terminating');
  if (typeof terminating !== 'boolean') malformed(`${where}.terminating`, 'is not true or false');
  const paths = role.get('paths');
  const prefixes = role.get('path_hash_prefixes');
  if ((paths === undefined) === (prefixes === undefined)) {
    malformed(where, 'has not exactly one of paths and path_hash_prefixes');
  }
  if (paths !== undefined) {
    const list = asArray(paths, `${where}.paths`).map((path) => asString(path, `${where}.paths`));
    return { paths: list, isTerminating: terminating };
  }
  const pathHashPrefixes = asArray(prefixes, `${where}.path_hash_prefixes`).map((prefix) => {
    const text = asString(prefix, `${where}.path_hash_prefixes`);
    return HASH_PREFIX.test(text) ? text : malformed(where, 'has a hash prefix that is not hex');
  });
  return { paths: [], pathHashPrefixes, isTerminating: terminating };
}
