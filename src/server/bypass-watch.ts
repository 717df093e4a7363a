import type { Clock } from '../base/clock.ts';
import type { ReasonCode } from '../base/reason-code.ts';
import { type Digest, isDigest } from '../oci/digest.ts';

/** Limits of a `BypassWatch`. */
export interface BypassWatchOptions {
  readonly clock: Clock;
  /** Milliseconds for which a refused tag is remembered. Default 300,000. */
  readonly windowMs?: number;
  /** Refusals remembered; the oldest go first. Default 4,096. */
  readonly maxEntries?: number;
  /** Suspected bypasses listed; the oldest go first. Default 100. */
  readonly maxListed?: number;
  /** Told of each client that is watched from now on, and for how many milliseconds. */
  readonly onWatch?: (client: string, forMs: number) => void;
}

/** An engine and the repository it was refused a tag of. */
export interface Suspect {
  readonly client: string;
  /** The repository's full name. */
  readonly repository: string;
}

/** A tag that was refused. */
export interface RefusedTag {
  readonly tag: string;
  readonly reason: ReasonCode;
}

/** A digest that an engine asked for although nothing it was told by Pinnace names it. */
export interface SuspectedBypass {
  /** Milliseconds since the epoch. */
  readonly at: number;
  /** The address of the engine, or of what stands before it. */
  readonly client: string;
  /** The listener it asked. */
  readonly listener: string;
  /** The repository's full name. */
  readonly repository: string;
  /** The tag that had been refused. */
  readonly refusedTag: string;
  /** Why it had been. */
  readonly reason: ReasonCode;
  /** The digest it asked for. */
  readonly digest: string;
}

interface Refused extends RefusedTag {
  readonly until: number;
  /** Digests that served manifests named to this engine since. */
  readonly told: Set<string>;
  /** Digests of manifests whose content has been looked through: engines ask for the same again and again. */
  readonly read: Set<string>;
}

const MAX_TOLD = 512;
const DIGESTS = /sha(?:256:[0-9a-f]{64}|512:[0-9a-f]{128})/g;

/**
 * Notices engines that go round a refusal: one whose tag was refused, and which soon after asks for a digest of that
 * repository that it cannot have from Pinnace, has asked the origin what the tag means.
 */
export class BypassWatch {
  readonly #clock: Clock;
  readonly #windowMs: number;
  readonly #maxEntries: number;
  readonly #maxListed: number;
  readonly #onWatch: BypassWatchOptions['onWatch'];
  readonly #refused = new Map<string, Refused>();
  #listed: readonly SuspectedBypass[] = [];

  constructor(options: BypassWatchOptions) {
    this.#clock = options.clock;
    this.#windowMs = options.windowMs ?? 300_000;
    this.#maxEntries = options.maxEntries ?? 4096;
    this.#maxListed = options.maxListed ?? 100;
    this.#onWatch = options.onWatch;
  }

  /** Whether nobody is watched, so that the hot path need not build a key. */
  get isIdle(): boolean {
    return this.#refused.size === 0;
  }

  /** Who is watched, and for how many milliseconds yet. */
  get watched(): ReadonlyMap<string, number> {
    const nowMs = this.#clock.monotonicMs();
    const watched = new Map<string, number>();
    for (const [key, { until }] of this.#refused) {
      const [client = ''] = key.split(' ', 1);
      if (until > nowMs) watched.set(client, Math.max(until - nowMs, watched.get(client) ?? 0));
    }
    return watched;
  }

  /** The bypasses suspected since the start, newest first. */
  get listed(): readonly SuspectedBypass[] {
    return this.#listed;
  }

  /** Remembers that a tag was refused. */
  noteRefusedTag(suspect: Suspect, { tag, reason }: RefusedTag): void {
    const key = keyOf(suspect);
    const { told, read } = this.#live(key) ?? { told: new Set<string>(), read: new Set<string>() };
    // Deleted first so that the entry becomes the newest: the oldest are the ones to go.
    this.#refused.delete(key);
    const until = this.#clock.monotonicMs() + this.#windowMs;
    this.#refused.set(key, { tag, reason, until, told, read });
    this.#onWatch?.(suspect.client, this.#windowMs);
    for (const oldest of this.#refused.keys()) {
      if (this.#refused.size <= this.#maxEntries) break;
      this.#refused.delete(oldest);
    }
  }

  /** Remembers what a manifest that was served to the engine names: itself, its children. */
  noteServed(suspect: Suspect, digest: Digest, bytes: Uint8Array): void {
    const refused = this.#live(keyOf(suspect));
    if (refused === undefined || refused.read.has(digest)) return;
    if (refused.read.size < MAX_TOLD) refused.read.add(digest);
    refused.told.add(digest);
    for (const [found] of Buffer.from(bytes).toString('latin1').matchAll(DIGESTS)) {
      if (refused.told.size >= MAX_TOLD) return;
      if (isDigest(found)) refused.told.add(found);
    }
  }

  /** Judges a manifest request by digest, and lists it if it is suspect; each refused tag is reported at most once. */
  suspect(
    suspect: Suspect,
    { digest, listener }: { readonly digest: Digest; readonly listener: string },
  ): SuspectedBypass | undefined {
    const key = keyOf(suspect);
    const refused = this.#live(key);
    if (refused === undefined || refused.told.has(digest)) return undefined;
    this.#refused.delete(key);
    const { tag: refusedTag, reason } = refused;
    const found = { at: this.#clock.now(), ...suspect, listener, refusedTag, reason, digest };
    this.#listed = [found, ...this.#listed].slice(0, this.#maxListed);
    return found;
  }

  #live(key: string): Refused | undefined {
    const refused = this.#refused.get(key);
    if (refused === undefined || refused.until > this.#clock.monotonicMs()) return refused;
    this.#refused.delete(key);
    return undefined;
  }
}

// An address has no blank, so no two pairs give the same key.
function keyOf(suspect: Suspect): string {
  return `${suspect.client} ${suspect.repository}`;
}
