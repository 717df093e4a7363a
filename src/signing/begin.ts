import { encodeCanonicalJson } from '../trust/canonical-json.ts';
import { TOP_LEVEL_ROLES, type TopLevelRole } from '../trust/model.ts';
import type { JsonObject } from '../trust/strict-json.ts';
import { newRoot, newTargets, type RoleDocument } from './documents.ts';
import { firstFiles } from './finish.ts';
import { openedKeys } from './key-ring.ts';
import { requirePossible } from './role-keys.ts';
import type { CollectionSettings } from './settings.ts';
import type { SigningKey } from './signing-key.ts';

/** The keys of one role of a new collection, all of them open. */
export interface FirstKeys {
  readonly keys: readonly SigningKey[];
  readonly threshold: number;
}

/**
 * The files of a new, empty collection. Root and targets are signed by all of their keys.
 *
 * @param now - milliseconds since the epoch
 * @throws {SigningError} `threshold_impossible`
 */
export async function beginCollection(
  roles: ReadonlyMap<TopLevelRole, FirstKeys>,
  { settings, now }: { readonly settings: CollectionSettings; readonly now: number },
): Promise<ReadonlyMap<string, Uint8Array>> {
  const publicKeys = new Map(
    TOP_LEVEL_ROLES.map((role) => {
      const { keys, threshold } = roles.get(role) ?? { keys: [], threshold: 1 };
      const own = { keys: keys.map(({ publicKey }) => publicKey), threshold };
      requirePossible(own, role);
      return [role, own] as const;
    }),
  );
  const { lifetimes } = settings;
  const sign = (role: 'root' | 'targets', signed: JsonObject): RoleDocument => {
    const message = encodeCanonicalJson(signed);
    const keys = roles.get(role)?.keys ?? [];
    const signatures = new Map(keys.map((key) => [key.keyId, key.sign(message)]));
    return { role, signed, signatures };
  };
  const root = sign('root', newRoot(publicKeys, now + lifetimes.root));
  const targets = sign('targets', newTargets(now + lifetimes.targets));
  const ring = openedKeys([...roles.values()].flatMap(({ keys }) => keys));
  return await firstFiles(root, targets, { settings, now, ring });
}
