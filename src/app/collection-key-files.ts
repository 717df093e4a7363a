import { readKeyFileAt, writeKeyFile as write } from '../store/collection-keys.ts';

/** Writes a new key file, readable by its owner only. @throws {SigningError} `key_exists`; nothing is ever overwritten */
export async function writeKeyFile(path: string, bytes: Uint8Array): Promise<void> {
  await write(path, bytes);
}

/** Reads a key file or the file of a public key. @throws {SigningError} `key_missing`, `key_unreadable` */
export async function readKeyFileBytes(path: string): Promise<Uint8Array> {
  return await readKeyFileAt(path);
}
