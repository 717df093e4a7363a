import type { ByteBudget } from './byte-budget.ts';

/** Below this many bytes a chunk is copied behind its neighbour, so that tiny chunks cannot multiply the memory held. */
const SMALL_CHUNK_BYTES = 4096;
const SLAB_BYTES = 64 * 1024;

interface Piece {
  readonly start: number;
  readonly bytes: Uint8Array;
}

/** The part of arriving content that is in memory: consecutive bytes from `start` to `end`. */
export class BlobWindow {
  readonly #budget: ByteBudget;
  #pieces: Piece[] = [];
  #end = 0;
  /** Where small chunks are collected; its used part is the last piece. */
  #slab: { readonly bytes: Uint8Array; used: number } | undefined;

  constructor(budget: ByteBudget) {
    this.#budget = budget;
  }

  /** Position of the first byte held; equal to `end` when nothing is. */
  get start(): number {
    return this.#pieces[0]?.start ?? this.#end;
  }

  /** Position behind the last byte. */
  get end(): number {
    return this.#end;
  }

  /** Adds bytes at the end. The caller must not change them afterwards. */
  push(chunk: Uint8Array): void {
    if (chunk.length === 0) return;
    if (chunk.length < SMALL_CHUNK_BYTES) this.#pushCopy(chunk);
    else {
      this.#slab = undefined;
      this.#pieces.push({ start: this.#end, bytes: chunk });
    }
    this.#end += chunk.length;
    this.#budget.take(chunk.length);
  }

  /** Bytes from `position` on, as many as lie together in memory; undefined when that position is not held. */
  chunkAt(position: number): Uint8Array | undefined {
    const piece = this.#pieces[this.#indexOf(position)];
    return piece?.bytes.subarray(position - piece.start);
  }

  /** At most `maxChunks` chunks from `position` on, in order; none when that position is not held. */
  chunksFrom(position: number, maxChunks: number): readonly Uint8Array[] {
    const first = this.chunkAt(position);
    if (first === undefined) return [];
    const index = this.#indexOf(position);
    const rest = this.#pieces.slice(index + 1, index + maxChunks);
    return [first, ...rest.map((piece) => piece.bytes)];
  }

  /** Lets go of what lies before `position`, as far as memory can be freed piece by piece. */
  trimTo(position: number): void {
    let count = 0;
    for (const piece of this.#pieces) {
      if (piece.start + piece.bytes.length > position) break;
      count += 1;
    }
    if (count === 0) return;
    const before = this.start;
    this.#pieces = this.#pieces.slice(count);
    if (this.#pieces.length === 0) this.#slab = undefined;
    this.#budget.giveBack(this.start - before);
  }

  #pushCopy(chunk: Uint8Array): void {
    const slab = this.#slab;
    const last = this.#pieces.at(-1);
    if (slab !== undefined && last !== undefined && slab.used + chunk.length <= SLAB_BYTES) {
      slab.bytes.set(chunk, slab.used);
      slab.used += chunk.length;
      this.#pieces[this.#pieces.length - 1] = {
        start: last.start,
        bytes: slab.bytes.subarray(0, slab.used),
      };
      return;
    }
    const bytes = new Uint8Array(SLAB_BYTES);
    bytes.set(chunk);
    this.#slab = { bytes, used: chunk.length };
    this.#pieces.push({ start: this.#end, bytes: bytes.subarray(0, chunk.length) });
  }

  /** Index of the piece that holds `position`, -1 if none does. */
  #indexOf(position: number): number {
    let low = 0;
    let high = this.#pieces.length - 1;
    while (low <= high) {
      const middle = (low + high) >> 1;
      const piece = this.#pieces[middle];
      if (piece === undefined) return -1;
      if (position < piece.start) high = middle - 1;
      else if (position >= piece.start + piece.bytes.length) low = middle + 1;
      else return middle;
    }
    return -1;
  }
}
