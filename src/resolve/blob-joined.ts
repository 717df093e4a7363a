import type { Clock } from '../base/clock.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';
import { type Repository, repositoryName } from '../oci/names.ts';
import { ArrivingBlob, type ReadyOptions } from './blob-arriving.ts';
import { BufferPool } from './blob-buffers.ts';
import { BlobDownload, type DownloadFailure, MIN_WINDOW_BYTES } from './blob-download.ts';
import { FailedDigests } from './blob-failures.ts';
import type { BlobEvents, ContentStore, StoredContent } from './blob-ports.ts';
import { StoredBlob } from './blob-stored.ts';
import type { ByteBudget } from './byte-budget.ts';
import type { DownloadPlaces } from './download-places.ts';
import { UpstreamError } from './errors.ts';
import type { BlobContent, BlobProvider, UpstreamContent } from './ports.ts';

type BlobDescriptor = Pick<Descriptor, 'digest' | 'size'>;

/** What `JoinedBlobs` works with, and its limits. */
export interface JoinedBlobsOptions {
  readonly store: ContentStore;
  readonly upstream: UpstreamContent;
  readonly clock: Clock;
  /** The places of blobs being fetched. */
  readonly places: DownloadPlaces;
  /** The memory for content on its way. */
  readonly budget: ByteBudget;
  readonly events?: BlobEvents;
  /** How long a download goes on for the store after its last client left, in milliseconds; default 60 000. */
  readonly orphanDeadlineMs?: number;
  /** How long a blob with the wrong digest is refused without asking again, in milliseconds; default 60 000. */
  readonly failedDigestMemoryMs?: number;
  /** When content cannot be stored: how long a client may hold up the others, in milliseconds; default 30 000. */
  readonly stalledReaderMs?: number;
  /** The most content of one download held in memory, in bytes, at least 256 KiB; default 8 MiB. */
  readonly windowBytes?: number;
}

/** Blobs from the store, or downloaded with one upstream read however many clients ask. */
export class JoinedBlobs implements BlobProvider {
  readonly #options: JoinedBlobsOptions;
  readonly #failed: FailedDigests;
  readonly #buffers: BufferPool;
  readonly #downloads = new Map<Digest, Set<BlobDownload>>();
  /** Temporary files that are being closed. */
  readonly #closing = new Set<Promise<void>>();
  #inFlight = 0;
  #isStopped = false;

  constructor(options: JoinedBlobsOptions) {
    if ((options.windowBytes ?? MIN_WINDOW_BYTES) < MIN_WINDOW_BYTES) {
      throw new RangeError('windowBytes must be at least 256 KiB');
    }
    this.#options = options;
    this.#buffers = new BufferPool(options.budget);
    this.#failed = new FailedDigests(options.clock, options.failedDigestMemoryMs ?? 60_000);
  }

  async open(
    repository: Repository,
    descriptor: BlobDescriptor,
    options: ReadyOptions,
  ): Promise<BlobContent> {
    for (let turn = 1; ; turn += 1) {
      try {
        return await this.#open(repository, descriptor, options);
      } catch (error) {
        const isElsewhere = error instanceof UpstreamError && error.isElsewhere;
        if (!isElsewhere || turn >= MAX_TURNS) throw error;
      }
    }
  }

