import { collectionFolder, keysFolder } from '../app/collection-desk.ts';
import { readKeyFileBytes, writeKeyFile } from '../app/collection-key-files.ts';
import { openBeginning } from '../signing/beginning.ts';
import { discardPending, openCollection } from '../signing/collection.ts';
import { SigningError } from '../signing/errors.ts';
import { readPublicKey } from '../signing/key-file.ts';
import { addSigner, changeKeys, extend, keysOf, removeSigner } from '../signing/signers.ts';
import type { PublicKey } from '../signing/signing-key.ts';
import { plain, shortKeyId } from '../signing/words.ts';
import {
  beginningOf,
  type CommandContext,
  changeCollection,
  changeOf,
  signAndConclude,
} from './collection-change.ts';
import { newKeyFile } from './collection-first-keys.ts';
import { type CollectionOptions, confirm } from './collection-io.ts';
import { EXIT } from './exit-codes.ts';

/** What `collection add-signer` works with. */
export interface AddSignerOptions extends CollectionOptions {
  readonly prefix: readonly string[];
  /** Files with public keys. */
  readonly pub: readonly string[];
  readonly threshold: number;
}

/** What `collection rotate-key` works with. */
export interface RotateKeyOptions extends CollectionOptions {
  /** Files with public keys to be added. */
  readonly add?: readonly string[];
  /** Beginnings of the IDs of keys to be removed. */
  readonly remove?: readonly string[];
  readonly threshold?: number;
  /** Where new key files go; default `keys` in the collection's folder. */
  readonly newKeys?: string;
}

/** Hands a part of the images to a team. @throws {SigningError} */
export async function addTeam(
  name: string,
  context: CommandContext<AddSignerOptions>,
): Promise<number> {
  const { prefix, pub, threshold } = context.options;
  const keys = await Promise.all(pub.map(readPublic));
  return await changeCollection(context, (open, now) =>
    addSigner({ open, now }, { name, prefixes: prefix, keys, threshold }),
  );
}

/** Takes a team's right to sign back. @throws {SigningError} */
export async function removeTeam(name: string, context: CommandContext): Promise<number> {
  return await changeCollection(context, (open, now) => removeSigner({ open, now }, name));
}

/** Signs the same content for longer. @throws {SigningError} */
export async function extendRole(role: string, context: CommandContext): Promise<number> {
  return await changeCollection(context, (open, now) => extend({ open, now }, role));
}

/**
 * Gives a role other keys: those named, or as many new ones as it has.
 *
 * @throws {SigningError}
 */
export async function rotateKey(
  role: string,
  context: CommandContext<RotateKeyOptions>,
): Promise<number> {
  const { add = [], remove = [], threshold } = context.options;
  const isExplicit = add.length > 0 || remove.length > 0 || threshold !== undefined;
  const given = await Promise.all(add.map(readPublic));
  return await changeCollection(context, async (open, now) => {
    const old = [...keysOf(open, role).keys()];
    const change = isExplicit
      ? { add: given, remove }
      : { add: await replacements(role, old, context), remove: old };
    const limit = threshold === undefined ? {} : { threshold };
    return changeKeys({ open, now }, { role, ...change, ...limit });
  });
}

/** Adds this holder's signatures to what waits for them. @throws {SigningError} `nothing_pending` and others */
export async function signPending(context: CommandContext): Promise<number> {
  const { options, io } = context;
  const folder = collectionFolder(options.dir, io.clock);
  const beginning = await openBeginning(folder);
  if (beginning !== undefined) {
    return await signAndConclude(context, beginningOf(beginning), beginning.draft);
  }
  const open = await openCollection(folder);
  if (open.pending.size === 0) {
    throw new SigningError('nothing_pending', 'nothing waits for signatures');
  }
  return await signAndConclude(context, changeOf(open), open.pending);
}

/** Forgets what waits for signatures. @throws {SigningError} `nothing_pending` and others */
export async function discardChange(context: CommandContext): Promise<number> {
  const { options, io } = context;
  await confirm('Discard the change that waits, with the signatures it has?', context);
  const names = await discardPending(collectionFolder(options.dir, io.clock));
  io.stdout.write(`Discarded ${names.map(plain).join(', ')}\n`);
  return EXIT.ok;
}

/** New keys for a role, written before anything is signed: a key that is in use and lost would be worse than one too many. */
async function replacements(
  role: string,
  old: readonly string[],
  context: CommandContext<RotateKeyOptions>,
): Promise<readonly PublicKey[]> {
  const { options, io } = context;
  const isOnline = role === 'snapshot' || role === 'timestamp';
  const folder = options.newKeys ?? keysFolder(options.dir);
  const made: PublicKey[] = [];
  for (let index = 1; index <= old.length; index += 1) {
    const name =
      old.length === 1 ? `the new ${role} key` : `new ${role} key ${index} of ${old.length}`;
    const file = await newKeyFile(context, { role, folder, ...(isOnline ? {} : { name }) });
    await writeKeyFile(file.path, file.bytes);
    io.stdout.write(`Made ${role} key ${shortKeyId(file.key.keyId)} in ${file.path}\n`);
    made.push(file.key.publicKey);
  }
  return made;
}

async function readPublic(path: string): Promise<PublicKey> {
  return readPublicKey(await readKeyFileBytes(path));
}
