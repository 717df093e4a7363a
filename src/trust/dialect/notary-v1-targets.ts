import { asArray, asBase64, asInteger, asObject, asString, malformed } from '../fields.ts';
import type { Delegation, Envelope, Target, TargetsBody } from '../model.ts';
import type { JsonValue } from '../strict-json.ts';
import { parseAuthority, parseKeys, parseRoleBody } from './notary-v1.ts';

/** More delegations than this in one file are refused. */
const MAX_DELEGATIONS = 1024;
const ROLE_NAME = /^[-a-z0-9_/]+$/;
const MAX_ROLE_NAME_LENGTH = 255;
const SHA256_BYTES = 32;

/**
 * Reads the content of a targets or delegated targets file.
 *
 * @param role - the name under which the snapshot lists the file; its delegations must be direct children of it
 * @throws {TrustError} `malformed`
 * @source notary: tuf/data/targets.go
 */
export function parseTargets({ signed }: Envelope, role: string): TargetsBody {
  const body = parseRoleBody(signed, 'Targets');
  return {
    ...body,
    targets: parseTargetEntries(signed.get('targets')),
    delegations: parseDelegations(signed.get('delegations'), role),
  };
}

function parseTargetEntries(value: JsonValue | undefined): ReadonlyMap<string, Target> {
  const targets = new Map<string, Target>();
  if (value === null || value === undefined) return targets;
  for (const [name, entry] of asObject(value, 'targets')) {
    targets.set(name, parseTarget(entry, `targets.${name}`));
  }
  return targets;
}

function parseTarget(value: JsonValue, where: string): Target {
  const entry = asObject(value, where);
  const length = asInteger(entry.get('length'), `${where}.length`, 0);
  const stated = asObject(entry.get('hashes'), `${where}.hashes`).get('sha256');
  if (stated === undefined) return { length, sha256: undefined };
  const bytes = asBase64(stated, `${where}.hashes.sha256`);
  // Hex text is valid base64 too, of another size: such an entry must not become a digest.
  const sha256 = bytes.length === SHA256_BYTES ? Buffer.from(bytes).toString('hex') : undefined;
  return { length, sha256 };
}

function parseDelegations(value: JsonValue | undefined, parent: string): readonly Delegation[] {
  if (value === null || value === undefined) return [];
  const entry = asObject(value, 'delegations');
  const roles = entry.get('roles');
  if (roles === null || roles === undefined) return [];
  const entries = asArray(roles, 'delegations.roles');
  if (entries.length === 0) return [];
  if (entries.length > MAX_DELEGATIONS) {
    malformed('delegations.roles', `has over ${MAX_DELEGATIONS} entries`);
  }
  const keys = parseKeys(entry.get('keys'), 'delegations.keys');
  const seen = new Set<string>();
  return entries.map((item, index) => {
    const where = `delegations.roles[${index}]`;
    const name = parseRoleName(asObject(item, where).get('name'), parent, where);
    // Which of two entries counts would depend on the reader.
    if (seen.has(name)) malformed(where, 'names a role a second time');
    seen.add(name);
    const authority = parseAuthority(item, keys, { role: name, where });
    return { name, authority, paths: parsePaths(asObject(item, where).get('paths'), where) };
  });
}

/** @source notary: tuf/data/roles.go (IsDelegation), tuf/data/targets.go (isValidTargetsStructure) */
function parseRoleName(value: JsonValue | undefined, parent: string, where: string): string {
  const name = asString(value, `${where}.name`);
  const last = name.slice(name.lastIndexOf('/') + 1);
  const isChild = name === `${parent}/${last}` && last !== '';
  if (!isChild || !ROLE_NAME.test(name) || name.length > MAX_ROLE_NAME_LENGTH) {
    malformed(`${where}.name`, `is not a direct child role of ${parent}`);
  }
  return name;
}

function parsePaths(value: JsonValue | undefined, where: string): readonly string[] {
  if (value === null || value === undefined) return [];
  return asArray(value, `${where}.paths`).map((path) => asString(path, `${where}.paths`));
}
