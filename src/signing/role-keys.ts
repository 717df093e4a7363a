import type { JsonObject } from '../trust/strict-json.ts';
import type { RoleKeys } from './documents.ts';
import { SigningError } from './errors.ts';

/** The key objects that a root or delegation lists for a role, by key ID. */
export function keyObjects(holder: JsonObject | undefined): ReadonlyMap<string, JsonObject> {
  const keys = holder?.get('keys');
  const entries = keys instanceof Map ? [...keys] : [];
  return new Map(entries.flatMap(([id, key]) => (key instanceof Map ? [[id, key] as const] : [])));
}

/** Requires that a threshold can be met. @throws {SigningError} `threshold_impossible` */
export function requirePossible({ keys, threshold }: RoleKeys, role: string): void {
  const distinct = new Set(keys.map(({ keyId }) => keyId)).size;
  if (Number.isSafeInteger(threshold) && threshold >= 1 && threshold <= distinct) return;
  throw new SigningError(
    'threshold_impossible',
    `${role} would have ${distinct} ${distinct === 1 ? 'key' : 'keys'} and need ${threshold} of them`,
    { detail: { role, keys: distinct, threshold } },
  );
}
