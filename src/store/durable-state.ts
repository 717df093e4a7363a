import type { CollectionKey, TrustStateStore } from '../metadata/ports.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';
import type { Repository } from '../oci/names.ts';
import type { PinnedRepositories, PinRecord, PinStore, ReferrerStore } from '../resolve/ports.ts';

/** Something that happened to the trust state and that an auditor should find. */
export interface StateEvent {
  /**
   * `created`: the state began empty; `first-use`: a root was trusted because it was the first; `reset`: an operator had a
   * collection forgotten; `clock-reset`: an operator lowered the newest time seen.
   */
  readonly kind: 'created' | 'first-use' | 'reset' | 'clock-reset';
  /** The collection concerned; undefined for `created` and `clock-reset`. */
  readonly collection: CollectionKey | undefined;
  /** The operator's reason for a reset; else empty. */
  readonly reason: string;
  /** Milliseconds since the epoch. */
  readonly at: number;
}

/** What is remembered of one verified meaning of a tag. */
export interface PinHistory extends PinRecord {
  /** When it was first verified, milliseconds since the epoch; `verifiedAt` is when it was last. */
  readonly firstVerifiedAt: number;
}

/** A manifest that was vouched for, and where. */
export interface RecordedManifest {
  /** The repository's full name. */
  readonly repository: string;
  readonly digest: Digest;
}

/** All durable state of one Pinnace: trust, pins, secrets, and the record of what was done to them. */
export interface DurableState extends TrustStateStore, PinStore, ReferrerStore, PinnedRepositories {
  /** 32 random bytes that belong to `name`, made at the first call and the same ever after. */
  secret(name: string): Promise<Uint8Array>;
  /** The latest events, newest first. */
  events(limit: number): Promise<readonly StateEvent[]>;
  /**
   * Lowers the newest time seen to now, on an operator's word, and remembers that and why it was done.
   *
   * @returns the time that was on record, milliseconds since the epoch; undefined when it is not later than now (nothing is
   * changed or remembered then)
   */
  resetTime(reason: string): Promise<number | undefined>;
  /** How often `resetTime` has lowered the newest time seen. */
  timeResets(): Promise<number>;
  /** Every verified meaning of the tags of a repository, the most recently verified first. */
  pins(repository: Repository): Promise<readonly PinHistory[]>;
  /**
   * Every manifest and index that was ever vouched for, by repository and digest in order. Others are answered meanwhile.
   *
   * @param only - the digests that are of interest; default: all
   */
  recordedManifests(only?: ReadonlySet<string>): AsyncIterable<RecordedManifest>;
  /** Releases what the state holds open; nothing may be asked afterwards. Closing twice is harmless. */
  close(): void;
}

/** Length of a secret in bytes. */
export const SECRET_BYTES = 32;

/** The most entries that are kept of what refers to a repository's content. */
export const MAX_REFERRED = 10_000;

/** A vouched descriptor with the weight of what says so. */
export interface VouchedEntry extends Descriptor {
  /** True for a manifest whose own bytes were verified; false for what a manifest merely says of its parts. */
  readonly isVerified: boolean;
  /** True for what is known only as a referrer of vouched content, or as a part of one: it is not vouched for. */
  readonly isReferred: boolean;
}

/**
 * What a closure vouches for, or what a referrer brings along: one entry per digest.
 *
 * @throws {RangeError} for a size that is not a whole number from 0 to 2^53 - 1
 */
export function closureEntries(
  manifest: Descriptor,
  parts: readonly Descriptor[],
  isReferred = false,
): readonly VouchedEntry[] {
  const entries = new Map<string, VouchedEntry>();
  const offered = [
    { ...manifest, isVerified: true, isReferred },
    ...parts.map((part) => ({ ...part, isVerified: false, isReferred })),
  ];
  for (const entry of offered) {
    requireWhole(entry.size, 'size');
    if (supersedes(entry, entries.get(entry.digest))) entries.set(entry.digest, entry);
  }
  return [...entries.values()];
}

/**
 * Says whether `offered` replaces what is known of the same digest. Without the order in it, a manifest that states a
 * wrong size or kind for somebody's content could make that content unobtainable.
 */
export function supersedes(offered: VouchedEntry, known: VouchedEntry | undefined): boolean {
  if (known === undefined) return true;
  // Without this whoever may push could take vouched content away by attaching something to it.
  if (offered.isReferred !== known.isReferred) return known.isReferred;
  if (offered.isVerified !== known.isVerified) return offered.isVerified;
  if (offered.kind !== known.kind) return offered.kind === 'manifest';
  return offered.size !== known.size || offered.mediaType !== known.mediaType;
}

/**
 * Adds one more verification to what is known of a pin; the later one says length and role.
 *
 * @throws {RangeError} for times or lengths that are not whole numbers from 0 to 2^53 - 1
 */
export function mergePin(known: PinHistory | undefined, pin: PinRecord): PinHistory {
  requireWhole(pin.verifiedAt, 'verifiedAt');
  requireWhole(pin.length, 'length');
  if (known === undefined) return { ...pin, firstVerifiedAt: pin.verifiedAt };
  const newest = pin.verifiedAt >= known.verifiedAt ? pin : known;
  return { ...newest, firstVerifiedAt: Math.min(known.firstVerifiedAt, pin.verifiedAt) };
}

/** @throws {RangeError} unless `value` is a whole number from 0 to 2^53 - 1, which every implementation keeps exactly */
export function requireWhole(value: number, name: string): void {
  if (!Number.isSafeInteger(value) || value < 0) {
    throw new RangeError(`${name} must be a whole number from 0 to 2^53 - 1, not ${value}`);
  }
}
