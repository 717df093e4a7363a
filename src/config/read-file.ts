import { open } from 'node:fs/promises';

/** Reads a file whole, or its first `maxBytes + 1` bytes when it is longer than `maxBytes`. */
export type ReadFile = (path: string, maxBytes: number) => Promise<Uint8Array>;

/** The content of a file, or why it cannot be had, in words. */
export type FileContent =
  | { readonly ok: true; readonly bytes: Uint8Array }
  | { readonly ok: false; readonly problem: string };

/** Reads from disk and never more than one byte over the limit, devices and growing files included. */
export const readFromDisk: ReadFile = async (path, maxBytes) => {
  const handle = await open(path, 'r');
  try {
    const buffer = Buffer.alloc(maxBytes + 1);
    let length = 0;
    while (length < buffer.length) {
      const { bytesRead } = await handle.read(buffer, length, buffer.length - length, null);
      if (bytesRead === 0) break;
      length += bytesRead;
    }
    return buffer.subarray(0, length);
  } finally {
    await handle.close();
  }
};

/** Reads a file of at most `maxBytes`; failures are values with a sentence for people. */
export async function readLimited(
  read: ReadFile,
  path: string,
  maxBytes: number,
): Promise<FileContent> {
  try {
    const bytes = await read(path, maxBytes);
    if (bytes.length > maxBytes) {
      return { ok: false, problem: `is larger than ${maxBytes} bytes` };
    }
    return { ok: true, bytes };
  } catch (error) {
    return { ok: false, problem: describeFailure(error) };
  }
}

function describeFailure(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
  if (code === 'ENOENT' || code === 'ENOTDIR') return 'does not exist';
  if (code === 'EACCES' || code === 'EPERM') return 'may not be read by the user Pinnace runs as';
  if (code === 'EISDIR') return 'is a folder, not a file';
  return `cannot be read (${code})`;
}
