import { type Digest, isDigest } from '../oci/digest.ts';
import { OciError } from '../oci/errors.ts';
import { parseImageReference } from '../oci/image-reference.ts';
import { PolicyPatternError } from '../policy/errors.ts';
import { parseTagPattern } from '../policy/tag-pattern.ts';
import type { Parsed } from './values.ts';

/** RFC 3339 with a time zone; without one nobody could say when it is. */
const INSTANT =
  /^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,9})?)?(?:Z|[+-][0-9]{2}:[0-9]{2})$/;
const NAMED_REFERENCE = /^[^/]+\/.*[^/]:[^/:]+$|@/;

/** Reads a tag, or a pattern for tags. */
export function parseTags(text: string): Parsed<string> {
  try {
    return { ok: true, value: parseTagPattern(text).text };
  } catch (error) {
    if (!(error instanceof PolicyPatternError)) throw error;
    return { ok: false, problem: 'is not a tag or a pattern for tags: no tag could match it' };
  }
}

/** Reads a digest. */
export function parseSignedDigest(text: string): Parsed<Digest> {
  if (isDigest(text)) return { ok: true, value: text };
  return {
    ok: false,
    problem: 'is not a digest',
    fix: 'write sha256: and the 64 lower-case hex digits behind it',
  };
}

/** Reads a moment in time; the value is milliseconds since the epoch. */
export function parseInstant(text: string): Parsed<number> {
  const at = INSTANT.test(text) ? Date.parse(text) : Number.NaN;
  if (!Number.isNaN(at)) return { ok: true, value: at };
  return {
    ok: false,
    problem: 'is not a time with its time zone',
    fix: 'write it as 2026-12-01T18:00:00Z or 2026-12-01T19:00:00+01:00',
  };
}

/** Checks the image of an exception: one tag or digest of one repository, both by name. */
export function parseBreakGlassImage(text: string): Parsed<string> {
  try {
    parseImageReference(text);
  } catch (error) {
    if (!(error instanceof OciError)) throw error;
    return { ok: false, problem: `is not an image: ${error.message}` };
  }
  // What is left out would be filled in, with a tag that nobody has approved.
  if (NAMED_REFERENCE.test(text)) return { ok: true, value: text };
  return {
    ok: false,
    problem: 'does not name a registry and one tag or digest',
    fix: 'write registry/repository:tag or registry/repository@sha256:…',
  };
}
