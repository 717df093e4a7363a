import { join } from 'node:path';
import { keysFolder } from '../app/collection-desk.ts';
import { readKeyFileBytes } from '../app/collection-key-files.ts';
import { COLLECTION_ROLES, type CollectionRole } from '../signing/begin.ts';
import { SigningError } from '../signing/errors.ts';
import { createKeyFile, readHandedInKey } from '../signing/key-file.ts';
import type { PublicKey, SigningKey } from '../signing/signing-key.ts';
import type { CommandContext } from './collection-change.ts';
import { type CollectionOptions, newPassphrase } from './collection-io.ts';

/** Where the keys of a new collection come from. */
export interface FirstKeyOptions extends CollectionOptions {
  /** How many are made here; default 1, or none where some were handed in. */
  readonly rootKeys?: number;
  readonly rootThreshold: number;
  readonly targetsKeys?: number;
  readonly targetsThreshold: number;
  /** Files with public keys that holders handed in. */
  readonly rootPub?: readonly string[];
  readonly targetsPub?: readonly string[];
  readonly snapshotPub?: readonly string[];
  readonly timestampPub?: readonly string[];
  /** Where the key files of root and targets go; default `keys` in the collection's folder. */
  readonly offlineKeys?: string;
  /** Give the online keys a passphrase too. */
  readonly encryptOnline?: boolean;
}

/** A key that was made, and its file, which is not written yet. */
export interface NewKey {
  readonly path: string;
  readonly bytes: Uint8Array;
  readonly key: SigningKey;
}

/** The keys of one role of a new collection. */
export interface RoleKeys {
  readonly made: readonly NewKey[];
  readonly handedIn: readonly PublicKey[];
  readonly threshold: number;
}

/** Reads what was handed in before anybody is asked for a passphrase. @throws {SigningError} `key_missing`, `key_unreadable` */
export async function readHandedIn(
  options: FirstKeyOptions,
): Promise<ReadonlyMap<CollectionRole, readonly PublicKey[]>> {
  const files = {
    root: options.rootPub,
    targets: options.targetsPub,
    snapshot: options.snapshotPub,
    timestamp: options.timestampPub,
  };
  const read = COLLECTION_ROLES.map(async (role) => {
    const keys = (files[role] ?? []).map((path) => readHandedInFile(path, role));
    return [role, await Promise.all(keys)] as const;
  });
  const keys = new Map(await Promise.all(read));
  requirePossible(options, keys);
  return keys;
}

async function readHandedInFile(path: string, role: CollectionRole): Promise<PublicKey> {
  const bytes = await readKeyFileBytes(path);
  try {
    return readHandedInKey(bytes, role);
  } catch (error) {
    if (!(error instanceof SigningError)) throw error;
    throw new SigningError(error.code, `${path}: ${error.message}`, { cause: error });
  }
}

/** How many keys of a role are made here: one, unless others were handed in. */
function countOf(
  { rootKeys, targetsKeys }: FirstKeyOptions,
  role: CollectionRole,
  handedIn: readonly PublicKey[],
): number {
  const asked = { root: rootKeys, targets: targetsKeys, snapshot: undefined, timestamp: undefined };
  return asked[role] ?? (handedIn.length > 0 ? 0 : 1);
}

function thresholdOf(options: FirstKeyOptions, role: CollectionRole): number {
  if (role === 'root') return options.rootThreshold;
  return role === 'targets' ? options.targetsThreshold : 1;
}

function requirePossible(
  options: FirstKeyOptions,
  handedIn: ReadonlyMap<CollectionRole, readonly PublicKey[]>,
): void {
  for (const [role, keys] of handedIn) {
    const count = keys.length + countOf(options, role, keys);
    const threshold = thresholdOf(options, role);
    if (threshold <= count) continue;
    throw new SigningError(
      'threshold_impossible',
      `${role} would have ${count} ${count === 1 ? 'key' : 'keys'} and need ${threshold} of them`,
    );
  }
}

/** Makes the keys that are made here and puts those beside them that were handed in. */
export async function gatherKeys(
  context: CommandContext<FirstKeyOptions>,
  handedIn: ReadonlyMap<CollectionRole, readonly PublicKey[]>,
): Promise<ReadonlyMap<CollectionRole, RoleKeys>> {
  const { options } = context;
  const own = keysFolder(options.dir);
  const roles = new Map<CollectionRole, RoleKeys>();
  for (const [role, keys] of handedIn) {
    const isOnline = role === 'snapshot' || role === 'timestamp';
    const made = await newKeys(context, {
      role,
      count: countOf(options, role, keys),
      folder: isOnline ? own : (options.offlineKeys ?? own),
      plain: isOnline && options.encryptOnline !== true,
    });
    roles.set(role, { made, handedIn: keys, threshold: thresholdOf(options, role) });
  }
  return roles;
}

async function newKeys(
  context: CommandContext,
  what: {
    readonly role: string;
    readonly count: number;
    readonly folder: string;
    readonly plain?: boolean;
  },
): Promise<readonly NewKey[]> {
  const { role, count, folder, plain = false } = what;
  const made: NewKey[] = [];
  for (let index = 1; index <= count; index += 1) {
    const name = count === 1 ? `the ${role} key` : `${role} key ${index} of ${count}`;
    made.push(await newKeyFile(context, { role, folder, ...(plain ? {} : { name }) }));
  }
  return made;
}

/** Makes a key file, not yet written; `name` is how its passphrase is asked for, without it there is none. */
export async function newKeyFile(
  context: CommandContext,
  {
    role,
    folder,
    name,
  }: { readonly role: string; readonly folder: string; readonly name?: string },
): Promise<NewKey> {
  const passphrase = name === undefined ? undefined : await newPassphrase(name, context);
  const { key, bytes } = await createKeyFile({
    role,
    createdAt: context.io.clock.now(),
    ...(passphrase === undefined ? {} : { passphrase }),
  });
  return { key, bytes, path: join(folder, `${role}-${key.keyId.slice(0, 12)}.json`) };
}
