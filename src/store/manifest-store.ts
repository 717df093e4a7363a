import { type FileHandle, mkdir, open, rename, unlink } from 'node:fs/promises';
import { dirname } from 'node:path';
import { LRUCache } from 'lru-cache';
import type { Clock } from '../base/clock.ts';
import { SingleFlight } from '../base/single-flight.ts';
import { type Digest, hasDigest } from '../oci/digest.ts';
import type { FetchedManifest, ManifestStore } from '../resolve/ports.ts';
import { type ContentStoreEvents, NO_CONTENT_EVENTS } from './content-events.ts';
import { ContentIndex, type FileStamp } from './content-index.ts';
import { ContentLayout } from './content-layout.ts';
import { openForReading, removeBroken } from './content-verify.ts';
import { decodeManifestFile, encodeManifestFile } from './manifest-format.ts';

/** Where and how much a `DiskManifestStore` stores. */
export interface DiskManifestStoreOptions {
  /** The store's own folder, not the one of blobs; made if it is not there. Several processes may share it. */
  readonly folder: string;
  readonly clock: Clock;
  /** The most bytes kept on disk; default 1 GiB. */
  readonly maxBytes?: number;
  /** The most bytes kept in memory; default 64 MiB. */
  readonly memoryBytes?: number;
  /** The largest manifest kept, in bytes; default 4 MiB. */
  readonly maxManifestBytes?: number;
  readonly events?: ContentStoreEvents;
}

/** What an entry in memory costs beside its bytes, roughly. */
const ENTRY_OVERHEAD_BYTES = 512;

/** Verified manifests in memory and on disk; what comes from the disk is checked against its digest every time. */
export class DiskManifestStore implements ManifestStore {
  readonly #layout: ContentLayout;
  readonly #index: ContentIndex;
  readonly #memory: LRUCache<Digest, FetchedManifest>;
  readonly #reads = new SingleFlight<Digest, FetchedManifest | undefined>();
  readonly #events: ContentStoreEvents;
  readonly #maxManifestBytes: number;

  constructor(options: DiskManifestStoreOptions) {
    const { clock } = options;
    this.#layout = new ContentLayout(options.folder);
    this.#events = options.events ?? NO_CONTENT_EVENTS;
    this.#maxManifestBytes = options.maxManifestBytes ?? 4 * 1024 * 1024;
    const maxBytes = options.maxBytes ?? 1024 * 1024 * 1024;
    this.#index = new ContentIndex({ layout: this.#layout, maxBytes, clock, events: this.#events });
    this.#memory = new LRUCache({
      maxSize: options.memoryBytes ?? 64 * 1024 * 1024,
      sizeCalculation: (manifest) => manifest.bytes.length + ENTRY_OVERHEAD_BYTES,
    });
  }

  /** Makes the folders and begins to look through what is there. */
  async start(): Promise<void> {
    await this.#index.start();
  }

  /** Resolves when the store is within its limit on disk. */
  async settled(): Promise<void> {
    await this.#index.settled();
  }

  /** Ends background work. */
  async close(): Promise<void> {
    await this.#index.close();
  }

  /** The manifest if it is in memory, without waiting. */
  readNow(digest: Digest): FetchedManifest | undefined {
    return this.#memory.get(digest);
  }

  async read(digest: Digest): Promise<FetchedManifest | undefined> {
    const manifest =
      this.#memory.get(digest) ?? (await this.#reads.run(digest, () => this.#readFile(digest)));
    if (manifest === undefined) this.#events.miss();
    else this.#events.hit();
    return manifest;
  }

  /** @throws {TypeError} when the manifest does not have the digest, which is the caller's mistake */
  async write(digest: Digest, manifest: FetchedManifest): Promise<void> {
    if (!hasDigest(manifest.bytes, digest)) throw new TypeError('manifest without its digest');
    if (manifest.bytes.length > this.#maxManifestBytes) return;
    this.#memory.set(digest, manifest);
    const file = encodeManifestFile(digest, manifest);
    if (file === undefined) return;
    const temporaryPath = this.#layout.newTemporaryPath();
    try {
      const stamp = await writeDurably(temporaryPath, this.#layout.pathOf(digest), file);
      this.#index.add(digest, stamp);
    } catch {
      // Only the copy on disk is lost.
      this.#events.writeFailed();
      await unlink(temporaryPath).catch(() => undefined);
    }
  }

  async #readFile(digest: Digest): Promise<FetchedManifest | undefined> {
    const path = this.#layout.pathOf(digest);
    const handle = await openForReading(path);
    if (handle === undefined) {
      this.#index.forget(digest);
      return undefined;
    }
    const release = this.#index.hold(digest);
    try {
      return await this.#readOpen(digest, path, handle);
    } catch {
      // A read error: as good as not there.
      return undefined;
    } finally {
      release();
      await handle.close();
    }
  }

  async #readOpen(
    digest: Digest,
    path: string,
    handle: FileHandle,
  ): Promise<FetchedManifest | undefined> {
    const stamp = await handle.stat({ bigint: true });
    const manifest =
      stamp.size > BigInt(this.#maxManifestBytes + ENTRY_OVERHEAD_BYTES)
        ? undefined
        : decodeManifestFile(digest, await handle.readFile());
    if (manifest === undefined) {
      this.#index.forget(digest);
      this.#events.corrupt();
      await removeBroken(path, stamp);
      return undefined;
    }
    this.#memory.set(digest, manifest);
    if (!this.#index.has(digest)) this.#index.add(digest, stamp);
    const seconds = this.#index.noteUse(digest);
    if (seconds === undefined) return manifest;
    // Where the time cannot be set, only the order of eviction after a restart suffers.
    await handle.utimes(seconds, seconds).catch(() => undefined);
    return manifest;
  }
}

/** Writes a file so that it has either all of its bytes or does not exist, whenever the power fails. */
async function writeDurably(
  temporaryPath: string,
  finalPath: string,
  bytes: Uint8Array,
): Promise<FileStamp> {
  const handle = await open(temporaryPath, 'wx', 0o600);
  try {
    await handle.writeFile(bytes);
    await handle.datasync();
    await mkdir(dirname(finalPath), { recursive: true });
    await rename(temporaryPath, finalPath);
    return await handle.stat({ bigint: true });
  } finally {
    await handle.close();
  }
}
