import type { FileHandle } from 'node:fs/promises';
import { BufferPool } from '../resolve/blob-buffers.ts';
import type { StoredContent } from '../resolve/blob-ports.ts';
import { StoredBlob } from '../resolve/blob-stored.ts';
import type { ByteBudget } from '../resolve/byte-budget.ts';
import type { StoredFile } from '../resolve/ports.ts';
import { ContentLayout } from '../store/content-layout.ts';
import { openForReading } from '../store/content-verify.ts';

/** The core's content store, as fronts read it. */
export class StoredFiles {
  readonly #layout: ContentLayout;
  readonly #buffers: BufferPool;

  /**
   * @param folder - that of the store
   * @param budget - the memory for what is being sent
   */
  constructor(folder: string, budget: ByteBudget) {
    this.#layout = new ContentLayout(folder);
    this.#buffers = new BufferPool(budget);
  }

  /** Opens the very file that the core has verified; undefined when another one, or none, has its place now. */
  async open(stored: StoredFile): Promise<StoredBlob | undefined> {
    const handle = await openForReading(this.#layout.pathOf(stored.digest));
    if (handle === undefined) return undefined;
    if (await isSame(handle, stored)) {
      return new StoredBlob(new ContentOfHandle(handle, Number(stored.size)), this.#buffers);
    }
    await handle.close();
    return undefined;
  }
}

/** Without this, whatever somebody has put in the place of a verified file would be sent. */
async function isSame(handle: FileHandle, stored: StoredFile): Promise<boolean> {
  try {
    const { size, mtimeNs, ino } = await handle.stat({ bigint: true });
    return size === stored.size && mtimeNs === stored.mtimeNs && ino === stored.ino;
  } catch {
    // What cannot be looked at is not what was verified.
    return false;
  }
}

class ContentOfHandle implements StoredContent {
  readonly size: number;
  readonly #handle: FileHandle;

  constructor(handle: FileHandle, size: number) {
    this.#handle = handle;
    this.size = size;
  }

  async read(buffer: Uint8Array, position: number): Promise<number> {
    const { bytesRead } = await this.#handle.read(buffer, 0, buffer.length, position);
    return bytesRead;
  }

  close(): void {
    // A descriptor of a file that was only read: closing it cannot lose anything.
    this.#handle.close().catch(() => undefined);
  }
}
