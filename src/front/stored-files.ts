import type { FileHandle } from 'node:fs/promises';
import type { Clock } from '../base/clock.ts';
import { BufferPool } from '../resolve/blob-buffers.ts';
import type { StoredContent } from '../resolve/blob-ports.ts';
import { StoredBlob } from '../resolve/blob-stored.ts';
import type { ByteBudget } from '../resolve/byte-budget.ts';
import type { StoredFile } from '../resolve/ports.ts';
import { ContentLayout } from '../store/content-layout.ts';
import { openUnseen } from '../store/content-verify.ts';
import { type OpenFile, OpenFiles } from '../store/open-files.ts';

/** What a `StoredFiles` works with. */
export interface StoredFilesOptions {
  /** The folder of the core's store. */
  readonly folder: string;
  /** The memory for what is being sent. */
  readonly budget: ByteBudget;
  readonly clock: Clock;
}

/** How many files stay open that nobody reads. */
const IDLE_FILES = 64;

/** The core's content store, as fronts read it. */
export class StoredFiles {
  readonly #layout: ContentLayout;
  readonly #buffers: BufferPool;
  readonly #open: OpenFiles;

  constructor({ folder, budget, clock }: StoredFilesOptions) {
    this.#layout = new ContentLayout(folder);
    this.#buffers = new BufferPool(budget);
    this.#open = new OpenFiles({ maxIdle: IDLE_FILES, clock });
  }

  /** Opens the very file that the core has verified; undefined when another one, or none, has its place now. */
  async open(stored: StoredFile): Promise<StoredBlob | undefined> {
    const kept = this.#open.take(stored.digest);
    const file = await this.#ifSame(kept, stored);
    if (file !== undefined) return new StoredBlob(contentOf(file, stored), this.#buffers);
    // One that was kept open may have been replaced since, and been verified anew.
    const opened = await this.#ifSame(await this.#openFile(stored), stored);
    return opened && new StoredBlob(contentOf(opened, stored), this.#buffers);
  }

  async #openFile({ digest }: StoredFile): Promise<OpenFile | undefined> {
    const handle = await openUnseen(this.#layout.pathOf(digest));
    return handle && this.#open.add(digest, handle);
  }

  /** Without this, whatever somebody has put in the place of a verified file would be sent. */
  async #ifSame(file: OpenFile | undefined, stored: StoredFile): Promise<OpenFile | undefined> {
    if (file === undefined || (await isSame(file.handle, stored))) return file;
    this.#open.drop(stored.digest);
    file.release();
    return undefined;
  }
}

async function isSame(handle: FileHandle, stored: StoredFile): Promise<boolean> {
  try {
    const { size, mtimeNs, ino, nlink } = await handle.stat({ bigint: true });
    // Without links it was removed from its place while it was open.
    if (nlink === 0n) return false;
    return size === stored.size && mtimeNs === stored.mtimeNs && ino === stored.ino;
  } catch {
    // What cannot be looked at is not what was verified.
    return false;
  }
}

function contentOf({ handle, release }: OpenFile, { size }: StoredFile): StoredContent {
  return {
    size: Number(size),
    async read(buffer, position) {
      const { bytesRead } = await handle.read(buffer, 0, buffer.length, position);
      return bytesRead;
    },
    close: release,
  };
}
