import { constants } from 'node:fs';
import { type FileHandle, open, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { TrustServerReason } from '../base/reason-code.ts';
import { TrustServerError } from '../metadata/errors.ts';
import type { MetadataFetchOptions, MetadataSource } from '../metadata/ports.ts';
import { TrustError } from '../trust/errors.ts';

/** Role names come percent-encoded, so that no name leads out of the folder. */
const FILE = /^(?:[A-Za-z0-9_.~-]|%[0-9A-F]{2}){1,1200}\.json$/;

/**
 * Reads a TUF 1.0 repository that lies in a folder of this machine, all files side by side. It is as good as a server where
 * there is none: whoever fills the folder is not believed more than the signatures in it.
 */
export class FolderMetadataSource implements MetadataSource {
  readonly #folder: string;

  /** @param folder - an absolute path; it is looked at with every fetch and may come and go */
  constructor(folder: string) {
    this.#folder = folder;
  }

  /**
   * @throws {TrustServerError} `trust_server_unreachable` when the folder is not there or cannot be read,
   * `trust_server_unauthorized` when it may not be read, `trust_server_error` when what has the name is no file
   * @throws {TrustError} `length_exceeded`; `malformed` for a file name that no metadata may lead to
   */
  async fetch(
    _gun: string,
    file: string,
    { maxBytes, signal }: MetadataFetchOptions,
  ): Promise<Uint8Array | undefined> {
    signal?.throwIfAborted();
    if (!FILE.test(file)) {
      throw new TrustError('malformed', 'metadata leads to a file whose name is not allowed');
    }
    try {
      return await this.#read(file, maxBytes);
    } catch (error) {
      if (codeOf(error) !== 'ENOENT') throw this.#failure(error);
      await this.#requireFolder();
      return undefined;
    }
  }

  async close(): Promise<void> {}

  async #read(file: string, maxBytes: number): Promise<Uint8Array> {
    // Opening a named pipe would otherwise wait for a writer.
    const handle = await open(join(this.#folder, file), constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      const { size } = await requireFile(handle, file);
      if (size > maxBytes) throw tooLong(file, maxBytes);
      // One byte more, because the file may grow while it is read.
      const buffer = Buffer.alloc(size + 1);
      const { bytesRead } = await handle.read(buffer, 0, buffer.length, 0);
      if (bytesRead > maxBytes) throw tooLong(file, maxBytes);
      return buffer.subarray(0, bytesRead);
    } finally {
      await handle.close();
    }
  }

  /** A folder that is not mounted must not look like a repository that has nothing. */
  async #requireFolder(): Promise<void> {
    try {
      await stat(this.#folder);
    } catch (error) {
      throw this.#failure(error);
    }
  }

  #failure(error: unknown): unknown {
    const code = codeOf(error);
    if (code === undefined) return error;
    const isForbidden = code === 'EACCES' || code === 'EPERM';
    const reason: TrustServerReason = isForbidden
      ? 'trust_server_unauthorized'
      : 'trust_server_unreachable';
    const message = `the folder ${this.#folder} with the metadata cannot be read (${code})`;
    return new TrustServerError(reason, message, {
      detail: { folder: this.#folder, systemCode: code },
      cause: error,
    });
  }
}

async function requireFile(handle: FileHandle, file: string): Promise<{ readonly size: number }> {
  const found = await handle.stat();
  if (found.isFile()) return found;
  throw new TrustServerError('trust_server_error', `${file} is not a file`, { detail: { file } });
}

function tooLong(file: string, maxBytes: number): TrustError {
  return new TrustError('length_exceeded', `${file} is longer than the ${maxBytes} bytes allowed`, {
    detail: { maxBytes },
  });
}

/** The operating system's code, for errors that have one. */
function codeOf(error: unknown): string | undefined {
  const hasCode = error instanceof Error && 'code' in error && 'syscall' in error;
  return hasCode && typeof error.code === 'string' ? error.code : undefined;
}
