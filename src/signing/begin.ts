import { encodeCanonicalJson } from '../trust/canonical-json.ts';
import { TOP_LEVEL_ROLES, type TopLevelRole } from '../trust/model.ts';
import type { JsonObject } from '../trust/strict-json.ts';
import { newRoot, newTargets, type RoleDocument, type RoleKeys } from './documents.ts';
import { type Draft, encodePending } from './draft.ts';
import { isComplete } from './draft-signatures.ts';
import { SigningError } from './errors.ts';
import { firstFiles } from './finish.ts';
import { openedKeys } from './key-ring.ts';
import type { CollectionWrite } from './ports.ts';
import { requirePossible } from './role-keys.ts';
import type { CollectionSettings } from './settings.ts';
import type { PublicKey, SigningKey } from './signing-key.ts';
import { shortKeyId } from './words.ts';

/** The roles every collection has; each has keys from the start. */
export const COLLECTION_ROLES: readonly TopLevelRole[] = TOP_LEVEL_ROLES;
export type CollectionRole = TopLevelRole;

/** The keys of one role of a new collection. */
export interface FirstKeys {
  /** Those that are at hand and open. */
  readonly keys: readonly SigningKey[];
  /** Those whose holders handed in the public part only. */
  readonly handedIn?: readonly PublicKey[];
  readonly threshold: number;
}

const NO_KEYS: FirstKeys = { keys: [], threshold: 1 };
const ONLINE_ROLES = ['snapshot', 'timestamp'] as const;

/** What a new collection begins with. */
export interface FirstWrite {
  /** Its root and targets. */
  readonly draft: Draft;
  /** The metadata, or while signatures or online keys are missing what waits for them. */
  readonly files: CollectionWrite;
}

/**
 * Makes a new, empty collection. Root and targets are signed by all keys at hand.
 *
 * @param now - milliseconds since the epoch
 * @throws {SigningError} `threshold_impossible`, `key_repeated`
 */
export async function beginCollection(
  roles: ReadonlyMap<TopLevelRole, FirstKeys>,
  { settings, now }: { readonly settings: CollectionSettings; readonly now: number },
): Promise<FirstWrite> {
  const draft = firstDraft(roles, { settings, now });
  const ring = openedKeys([...roles.values()].flatMap(({ keys }) => keys));
  const { root, targets } = draft;
  const documents = new Map([
    ['root', root],
    ['targets', targets],
  ]);
  const hasOnlineKeys = ONLINE_ROLES.every((role) => {
    const { keys, threshold } = roles.get(role) ?? NO_KEYS;
    return keys.length >= threshold;
  });
  if (!hasOnlineKeys || !isComplete(undefined, documents)) {
    return { draft: documents, files: { pending: encodePending(documents) } };
  }
  const metadata = await firstFiles(root, targets, { settings, now, ring });
  return { draft: documents, files: { metadata } };
}

function firstDraft(
  roles: ReadonlyMap<TopLevelRole, FirstKeys>,
  { settings, now }: { readonly settings: CollectionSettings; readonly now: number },
): { readonly root: RoleDocument; readonly targets: RoleDocument } {
  const publicKeys = new Map(TOP_LEVEL_ROLES.map((role) => [role, publicKeysOf(roles, role)]));
  requireDistinct(publicKeys);
  for (const [role, keys] of publicKeys) requirePossible(keys, role);
  const { lifetimes } = settings;
  const sign = (role: 'root' | 'targets', signed: JsonObject): RoleDocument => {
    const message = encodeCanonicalJson(signed);
    const keys = roles.get(role)?.keys ?? [];
    const signatures = new Map(keys.map((key) => [key.keyId, key.sign(message)]));
    return { role, signed, signatures };
  };
  return {
    root: sign('root', newRoot(publicKeys, now + lifetimes.root)),
    targets: sign('targets', newTargets(now + lifetimes.targets)),
  };
}

function publicKeysOf(roles: ReadonlyMap<TopLevelRole, FirstKeys>, role: TopLevelRole): RoleKeys {
  const { keys, handedIn = [], threshold } = roles.get(role) ?? NO_KEYS;
  return { keys: [...keys.map(({ publicKey }) => publicKey), ...handedIn], threshold };
}

/** Whoever holds a key twice would count twice in the eyes of whoever reads the root. */
function requireDistinct(roles: ReadonlyMap<TopLevelRole, RoleKeys>): void {
  const seen = new Map<string, TopLevelRole>();
  for (const [role, { keys }] of roles) {
    for (const { keyId } of keys) {
      const other = seen.get(keyId);
      seen.set(keyId, role);
      if (other === undefined) continue;
      const where = other === role ? `twice for ${role}` : `for ${other} and for ${role}`;
      throw new SigningError(
        'key_repeated',
        `the key ${shortKeyId(keyId)} was given ${where}: each is for one role, once; nothing was made`,
        { detail: { keyId, role } },
      );
    }
  }
}
