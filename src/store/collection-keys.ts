import { type FileHandle, mkdir, open, readdir, readFile, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { SigningError } from '../signing/errors.ts';
import type { FoundKeyFile } from '../signing/ports.ts';

const MAX_KEY_FILE_BYTES = 64 * 1024;
const MAX_KEY_FILES = 1024;

/**
 * Finds key files: each path is a file, or a folder whose `.json` files are meant. Private keys stay closed.
 *
 * @param optional - a folder that need not be there
 * @throws {SigningError} `key_missing` when one of the other paths is not there
 */
export async function findKeyFiles(
  paths: readonly string[],
  optional?: string,
): Promise<readonly FoundKeyFile[]> {
  const found: FoundKeyFile[] = [];
  for (const path of [...paths, ...(optional === undefined ? [] : [optional])]) {
    for (const file of await expand(path, path === optional)) {
      if (found.length >= MAX_KEY_FILES) return found;
      found.push({ path: file, bytes: await readKeyFileAt(file) });
    }
  }
  return found;
}

/**
 * Writes a new key file, readable by its owner only.
 *
 * @throws {SigningError} `key_exists`; nothing is ever overwritten
 */
export async function writeKeyFile(path: string, bytes: Uint8Array): Promise<void> {
  const folder = dirname(path);
  await mkdir(dirname(folder), { recursive: true });
  // Only the folder of the keys is closed to others: a web server may have to get at the metadata beside it.
  await mkdir(folder, { recursive: true, mode: 0o700 });
  let handle: FileHandle;
  try {
    handle = await open(path, 'wx', 0o600);
  } catch (error) {
    if (!hasCode(error, 'EEXIST')) throw error;
    throw new SigningError('key_exists', `${path} is there already; no key file is overwritten`);
  }
  try {
    await handle.writeFile(bytes);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Reads one key file. @throws {SigningError} `key_missing`, `key_unreadable` */
export async function readKeyFileAt(path: string): Promise<Uint8Array> {
  try {
    const { size } = await stat(path);
    if (size > MAX_KEY_FILE_BYTES) {
      throw new SigningError('key_unreadable', `${path} is too large to be a key file`);
    }
    return await readFile(path);
  } catch (error) {
    if (!hasCode(error, 'ENOENT')) throw error;
    throw new SigningError('key_missing', `there is no key file ${path}`);
  }
}

async function expand(path: string, isOptional: boolean): Promise<readonly string[]> {
  try {
    const names = await readdir(path);
    return names
      .filter((name) => name.endsWith('.json'))
      .sort()
      .map((name) => join(path, name));
  } catch (error) {
    if (hasCode(error, 'ENOTDIR')) return [path];
    if (!hasCode(error, 'ENOENT')) throw error;
    if (isOptional) return [];
    throw new SigningError('key_missing', `there is no key file or folder ${path}`);
  }
}

function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}
