/** A DER encoding that is not understood. */
export class DerError extends Error {}

/** One element of a DER encoding: tag byte and content. */
export class DerElement {
  readonly tag: number;
  readonly content: Uint8Array;

  constructor(tag: number, content: Uint8Array) {
    this.tag = tag;
    this.content = content;
  }

  /** The content as a dotted object identifier; a different element gives the empty string. */
  oid(): string {
    if (this.tag !== 0x06 || this.content.length === 0) return '';
    const arcs: number[] = [];
    let arc = 0;
    for (const byte of this.content) {
      arc = arc * 128 + (byte & 0x7f);
      if ((byte & 0x80) === 0) {
        arcs.push(arc);
        arc = 0;
      }
    }
    const first = arcs[0] ?? 0;
    const top = Math.min(2, Math.floor(first / 40));
    return [top, first - top * 40, ...arcs.slice(1)].join('.');
  }

  /** The content of a string type as text. */
  text(): string {
    const content = Buffer.from(this.content);
    // 0x1e is BMPString, big-endian UTF-16; the others in use are UTF-8 or subsets of it.
    return this.tag === 0x1e ? content.swap16().toString('utf16le') : content.toString('utf8');
  }
}

/**
 * Reads the element at the start of `bytes`.
 *
 * @throws {DerError} when it does not fit
 * @source ITU-T X.690 §8.1, §10.1
 */
export function readDer(bytes: Uint8Array): DerElement {
  return readElement(bytes, 0).element;
}

/**
 * Reads the elements inside a constructed element; an absent element has none.
 *
 * @throws {DerError} when one does not fit
 */
export function readDerChildren(parent: DerElement | undefined): readonly DerElement[] {
  const children: DerElement[] = [];
  const bytes = parent?.content ?? new Uint8Array();
  for (let at = 0; at < bytes.length; ) {
    const { element, end } = readElement(bytes, at);
    children.push(element);
    at = end;
  }
  return children;
}

function readElement(bytes: Uint8Array, at: number): { element: DerElement; end: number } {
  const tag = bytes[at];
  const first = bytes[at + 1];
  if (tag === undefined || first === undefined) throw new DerError('truncated element');
  const lengthBytes = first < 0x80 ? 0 : first & 0x7f;
  if (lengthBytes > 4 || first === 0x80) throw new DerError('unsupported length');
  let length = first < 0x80 ? first : 0;
  for (let index = 0; index < lengthBytes; index += 1) {
    length = length * 256 + (bytes[at + 2 + index] ?? 0);
  }
  const start = at + 2 + lengthBytes;
  const end = start + length;
  if (end > bytes.length) throw new DerError('truncated element');
  return { element: new DerElement(tag, bytes.subarray(start, end)), end };
}
