import { asArray, asObject } from '../trust/fields.ts';
import type { TopLevelRole } from '../trust/model.ts';
import type { JsonObject, JsonValue } from '../trust/strict-json.ts';
import { type RoleKeys, roleEntry } from './documents.ts';
import { objectOf, withMember, withoutMember } from './json.ts';
import { keyObjects, requirePossible } from './role-keys.ts';

/** What is signed of one image. */
export interface TargetEntry {
  /** Lower-case hex. */
  readonly sha256: string;
  /** Bytes of the manifest. */
  readonly length: number;
  readonly custom: JsonObject;
}

/** Part of a collection handed to a team. */
export interface NewDelegation extends RoleKeys {
  readonly name: string;
  /** Path patterns of the names that the team may sign. */
  readonly patterns: readonly string[];
}

/** The content of a targets file with one target set. */
export function withTarget(signed: JsonObject, name: string, entry: TargetEntry): JsonObject {
  const { sha256, length, custom } = entry;
  const value = withMember(objectOf({ hashes: { sha256 }, length }), 'custom', custom);
  return withMember(signed, 'targets', withMember(targetsOf(signed), name, value));
}

/** The content of a targets file without one target. */
export function withoutTarget(signed: JsonObject, name: string): JsonObject {
  return withMember(signed, 'targets', withoutMember(targetsOf(signed), name));
}

/** One target as it is written, or undefined. */
export function rawTarget(signed: JsonObject | undefined, name: string): JsonObject | undefined {
  const entry = signed === undefined ? undefined : targetsOf(signed).get(name);
  return entry instanceof Map ? entry : undefined;
}

/** The content of a targets file with a target copied as it is to another name. */
export function withRawTarget(signed: JsonObject, name: string, entry: JsonObject): JsonObject {
  return withMember(signed, 'targets', withMember(targetsOf(signed), name, entry));
}

/**
 * The content of a targets file with a delegation added, or its keys, threshold and patterns replaced.
 *
 * @throws {SigningError} `threshold_impossible`
 */
export function withDelegation(signed: JsonObject, delegation: NewDelegation): JsonObject {
  const { name, patterns } = delegation;
  requirePossible(delegation, name);
  const roles = delegationRoles(signed);
  const earlier = roles.find((role) => role.get('name') === name);
  const entry = new Map<string, JsonValue>([
    ...(earlier ?? objectOf({ name, terminating: true })),
    ...roleEntry(delegation),
    ['paths', [...patterns]],
  ]);
  entry.delete('path_hash_prefixes');
  const next =
    earlier === undefined
      ? [...roles, entry]
      : roles.map((role) => (role === earlier ? entry : role));
  const keys = delegation.keys.map(({ keyId, object }) => [keyId, object] as const);
  return withDelegationRoles(signed, next, new Map(keys));
}

/** The content of a targets file without one delegation. */
export function withoutDelegation(signed: JsonObject, name: string): JsonObject {
  const roles = delegationRoles(signed).filter((role) => role.get('name') !== name);
  return withDelegationRoles(signed, roles, new Map());
}

/**
 * The content of a root with other keys or another threshold for a role; keys that no role lists any more are left out.
 *
 * @throws {SigningError} `threshold_impossible`
 */
export function withRoleKeys(signed: JsonObject, role: TopLevelRole, keys: RoleKeys): JsonObject {
  requirePossible(keys, role);
  const roles = asObject(signed.get('roles'), 'roles');
  const earlier = asObject(roles.get(role), `roles.${role}`);
  const entry = new Map([...earlier, ...roleEntry(keys)]);
  const nextRoles = withMember(roles, role, entry);
  const known = new Map([
    ...asObject(signed.get('keys'), 'keys'),
    ...keys.keys.map(({ keyId, object }) => [keyId, object] as const),
  ]);
  const next = withMember(signed, 'roles', nextRoles);
  return withMember(next, 'keys', keysInUse(known, [...nextRoles.values()]));
}

function targetsOf(signed: JsonObject): JsonObject {
  return asObject(signed.get('targets'), 'targets');
}

function delegationRoles(signed: JsonObject): readonly JsonObject[] {
  const delegations = signed.get('delegations');
  if (delegations === undefined) return [];
  const roles = asObject(delegations, 'delegations').get('roles');
  return asArray(roles, 'delegations.roles').map((role) => asObject(role, 'delegations.roles'));
}

function withDelegationRoles(
  signed: JsonObject,
  roles: readonly JsonObject[],
  added: ReadonlyMap<string, JsonObject>,
): JsonObject {
  const earlier = signed.get('delegations');
  const delegations = earlier instanceof Map ? earlier : new Map<string, JsonValue>();
  const known = new Map<string, JsonValue>([...keyObjects(delegations), ...added]);
  const next = new Map<string, JsonValue>([
    ...delegations,
    ['keys', keysInUse(known, roles)],
    ['roles', roles],
  ]);
  return withMember(signed, 'delegations', next);
}

function keysInUse(
  keys: ReadonlyMap<string, JsonValue>,
  roles: readonly JsonValue[],
): ReadonlyMap<string, JsonValue> {
  const used = new Set<JsonValue>();
  for (const role of roles) {
    const ids = role instanceof Map ? role.get('keyids') : undefined;
    if (Array.isArray(ids)) for (const id of ids) used.add(id);
  }
  return new Map([...keys].filter(([id]) => used.has(id)));
}
