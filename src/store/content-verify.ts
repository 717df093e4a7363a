import { constants } from 'node:fs';
import { type FileHandle, lstat, open, unlink } from 'node:fs/promises';
import { createDigestHash, type Digest, digestHex } from '../oci/digest.ts';
import type { FileStamp } from './content-index.ts';

/** What hashing a file showed: `verified` with its stamp, `broken`, or `unreadable` (gone, changing, or stopped). */
export type FileVerdict =
  | { readonly kind: 'verified'; readonly stamp: FileStamp }
  | { readonly kind: 'broken'; readonly stamp: FileStamp }
  | { readonly kind: 'unreadable' };

const BUFFER_BYTES = 1024 * 1024;

/** Opens what is at a path for reading; undefined when there is nothing that can be opened, or a link. */
export async function openUnseen(path: string): Promise<FileHandle | undefined> {
  try {
    // A link could lead anywhere; the store never makes any.
    return await open(path, constants.O_RDONLY | constants.O_NOFOLLOW);
  } catch {
    // Whatever keeps it from being opened, the content is not at hand.
    return undefined;
  }
}

/** Opens a regular file for reading; undefined when there is none that can be opened. */
export async function openForReading(path: string): Promise<FileHandle | undefined> {
  const handle = await openUnseen(path);
  if (handle === undefined) return undefined;
  const stat = await handle.stat().catch(() => undefined);
  if (stat?.isFile() === true) return handle;
  await handle.close();
  return undefined;
}

/** Hashes a whole file, 1 MiB at a time, and compares it with the digest it should have. */
export async function verifyFile(
  path: string,
  digest: Digest,
  isStopped: () => boolean,
): Promise<FileVerdict> {
  const handle = await openForReading(path);
  if (handle === undefined) return { kind: 'unreadable' };
  try {
    const before = await handle.stat({ bigint: true });
    const isRight = await hashesTo(handle, digest, isStopped);
    const stamp = await handle.stat({ bigint: true });
    if (isStopped() || !isSameStamp(before, stamp)) return { kind: 'unreadable' };
    return { kind: isRight ? 'verified' : 'broken', stamp };
  } catch {
    // A read error: nothing can be said of the content.
    return { kind: 'unreadable' };
  } finally {
    await handle.close();
  }
}

/** Removes a broken file, unless another one has come to its place meanwhile. */
export async function removeBroken(path: string, stamp: FileStamp): Promise<void> {
  try {
    const now = await lstat(path, { bigint: true });
    if (now.ino === stamp.ino) await unlink(path);
  } catch {
    // Gone already, or not ours to remove: it is never served in either case.
  }
}

async function hashesTo(
  handle: FileHandle,
  digest: Digest,
  isStopped: () => boolean,
): Promise<boolean> {
  const hash = createDigestHash(digest);
  const buffer = Buffer.allocUnsafeSlow(BUFFER_BYTES);
  let position = 0;
  while (!isStopped()) {
    const { bytesRead } = await handle.read(buffer, 0, BUFFER_BYTES, position);
    if (bytesRead === 0) break;
    hash.update(buffer.subarray(0, bytesRead));
    position += bytesRead;
  }
  return hash.digest('hex') === digestHex(digest);
}

function isSameStamp(one: FileStamp, other: FileStamp): boolean {
  return one.size === other.size && one.mtimeNs === other.mtimeNs && one.ino === other.ino;
}
