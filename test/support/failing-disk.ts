import { type FileHandle, open } from 'node:fs/promises';

/** Opens temporary files on a disk that has room for `bytes` bytes in each of them. */
export function diskWithRoomFor(bytes: number): (path: string) => Promise<FileHandle> {
  return async (path) => {
    const handle = await open(path, 'wx+', 0o600);
    handle.writev = async (buffers, position) => {
      let room = bytes - (position ?? 0);
      if (room <= 0) throw Object.assign(new Error('no space left'), { code: 'ENOSPC' });
      let bytesWritten = 0;
      for (const buffer of buffers) {
        const length = Math.min(room, buffer.byteLength);
        await handle.write(buffer, 0, length, (position ?? 0) + bytesWritten);
        bytesWritten += length;
        room -= length;
        if (room === 0) break;
      }
      return { bytesWritten, buffers };
    };
    return handle;
  };
}

/** A disk on which no file can be made. */
export function noDisk(): Promise<FileHandle> {
  return Promise.reject(Object.assign(new Error('read-only'), { code: 'EROFS' }));
}
