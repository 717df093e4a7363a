import type { Writable } from 'node:stream';
import type { BufferPool } from './blob-buffers.ts';
import type { StoredContent } from './blob-ports.ts';
import { type SendSource, sendRange } from './blob-sender.ts';
import type { BlobContent, ByteRange, StoredFile } from './ports.ts';

/** A blob that is in the store: verified, any range may be sent. */
export class StoredBlob implements BlobContent {
  readonly isVerified = true;
  readonly size: number;
  readonly #content: StoredContent;
  readonly #buffers: BufferPool;

  constructor(content: StoredContent, buffers: BufferPool) {
    this.size = content.size;
    this.#content = content;
    this.#buffers = buffers;
  }

  get file(): StoredFile | undefined {
    return this.#content.file;
  }

  async send(sink: Writable, range: ByteRange, signal?: AbortSignal): Promise<void> {
    const { bytes } = this.#content;
    if (bytes !== undefined && isOpen(sink) && signal?.aborted !== true) {
      // So little, and shared with all who read it, that nothing is gained by waiting until the sink has room.
      sink.write(bytes.subarray(range.start, range.end));
      return;
    }
    const source: SendSource = {
      sendable: () => this.size,
      chunkAt: (position) => this.#content.bytes?.subarray(position),
      read: (buffer, position) => this.#content.read(buffer, position),
      changed: () => Promise.resolve(),
      wake: () => undefined,
      advanced: () => undefined,
    };
    await sendRange(source, sink, { range, buffers: this.#buffers, signal });
  }

  close(): void {
    this.#content.close();
  }
}

function isOpen(sink: Writable): boolean {
  return !sink.destroyed && !sink.writableEnded;
}
