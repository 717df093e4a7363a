import type { Digest } from '../oci/digest.ts';
import { digestHex } from '../oci/digest.ts';
import { TrustError } from '../trust/errors.ts';
import { asTime } from '../trust/fields.ts';
import type { JsonObject } from '../trust/strict-json.ts';
import { formatTime } from './documents.ts';
import type { TargetEntry } from './edits.ts';
import { objectOf, type PlainJson } from './json.ts';

/** What was found of an image at its upstream, and will be signed. */
export interface ApprovedImage {
  /** `registry/repository:tag@digest`, or what the image was asked for by. */
  readonly source: string;
  readonly digest: Digest;
  /** Bytes of the manifest. */
  readonly length: number;
  /** As `os/architecture/variant`. */
  readonly platforms: readonly string[];
  /** Who vouched for it before, when it was taken over from another collection. */
  readonly takenFrom?: string;
}

/** When an approval is to end: at an instant (milliseconds since the epoch), never, or as the one before it does. */
export type ApprovalEnd = number | 'never' | 'unsaid';

/** The signed entry for an image. */
export function targetEntryOf(
  image: ApprovedImage,
  {
    approvedAt,
    expiresAt,
  }: { readonly approvedAt: number; readonly expiresAt: number | undefined },
): TargetEntry {
  const { source, digest, length, platforms, takenFrom } = image;
  const custom: Record<string, PlainJson> = {
    approvedAt: formatTime(approvedAt),
    source,
    platforms,
    ...(takenFrom === undefined ? {} : { takenFrom }),
    ...(expiresAt === undefined ? {} : { expiresAt: formatTime(expiresAt) }),
  };
  return { sha256: digestHex(digest), length, custom: objectOf(custom) };
}

/**
 * Whether what is approved already is all that is asked for, so that there is nothing to sign: the same digest, and an end that
 * leaves at least half of the time asked for.
 *
 * @param now - milliseconds since the epoch
 */
export function isApproved(
  entry: JsonObject | undefined,
  digest: Digest,
  { end, now }: { readonly end: ApprovalEnd; readonly now: number },
): boolean {
  const hashes = entry?.get('hashes');
  if (!(hashes instanceof Map) || hashes.get('sha256') !== digestHex(digest)) return false;
  const until = approvalEnd(entry);
  if (end === 'never') return until === undefined;
  if (until === undefined) return end === 'unsaid';
  if (end === 'unsaid') return until > now;
  return until - now >= (end - now) / 2;
}

/** When an approval ends, milliseconds since the epoch; undefined when it does not say. */
export function approvalEnd(entry: JsonObject | undefined): number | undefined {
  const custom = entry?.get('custom');
  const text = custom instanceof Map ? custom.get('expiresAt') : undefined;
  if (text === undefined) return undefined;
  try {
    return asTime(text, 'custom.expiresAt');
  } catch (error) {
    // Not a time: such an approval is not in force, so it has to be signed anew.
    if (error instanceof TrustError) return 0;
    throw error;
  }
}