  async #open(
    repository: Repository,
    descriptor: BlobDescriptor,
    options: ReadyOptions,
  ): Promise<BlobContent> {
    options.signal?.throwIfAborted();
    this.#failed.requireNone(repository, descriptor.digest);
    if (this.#joinable(descriptor) === undefined) {
      const stored = await this.#stored(descriptor, options.signal);
      if (stored !== undefined) return stored;
    }
    const arriving = this.#join(repository, descriptor, this.#joinable(descriptor));
    if (arriving.isOwn) return await ready(arriving.blob, options);
    try {
      return await ready(arriving.blob, options);
    } catch (error) {
      if (!(error instanceof UpstreamError)) throw error;
      // What another repository's registry refused or spoiled says nothing about this one's.
      const own = this.#join(repository, descriptor, this.#joinable(descriptor, repository));
      return await ready(own.blob, options);
    }
  }

  /** Resolves when no download of this content is under way, whether it is stored now or not. */
  async settled(digest: Digest): Promise<void> {
    const downloads = [...(this.#downloads.get(digest) ?? [])];
    await Promise.all(downloads.map((download) => download.settled));
  }

  /** Aborts all downloads and refuses new ones; resolves when their temporary files are gone. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    const downloads = [...this.#downloads.values()].flatMap((set) => [...set]);
    await Promise.all(downloads.map((download) => download.stop()));
    await Promise.all(this.#closing);
  }

  async #stored(
    descriptor: BlobDescriptor,
    signal: AbortSignal | undefined,
  ): Promise<BlobContent | undefined> {
    const { store } = this.#options;
    const { digest } = descriptor;
    let content = store.openNow(digest) ?? (await untilAborted(store.open(digest), signal));
    // It may have come into the store while we looked: one more look is cheaper than one more download.
    if (content === undefined && store.has(digest)) {
      content = await untilAborted(store.open(digest), signal);
    }
    return content && this.#ofSize(content, descriptor);
  }

  #ofSize(content: StoredContent, { digest, size }: BlobDescriptor): BlobContent {
    if (content.size === size) return new StoredBlob(content, this.#buffers);
    const receivedBytes = content.size;
    content.close();
    throw new UpstreamError('digest_mismatch', 'the digest names content of another size', {
      detail: { digest, expectedBytes: size, receivedBytes },
    });
  }

  /** A download under way that another reader can join: of this repository if one is given, else of any. */
  #joinable(descriptor: BlobDescriptor, repository?: Repository): BlobDownload | undefined {
    for (const download of this.#downloads.get(descriptor.digest) ?? []) {
      if (!download.isJoinable || download.size !== descriptor.size) continue;
      if (repository === undefined || isSame(repository, download.repository)) return download;
    }
    return undefined;
  }

  /** Attaches to `running`, or to a new download. */
  #join(
    repository: Repository,
    descriptor: BlobDescriptor,
    running: BlobDownload | undefined,
  ): { readonly blob: ArrivingBlob; readonly isOwn: boolean } {
    const arriving = { buffers: this.#buffers, clock: this.#options.clock };
    if (running !== undefined) {
      this.#options.events?.joined();
      const isOwn = isSame(repository, running.repository);
      return { blob: new ArrivingBlob(running, arriving), isOwn };
    }
    if (this.#isStopped) {
      throw new UpstreamError('upstream_unreachable', 'Pinnace is shutting down');
    }
    const download = this.#newDownload(repository, descriptor);
    const blob = new ArrivingBlob(download, arriving);
    download.start();
    return { blob, isOwn: true };
  }

  #newDownload(repository: Repository, descriptor: BlobDescriptor): BlobDownload {
    const { store, upstream, clock, budget, places, events } = this.#options;
    let hasBegun = false;
    const download: BlobDownload = new BlobDownload({
      ...{ repository, digest: descriptor.digest, size: descriptor.size },
      ...{ store, upstream, clock, budget },
      enter: (signal) => places.enter(repository.registry, signal),
      windowBytes: this.#options.windowBytes ?? 8 * 1024 * 1024,
      orphanDeadlineMs: this.#options.orphanDeadlineMs ?? 60_000,
      stalledReaderMs: this.#options.stalledReaderMs ?? 30_000,
      onBegun: () => {
        hasBegun = true;
        this.#inFlight += 1;
        events?.upstreamRead();
        events?.inFlight(this.#inFlight);
      },
      onSettled: (error) => {
        if (isWrong(error)) this.#failed.note(repository, descriptor.digest);
        this.#forget(descriptor.digest, download);
        if (!hasBegun) return;
        this.#inFlight -= 1;
        events?.inFlight(this.#inFlight);
      },
      onReleased: (closing) => {
        this.#closing.add(closing);
        closing.finally(() => this.#closing.delete(closing)).catch(() => undefined);
      },
    });
    const running = this.#downloads.get(descriptor.digest) ?? new Set();
    this.#downloads.set(descriptor.digest, running.add(download));
    return download;
  }

  #forget(digest: Digest, download: BlobDownload): void {
    const running = this.#downloads.get(digest);
    if (running?.delete(download) !== true) return;
    if (running.size === 0) this.#downloads.delete(digest);
  }
}

/** How many servers of one upstream are given a chance within one request. */
const MAX_TURNS = 8;

/** Whether all that could be asked sent something else. */
function isWrong(error: DownloadFailure | undefined): boolean {
  return error instanceof UpstreamError && error.code === 'digest_mismatch' && !error.isElsewhere;
}

function isSame(one: Repository, other: Repository): boolean {
  return repositoryName(one) === repositoryName(other);
}

async function ready(blob: ArrivingBlob, options: ReadyOptions): Promise<BlobContent> {
  try {
    await blob.ready(options);
    return blob;
  } catch (error) {
    blob.close();
    throw error;
  }
}

/** Waits for `opening` or the signal; content that comes too late is closed. */
async function untilAborted(
  opening: Promise<StoredContent | undefined>,
  signal: AbortSignal | undefined,
): Promise<StoredContent | undefined> {
  if (signal === undefined) return await opening;
  const aborted = Promise.withResolvers<never>();
  const abort = (): void => aborted.reject(signal.reason);
  signal.addEventListener('abort', abort, { once: true });
  try {
    signal.throwIfAborted();
    return await Promise.race([opening, aborted.promise]);
  } catch (error) {
    opening.then(
      (content) => content?.close(),
      () => undefined,
    );
    throw error;
  } finally {
    signal.removeEventListener('abort', abort);
  }
}
