const ENTITY_TAG = /[ \t]*(?:W\/)?("[\x21\x23-\x7e\x80-\xff]*")[ \t]*(?:,|$)/y;
const MAX_HEADER_LENGTH = 8192;

/**
 * Says whether `If-None-Match` names the current entity tag, so that 304 is the answer. A malformed header names nothing.
 *
 * @param etag - the strong entity tag of the content, quotation marks included
 * @source RFC 9110 §13.1.2 (weak comparison)
 */
export function ifNoneMatchHits(header: string | undefined, etag: string): boolean {
  if (header === undefined || header.length > MAX_HEADER_LENGTH) return false;
  if (header === etag || header.trim() === '*') return true;
  const entityTag = new RegExp(ENTITY_TAG);
  for (;;) {
    const match = entityTag.exec(header);
    if (match === null) return false;
    if (match[1] === etag) return true;
  }
}

/**
 * Says whether a `Range` header may be obeyed: without `If-Range`, or when that names the current entity tag. Dates
 * never match, since no modification time is sent.
 *
 * @param etag - the strong entity tag of the content, quotation marks included
 * @source RFC 9110 §13.1.5 (strong comparison)
 */
export function ifRangeAllows(header: string | undefined, etag: string): boolean {
  return header === undefined || header.trim() === etag;
}
