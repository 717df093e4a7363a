import { lstat, mkdir, readdir, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../base/clock.ts';
import type { Digest } from '../oci/digest.ts';
import type { ContentStoreEvents } from './content-events.ts';
import type { ContentLayout } from './content-layout.ts';
import { removeLeftovers } from './content-leftovers.ts';

/** What tells whether a file is still the one that was verified. */
export interface FileStamp {
  readonly size: bigint;
  readonly mtimeNs: bigint;
  readonly ino: bigint;
}

/** What a `ContentIndex` works with. */
export interface ContentIndexOptions {
  readonly layout: ContentLayout;
  /** The most bytes to keep; entries in use may exceed it until they are closed. */
  readonly maxBytes: number;
  readonly clock: Clock;
  readonly events: ContentStoreEvents;
  /** Told of every entry that is gone, or is about to be replaced. */
  readonly onRemoved?: (digest: Digest) => void;
}

interface Entry {
  readonly size: number;
  usedAtMs: number;
  /** The file as it was when this process verified it. */
  readonly verified: FileStamp | undefined;
  /** Modification times this process gave it since; the last few, because others may still see the one before. */
  touchedNs: readonly bigint[];
}

/** How often at most a file's modification time is set to remember its use, in milliseconds. */
const TOUCH_INTERVAL_MS = 60_000;

const NS_PER_SECOND = 1_000_000_000n;

/** How many files are looked at in one go while the index is built. */
const BATCH_SIZE = 64;

/** What is in the folder, in order of last use: rebuilt at start from names, sizes and times, kept within a limit. */
export class ContentIndex {
  readonly #options: ContentIndexOptions;
  /** Least recently used first. */
  #entries = new Map<Digest, Entry>();
  readonly #inUse = new Map<Digest, number>();
  /** What was found to be gone while the index is built: the walk may have seen it before. */
  readonly #gone = new Set<Digest>();
  #totalBytes = 0;
  #indexed: Promise<void> = Promise.resolve();
  #isBuilt = false;
  #isClosed = false;
  #evicting: Promise<void> | undefined;

  constructor(options: ContentIndexOptions) {
    this.#options = options;
  }

  /** Bytes of all entries. */
  get totalBytes(): number {
    return this.#totalBytes;
  }

  /** Whether an entry is known; the file may be gone all the same. */
  has(digest: Digest): boolean {
    return this.#entries.has(digest);
  }

  /** Resolves when all that was there at the start is counted towards the limit. */
  get indexed(): Promise<void> {
    return this.#indexed;
  }

  /**
   * Makes the folders, removes leftovers and begins to look through what is there; content can be opened and stored
   * as soon as this resolves. A folder that cannot be written to is counted as a failed write, not thrown.
   */
  async start(): Promise<void> {
    const { layout, clock, events } = this.#options;
    try {
      await mkdir(layout.temporaryFolder, { recursive: true, mode: 0o700 });
      await removeLeftovers(layout, clock.now());
    } catch {
      // Read-only or unusable: whatever is there is still served, all else goes by without being stored.
      events.writeFailed();
    }
    this.#indexed = this.#build();
  }

  /** Adds an entry whose digest this process has just checked, or replaces what is known of it. */
  add(digest: Digest, stamp: FileStamp): void {
    this.#remove(digest);
    const size = Number(stamp.size);
    this.#entries.set(digest, {
      size,
      usedAtMs: Number(stamp.mtimeNs / 1_000_000n),
      verified: stamp,
      touchedNs: [],
    });
    this.#totalBytes += size;
    this.#changed();
  }

  /** Whether the file with this stamp is the one this process verified. */
  isVerified(digest: Digest, stamp: FileStamp): boolean {
    const entry = this.#entries.get(digest);
    const verified = entry?.verified;
    if (verified === undefined) return false;
    if (verified.size !== stamp.size || verified.ino !== stamp.ino) return false;
    return verified.mtimeNs === stamp.mtimeNs || entry?.touchedNs.includes(stamp.mtimeNs) === true;
  }

  /**
   * Notes that an entry was used.
   *
   * @returns the time to set the file's modification time to, in whole seconds, when that is due
   */
  noteUse(digest: Digest): number | undefined {
    const entry = this.#entries.get(digest);
    if (entry === undefined) return undefined;
    this.#entries.delete(digest);
    this.#entries.set(digest, entry);
    const nowMs = this.#options.clock.now();
    if (Math.abs(nowMs - entry.usedAtMs) < TOUCH_INTERVAL_MS) return undefined;
    const seconds = Math.floor(nowMs / 1000);
    entry.usedAtMs = nowMs;
    entry.touchedNs = [...entry.touchedNs.slice(-1), BigInt(seconds) * NS_PER_SECOND];
    return seconds;
  }

  /** Takes back what `noteUse` noted, because the file's time could not be set to `seconds`. */
  noteUntouched(digest: Digest, seconds: number): void {
    const entry = this.#entries.get(digest);
    const untouchedNs = BigInt(seconds) * NS_PER_SECOND;
    if (entry !== undefined) entry.touchedNs = entry.touchedNs.filter((ns) => ns !== untouchedNs);
  }

  /** Forgets an entry whose file is gone or about to go. */
  forget(digest: Digest): void {
    if (!this.#isBuilt) this.#gone.add(digest);
    if (this.#remove(digest)) this.#options.events.bytes(this.#totalBytes);
  }

  /** Keeps an entry from being evicted until the function given back is called; calling that twice changes nothing. */
  hold(digest: Digest): () => void {
    this.#inUse.set(digest, (this.#inUse.get(digest) ?? 0) + 1);
    let isHeld = true;
    return () => {
      if (!isHeld) return;
      isHeld = false;
      const rest = (this.#inUse.get(digest) ?? 1) - 1;
      if (rest > 0) this.#inUse.set(digest, rest);
      else this.#inUse.delete(digest);
      this.#evictIfNeeded();
    };
  }

  /** Resolves when the folder is within its limit, as far as content in use allows. */
  async settled(): Promise<void> {
    await this.#indexed;
    while (this.#evicting !== undefined) await this.#evicting;
  }

  /** Stops walking and evicting. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.settled();
  }

  /** Walks the folders and adds what was there before; nothing is evicted until that is done. */
  async #build(): Promise<void> {
    const found: (readonly [Digest, Entry])[] = [];
    for (const algorithm of ['sha256', 'sha512'] as const) {
      const folder = this.#options.layout.algorithmFolder(algorithm);
      for (const shard of await readFolder(folder)) {
        if (this.#isClosed) return;
        const names = await readFolder(join(folder, shard));
        const digests = names
          .map((name) => this.#options.layout.digestAt(algorithm, shard, name))
          .filter((digest) => digest !== undefined);
        await this.#look(digests, found);
      }
    }
    found.sort(([, one], [, other]) => one.usedAtMs - other.usedAtMs);
    // What was used while we walked is newer than all that was found.
    const newer = this.#entries;
    this.#entries = new Map(
      found.filter(([digest]) => !newer.has(digest) && !this.#gone.has(digest)),
    );
    this.#gone.clear();
    for (const entry of this.#entries.values()) this.#totalBytes += entry.size;
    for (const [digest, entry] of newer) this.#entries.set(digest, entry);
    this.#isBuilt = true;
    this.#changed();
  }

  async #look(digests: readonly Digest[], found: (readonly [Digest, Entry])[]): Promise<void> {
    for (let start = 0; start < digests.length && !this.#isClosed; start += BATCH_SIZE) {
      const batch = digests.slice(start, start + BATCH_SIZE).map(async (digest) => {
        const path = this.#options.layout.pathOf(digest);
        // Gone in the meantime: not there.
        const stat = await lstat(path).catch(() => undefined);
        if (stat?.isFile() !== true) return;
        const usedAtMs = stat.mtimeMs;
        found.push([digest, { size: stat.size, usedAtMs, verified: undefined, touchedNs: [] }]);
      });
      await Promise.all(batch);
    }
  }

  #remove(digest: Digest): boolean {
    const entry = this.#entries.get(digest);
    if (entry === undefined) return false;
    this.#entries.delete(digest);
    this.#totalBytes -= entry.size;
    this.#options.onRemoved?.(digest);
    return true;
  }

  #changed(): void {
    this.#options.events.bytes(this.#totalBytes);
    this.#evictIfNeeded();
  }

  #evictIfNeeded(): void {
    if (this.#evicting !== undefined || this.#isClosed || !this.#isBuilt) return;
    if (this.#totalBytes <= this.#options.maxBytes) return;
    this.#evicting = this.#evict().finally(() => {
      this.#evicting = undefined;
    });
  }

  async #evict(): Promise<void> {
    const { layout, events, maxBytes } = this.#options;
    for (const [digest, entry] of this.#entries) {
      if (this.#totalBytes <= maxBytes || this.#isClosed) return;
      if (this.#inUse.has(digest)) continue;
      this.forget(digest);
      try {
        await unlink(layout.pathOf(digest));
        events.evicted(entry.size);
      } catch {
        // Gone already, or not ours to remove: either way it is not in the way of the next ones.
      }
    }
  }
}

/** The names in a folder; none when it is not there. */
async function readFolder(path: string): Promise<readonly string[]> {
  try {
    return await readdir(path);
  } catch {
    // Not there yet, or not readable: then nothing of it can be served either.
    return [];
  }
}
