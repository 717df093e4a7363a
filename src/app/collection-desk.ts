import { join } from 'node:path';
import type { Clock } from '../base/clock.ts';
import { SigningError } from '../signing/errors.ts';
import { readKeyFile } from '../signing/key-file.ts';
import { type AskPassphrase, KeyRing } from '../signing/key-ring.ts';
import { DiskCollectionFolder } from '../store/collection-folder.ts';
import { findKeyFiles } from '../store/collection-keys.ts';

/** The folder of a collection on this machine. */
export function collectionFolder(dir: string, clock: Clock): DiskCollectionFolder {
  return new DiskCollectionFolder(dir, { clock });
}

/** Where a collection's keys are unless they are kept elsewhere. */
export function keysFolder(dir: string): string {
  return join(dir, 'keys');
}

/**
 * The keys at hand: those of the collection's own folder, or the given ones and of the folder only those that need no
 * passphrase, which are the online keys.
 *
 * @throws {SigningError} `key_missing`
 */
export async function keyRingOf(
  dir: string,
  paths: readonly string[],
  { ask, attempts }: { readonly ask: AskPassphrase; readonly attempts: number },
): Promise<KeyRing> {
  const given = await findKeyFiles(paths);
  const own = await findKeyFiles([], keysFolder(dir));
  const others = paths.length === 0 ? own : own.filter(({ bytes }) => !isEncrypted(bytes));
  return new KeyRing([...given, ...others], ask, attempts);
}

/** Files that are no key files are left in: the ring says what is wrong with them. */
function isEncrypted(bytes: Uint8Array): boolean {
  try {
    return readKeyFile(bytes).isEncrypted;
  } catch (error) {
    if (error instanceof SigningError) return false;
    throw error;
  }
}
