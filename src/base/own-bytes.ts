/**
 * A copy in memory of its own, for bytes that are kept. A small `Buffer` is a piece of a 64 KiB block that it shares with
 * whatever was made before and after it, and keeps all of that in memory for as long as it is kept itself.
 *
 * @source Node.js (buffer.html#bufferpoolsize)
 */
export function ownBytes(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(bytes);
}

/** The same for several pieces in a row. @param total - bytes of all pieces */
export function joinedBytes(pieces: readonly Uint8Array[], total: number): Uint8Array {
  const joined = new Uint8Array(total);
  let position = 0;
  for (const piece of pieces) {
    joined.set(piece, position);
    position += piece.length;
  }
  return joined;
}
