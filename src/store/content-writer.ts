import type { FileHandle } from 'node:fs/promises';
import { mkdir, rename, unlink } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Digest } from '../oci/digest.ts';
import type { ContentCheck } from '../resolve/blob-check.ts';
import type { ContentWriter } from '../resolve/blob-ports.ts';
import type { FileStamp } from './content-index.ts';

/** The temporary file of a `DiskContentWriter`, and what it is to become. */
export interface DiskContentWriterOptions {
  readonly temporaryPath: string;
  readonly finalPath: string;
  readonly digest: Digest;
  readonly size: number;
  /** Called once when the disk fails. */
  readonly onFailed: () => void;
  /** Called when the content has come to its place. */
  readonly onCommitted: (stamp: FileStamp) => void;
}

/** Writes content to a temporary file, and renames it into place when it is complete, right, and safely on the disk. */
export class DiskContentWriter implements ContentWriter {
  readonly #handle: FileHandle;
  readonly #options: DiskContentWriterOptions;
  #isStoring = true;
  #storedBytes = 0;
  #isCommitted = false;
  #closing: Promise<void> | undefined;

  constructor(handle: FileHandle, options: DiskContentWriterOptions) {
    this.#handle = handle;
    this.#options = options;
  }

  get isStoring(): boolean {
    return this.#isStoring;
  }

  get storedBytes(): number {
    return this.#storedBytes;
  }

  async append(chunks: readonly Uint8Array[]): Promise<void> {
    let rest = chunks.filter((chunk) => chunk.length > 0);
    try {
      while (rest.length > 0 && this.#isStoring) {
        const { bytesWritten } = await this.#handle.writev(rest, this.#storedBytes);
        if (bytesWritten === 0) return this.#fail();
        this.#storedBytes += bytesWritten;
        rest = withoutFirst(rest, bytesWritten);
      }
    } catch {
      // Full, read-only, over quota, failing: the reply goes on without the copy, whatever the disk's reason.
      this.#fail();
    }
  }

  async read(buffer: Uint8Array, position: number): Promise<number> {
    const { bytesRead } = await this.#handle.read(buffer, 0, buffer.length, position);
    return bytesRead;
  }

  async commit(check: ContentCheck): Promise<boolean> {
    const { digest, size, temporaryPath, finalPath } = this.#options;
    if (!this.#isStoring || this.#storedBytes !== size) return false;
    if (check.digest !== digest || check.size !== size || !check.conclude()) return false;
    try {
      // Before the rename: after a power cut there must not be the right name on bytes that never arrived.
      await this.#handle.datasync();
      await mkdir(dirname(finalPath), { recursive: true });
      await rename(temporaryPath, finalPath);
      this.#isCommitted = true;
      this.#options.onCommitted(await this.#handle.stat({ bigint: true }));
      return true;
    } catch {
      this.#fail();
      return false;
    }
  }

  async close(): Promise<void> {
    this.#closing ??= this.#close();
    await this.#closing;
  }

  async #close(): Promise<void> {
    this.#isStoring = false;
    // Nothing is lost when closing or removing fails: leftovers go at the next start.
    await this.#handle.close().catch(() => undefined);
    if (!this.#isCommitted) await unlink(this.#options.temporaryPath).catch(() => undefined);
  }

  #fail(): void {
    if (!this.#isStoring) return;
    this.#isStoring = false;
    this.#options.onFailed();
  }
}

/** Stands in for a writer when nothing can be stored. */
export const NO_WRITER: ContentWriter = {
  isStoring: false,
  storedBytes: 0,
  append: () => Promise.resolve(),
  read: () => Promise.resolve(0),
  commit: () => Promise.resolve(false),
  close: () => Promise.resolve(),
};

function withoutFirst(chunks: readonly Uint8Array[], bytes: number): Uint8Array[] {
  let skipped = 0;
  for (const [index, chunk] of chunks.entries()) {
    if (skipped + chunk.length > bytes) {
      return [chunk.subarray(bytes - skipped), ...chunks.slice(index + 1)];
    }
    skipped += chunk.length;
  }
  return [];
}
