import type { Clock, Timer } from '../base/clock.ts';
import { sha256Digest } from '../oci/digest.ts';
import { needsRenewal, type OpenCollection, openCollection, renew } from '../signing/collection.ts';
import { endingsOf } from '../signing/endings.ts';
import type { Signers } from '../signing/key-ring.ts';
import type { CollectionFolder } from '../signing/ports.ts';
import { DEFAULT_SETTINGS } from '../signing/settings.ts';
import type { UpkeepEvents } from './collection-events.ts';
import type { Publishing } from './publishing.ts';
import { RetryPace } from './retry-pace.ts';

/** What a `CollectionUpkeep` works with. */
export interface CollectionUpkeepOptions {
  /** Its name in the configuration. */
  readonly name: string;
  readonly folder: CollectionFolder;
  /** The online keys as they are at the time of the call. */
  readonly keys: () => Promise<Signers>;
  readonly publishings: readonly Publishing[];
  readonly clock: Clock;
  readonly events: UpkeepEvents;
}

const SECOND_MS = 1_000;
const MINUTE_MS = 60 * SECOND_MS;
/** How often in the life of a timestamp it is looked whether something is to be done, and tried again after failures. */
const LOOKS_IN_A_LIFE = 24;

/**
 * Keeps one collection current: renews timestamp and snapshot ahead of their end, brings into effect what waits for the online
 * keys alone, and publishes each new state, its own or another process's. Nothing that goes wrong here reaches a pull.
 */
export class CollectionUpkeep {
  readonly name: string;
  readonly publishings: readonly Publishing[];
  readonly #options: CollectionUpkeepOptions;
  readonly #pace: RetryPace;
  readonly #told = new Map<string, string>();
  #timer: Timer | undefined;
  #looking: Promise<void> | undefined;
  /** Whether it looks by itself. */
  #isStarted = false;
  #isStopped = false;
  #current: { readonly open: OpenCollection; readonly state: string } | undefined;
  #failure: unknown;
  /** From when on the current state is to be published, on the monotonic clock. */
  #publishAtMs = 0;

  constructor(options: CollectionUpkeepOptions) {
    const { name, publishings, clock } = options;
    this.name = name;
    this.publishings = publishings;
    this.#options = options;
    this.#pace = new RetryPace(clock);
  }

  /** How messages name the folder. */
  get folderName(): string {
    return this.#options.folder.name;
  }

  /** The collection as it was last read; undefined while it has never been readable. */
  get open(): OpenCollection | undefined {
    return this.#current?.open;
  }

  /** Why the last attempt to read or renew it failed; undefined after a success. */
  get failure(): unknown {
    return this.#failure;
  }

  /** Begins to look after it. */
  start(): void {
    this.#isStarted = true;
    this.#schedule(0);
  }

  /** Starts nothing more and waits for what is being written; what is sent over a network no longer than `drainMs`. */
  async stop(options: { readonly drainMs: number }): Promise<void> {
    this.#isStopped = true;
    this.#timer?.cancel();
    await Promise.all([this.#looking, ...this.publishings.map((each) => each.stop(options))]);
  }

  /** Does what is to be done now; resolves when it is done or has failed. Never rejects. */
  async look(): Promise<void> {
    this.#looking ??= this.#renewIfDue().finally(() => {
      this.#looking = undefined;
      this.#schedule(this.#nextLookMs());
    });
    await this.#looking;
    const { open } = this;
    const isEarly = this.#options.clock.monotonicMs() < this.#publishAtMs;
    if (open === undefined || isEarly || this.#isStopped) return;
    await Promise.all(this.publishings.map((each) => each.bring(open.repository)));
  }

  async #renewIfDue(): Promise<void> {
    if (this.#pace.waitMs > 0) return;
    const { clock, events, keys } = this.#options;
    try {
      const open = await this.#read();
      this.#tellEndings(open);
      if (needsRenewal(open, clock.now())) {
        const renewal = await renew(open, { ring: await keys(), clock, onlyWhenDue: true });
        const { repository } = await this.#read();
        if (renewal !== 'not-due') {
          this.#publishAtMs = clock.monotonicMs();
          events.renewed(this.name, renewal, repository.set.timestamp.body.version);
        }
      }
      this.#failure = undefined;
      this.#pace.succeeded();
    } catch (error) {
      this.#failure = error;
      this.#pace.failed();
      events.renewalFailed(this.name, error);
    }
  }

  /** Reads and verifies the collection, unless it is as it was. */
  async #read(): Promise<OpenCollection> {
    const { folder, clock } = this.#options;
    const state = await stateOf(folder);
    if (state === this.#current?.state) return this.#current.open;
    const open = await openCollection(folder);
    // Another process's state is that process's to publish; it is seen to only if that process does not.
    const isFirst = this.#current === undefined;
    this.#current = { open, state };
    this.#publishAtMs = clock.monotonicMs() + (isFirst ? 0 : this.#lookMs);
    for (const each of this.publishings) each.limitPause(this.#retryMs);
    this.#pace.limit(this.#retryMs);
    return open;
  }

  #tellEndings(open: OpenCollection): void {
    const { clock, events } = this.#options;
    const endings = endingsOf(open.repository, open.settings, clock.now());
    for (const ending of endings) {
      const { role, expiresAt, stopsRenewal } = ending;
      const what = `${expiresAt} ${stopsRenewal}`;
      if (this.#told.get(role) === what) continue;
      this.#told.set(role, what);
      events.ending(this.name, ending);
    }
  }

  #schedule(delayMs: number): void {
    if (!this.#isStarted || this.#isStopped) return;
    this.#timer?.cancel();
    this.#timer = this.#options.clock.after(delayMs, () => void this.look());
  }

  #nextLookMs(): number {
    const waits = [this.#pace.waitMs, ...this.publishings.map(({ waitMs }) => waitMs)];
    return Math.min(this.#lookMs, ...waits.filter((waitMs) => waitMs > 0));
  }

  get #lookMs(): number {
    return Math.min(this.#paceMs, MINUTE_MS);
  }

  get #retryMs(): number {
    return Math.min(this.#paceMs, 5 * MINUTE_MS);
  }

  /** Not less than a second, however short the lives of a collection's files are. */
  get #paceMs(): number {
    const { lifetimes } = this.#current?.open.settings ?? DEFAULT_SETTINGS;
    return Math.max(SECOND_MS, Math.min(lifetimes.timestamp, lifetimes.snapshot) / LOOKS_IN_A_LIFE);
  }
}

/** What tells one state of a collection from another without verifying it: each change comes with another timestamp. */
async function stateOf(folder: CollectionFolder): Promise<string> {
  const none = new Uint8Array();
  const files = [
    ['settings', (await folder.readSettings()) ?? none] as const,
    ['timestamp', (await folder.read('timestamp.json')) ?? none] as const,
    ...(await folder.readPending()),
  ];
  return files.map(([name, bytes]) => `${name} ${sha256Digest(bytes)}`).join('\n');
}
