import { randomUUID } from 'node:crypto';
import { mkdir, open, readFile, rename, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { SigningError } from '../signing/errors.ts';

const MAX_FILE_BYTES = 32 * 1024 * 1024;

/** A folder that a web server or an air-gapped site takes the metadata from. */
export class PublishFolder {
  readonly name: string;

  constructor(folder: string) {
    this.name = folder;
  }

  /** One file as it is there now, or undefined. */
  async read(file: string): Promise<Uint8Array | undefined> {
    const path = join(this.name, file);
    try {
      const { size } = await stat(path);
      if (size > MAX_FILE_BYTES) {
        throw new SigningError('published_differs', `${path} is too large to be metadata`);
      }
      return await readFile(path);
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
      throw error;
    }
  }

  /** Puts one file there, whole or not at all. */
  async write(file: string, bytes: Uint8Array): Promise<void> {
    await mkdir(this.name, { recursive: true });
    const temporary = join(this.name, `.${randomUUID()}`);
    const handle = await open(temporary, 'wx', 0o644);
    try {
      await handle.writeFile(bytes);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temporary, join(this.name, file));
  }
}
