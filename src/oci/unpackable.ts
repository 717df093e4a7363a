/** How much of some content `isUnpackable` looks at, in bytes: one block of a tar archive. */
export const UNPACKABLE_BYTES = 512;

/** The first bytes of every compression that engines undo before they unpack. */
const MAGIC: readonly (readonly number[])[] = [
  [0x1f, 0x8b], // gzip
  [0x28, 0xb5, 0x2f, 0xfd], // zstd
  [0x42, 0x5a, 0x68], // bzip2
  [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00], // xz
];
/** Zstd may begin with frames to be skipped: 0x184d2a50 to 0x184d2a5f, the lowest byte first. */
const SKIPPABLE_TAIL: readonly number[] = [0x2a, 0x4d, 0x18];
const CHECKSUM_START = 148;
const CHECKSUM_END = 156;
const SPACE = 0x20;

/**
 * Says whether an engine could unpack content as a layer, whatever media type it is sent under: older engines do not look at
 * that. They undo compression by its first bytes, and unpack as tar what has a valid first header, or ends with zeros there.
 *
 * @param start - the first `UNPACKABLE_BYTES` of the content, or all of it if it is shorter
 * @source moby: pkg/archive (DetectCompression); containers/storage: pkg/archive; Go: archive/tar (readHeader)
 */
export function isUnpackable(start: Uint8Array): boolean {
  if (start.length === 0 || MAGIC.some((magic) => beginsWith(start, magic, 0))) return true;
  const isSkippable = ((start[0] ?? 0) & 0xf0) === 0x50 && beginsWith(start, SKIPPABLE_TAIL, 1);
  if (isSkippable) return true;
  // Anything shorter than a block ends before its first header does, and is an error for whoever unpacks it.
  return start.length >= UNPACKABLE_BYTES && isTarBlock(start.subarray(0, UNPACKABLE_BYTES));
}

function beginsWith(bytes: Uint8Array, magic: readonly number[], at: number): boolean {
  return magic.every((byte, index) => bytes[at + index] === byte);
}

function isTarBlock(block: Uint8Array): boolean {
  if (block.every((byte) => byte === 0)) return true;
  const stated = statedChecksum(block.subarray(CHECKSUM_START, CHECKSUM_END));
  const [unsigned, signed] = checksums(block);
  return stated === unsigned || stated === signed;
}

/** The sum of all bytes, those of the checksum itself taken for spaces; some old programs took bytes for signed. */
function checksums(block: Uint8Array): readonly [unsigned: number, signed: number] {
  let [unsigned, signed] = [0, 0];
  for (const [index, value] of block.entries()) {
    const byte = index >= CHECKSUM_START && index < CHECKSUM_END ? SPACE : value;
    unsigned += byte;
    signed += byte > 127 ? byte - 256 : byte;
  }
  return [unsigned, signed];
}

/** Octal digits among spaces and zeros, or a binary number marked by the highest bit. */
function statedChecksum(field: Uint8Array): number | undefined {
  const [first = 0, ...rest] = field;
  if ((first & 0x80) !== 0) {
    return rest.reduce((number, byte) => number * 256 + byte, first & 0x7f);
  }
  const text = String.fromCharCode(...field).replaceAll('\0', ' ');
  const digits = text.trim().split(' ', 1)[0] ?? '';
  return /^[0-7]{1,8}$/.test(digits) ? Number.parseInt(digits, 8) : undefined;
}
