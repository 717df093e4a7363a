import type { Writable } from 'node:stream';
import type { BufferPool } from './blob-buffers.ts';
import { BlobSendError } from './blob-errors.ts';
import { SinkGate } from './blob-sink.ts';
import type { ByteRange } from './ports.ts';

/** Where `sendRange` takes bytes from: content that is all there, or still arriving. */
export interface SendSource {
  /** Position behind the last byte that may be sent now. @throws what ended the content early */
  sendable(): number;
  /** Bytes from `position` on that are in memory and will not change; undefined when they have to be read. */
  chunkAt(position: number): Uint8Array | undefined;
  /** Reads bytes into `buffer` and gives back how many. */
  read(buffer: Uint8Array, position: number): Promise<number>;
  /** Resolves when `sendable` may have changed, or `wake` was called. */
  changed(): Promise<void>;
  wake(): void;
  /** Told that everything before `position` has been handed over. */
  advanced(position: number): void;
}

/** What `sendRange` needs besides source and sink. */
export interface SendOptions {
  readonly range: ByteRange;
  readonly buffers: BufferPool;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Sends a range of `source` to `sink` at the sink's pace, waiting for bytes that are still to come; never ends the sink.
 *
 * @throws {BlobSendError} `client_gone`, `content_lost`
 * @throws {PullError} `overloaded` when there is no memory for it; nothing has been sent then
 * @throws what `source.sendable` throws, or the signal's reason
 */
export async function sendRange(
  source: SendSource,
  sink: Writable,
  options: SendOptions,
): Promise<void> {
  const gate = new SinkGate(sink, options.signal, () => source.wake());
  try {
    let position = options.range.start;
    while (position < options.range.end) {
      gate.requireOpen();
      const limit = Math.min(source.sendable(), options.range.end);
      if (limit <= position) {
        await source.changed();
        continue;
      }
      const chunk = source.chunkAt(position)?.subarray(0, limit - position);
      if (chunk === undefined) {
        position = await sendFromFile(source, gate, { start: position, end: limit, options });
      } else {
        position += chunk.length;
        await offerHeld(gate, chunk, options.buffers);
        source.advanced(position);
      }
    }
  } finally {
    gate.release();
  }
}

/** The sink holds the chunk until it wants more, whoever else has let go of it. */
async function offerHeld(gate: SinkGate, chunk: Uint8Array, buffers: BufferPool): Promise<void> {
  const { length } = chunk;
  buffers.held(length);
  try {
    if (!buffers.turns.tryNow(length)) await buffers.turns.next(length);
    await gate.offer(chunk);
  } finally {
    buffers.taken(length);
  }
}

interface FileStretch extends ByteRange {
  readonly options: SendOptions;
}

/** Sends what has to be read, until memory can take over or the stretch ends; gives back the position reached. */
async function sendFromFile(
  source: SendSource,
  gate: SinkGate,
  stretch: FileStretch,
): Promise<number> {
  const { buffers, range, signal } = stretch.options;
  const length = stretch.end - stretch.start;
  // What has begun goes on: engines take a break for a failure, and its place is paid for.
  const buffer =
    stretch.start === range.start ? await buffers.lendInTurn(length, signal) : buffers.lend(length);
  let isInUse = false;
  let position = stretch.start;
  try {
    while (position < stretch.end) {
      const wanted = Math.min(buffer.length, stretch.end - position);
      const count = await readSome(source, buffer.subarray(0, wanted), position);
      if (!buffers.turns.tryNow(count)) await buffers.turns.next(count);
      isInUse = true;
      await gate.consume(buffer.subarray(0, count));
      isInUse = false;
      position += count;
      source.advanced(position);
      if (source.chunkAt(position) !== undefined || buffers.isTooLarge(buffer)) break;
    }
    return position;
  } finally {
    // A sink that was cut off may still hold the bytes in a queue: another client's bytes must not get into it.
    if (isInUse) buffers.lost(buffer);
    else buffers.giveBack(buffer);
  }
}

/** @throws {BlobSendError} `content_lost` when the disk fails or the file was cut short behind our back */
async function readSome(source: SendSource, buffer: Uint8Array, position: number): Promise<number> {
  let cause: unknown;
  try {
    const count = await source.read(buffer, position);
    if (count > 0) return count;
  } catch (error) {
    cause = error;
  }
  // The file of a download that has failed is closed at once: then that failure is the reason.
  source.sendable();
  throw new BlobSendError('content_lost', 'stored content cannot be read', { cause });
}
