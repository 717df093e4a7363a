/** Half-open range of bytes: `start` is included, `end` is not. */
export interface ParsedRange {
  readonly start: number;
  readonly end: number;
}

const SINGLE = /^bytes=[ \t]*([0-9]*)-([0-9]*)[ \t]*$/i;
const MAX_HEADER_LENGTH = 100;

/**
 * Reads a `Range` header for content of `size` bytes. Several ranges, other units and malformed headers are ignored,
 * as a server may; the answer to them is the whole content.
 *
 * @source RFC 9110 §14.1.2, §14.2
 */
export function parseRange(
  header: string | undefined,
  size: number,
): ParsedRange | 'whole' | 'unsatisfiable' {
  if (header === undefined || header.length > MAX_HEADER_LENGTH) return 'whole';
  const match = SINGLE.exec(header);
  if (match === null) return 'whole';
  const [, first = '', last = ''] = match;
  if (first === '') return last === '' ? 'whole' : suffix(Number(last), size);
  const start = Number(first);
  if (last !== '' && Number(last) < start) return 'whole';
  if (start >= size) return 'unsatisfiable';
  const end = last === '' ? size : Math.min(Number(last) + 1, size);
  return { start, end };
}

function suffix(length: number, size: number): ParsedRange | 'whole' | 'unsatisfiable' {
  if (length === 0) return 'unsatisfiable';
  // There is no way to write the range of nothing in Content-Range.
  if (size === 0) return 'whole';
  return { start: Math.max(0, size - length), end: size };
}
