import type { Clock } from '../base/clock.ts';
import type { PublishTarget } from '../signing/publish.ts';
import type { Repository } from '../signing/repository.ts';
import { type Closing, publishRepository } from './publish-places.ts';
import { RetryPace } from './retry-pace.ts';

/** What a `Publishing` works with. */
export interface PublishingOptions {
  /** How status and log name the place. */
  readonly place: string;
  readonly open: () => Closing<PublishTarget>;
  readonly clock: Clock;
  readonly onPublished: (files: readonly string[]) => void;
  readonly onFailed: (error: unknown) => void;
}

/** What the place has, as far as this process knows. */
export interface PublishedState {
  /** The timestamp that is there. */
  readonly bytes: Uint8Array;
  /** Its expiry, and when it was seen to be there; milliseconds since the epoch. */
  readonly expiresAt: number;
  readonly at: number;
}

/** Keeps one place at the newest state of a collection; what fails is tried again. */
export class Publishing {
  readonly place: string;
  readonly #options: PublishingOptions;
  readonly #pace: RetryPace;
  readonly #abort = new AbortController();
  #target: Closing<PublishTarget> | undefined;
  #running: Promise<void> | undefined;
  #published: PublishedState | undefined;
  #failure: unknown;

  constructor(options: PublishingOptions) {
    const { place, clock } = options;
    this.place = place;
    this.#options = options;
    this.#pace = new RetryPace(clock);
  }

  /** What is known to be there; undefined before the first success. */
  get published(): PublishedState | undefined {
    return this.#published;
  }

  /** Why the last attempt failed; undefined after a success. */
  get failure(): unknown {
    return this.#failure;
  }

  /** How long a failed attempt has to wait for the next one; 0 when nothing failed. */
  get waitMs(): number {
    return this.#pace.waitMs;
  }

  /** Changes how long pauses after failures grow. */
  limitPause(longestMs: number): void {
    this.#pace.limit(longestMs);
  }

  /** Publishes a state unless it is there already or it is too early to try again; one at a time. Never rejects. */
  async bring(repository: Repository): Promise<void> {
    if (this.#running === undefined && this.#isWanted(repository)) {
      this.#running = this.#publish(repository).finally(() => {
        this.#running = undefined;
      });
    }
    await this.#running;
  }

  /** Starts nothing more and waits for what is being written, no longer than `drainMs`; then it is cut off. */
  async stop({ drainMs }: { readonly drainMs: number }): Promise<void> {
    this.#abort.abort();
    if (this.#running === undefined) return;
    const timer = this.#options.clock.after(drainMs, () => void this.#target?.close());
    await this.#running;
    timer.cancel();
  }

  #isWanted(repository: Repository): boolean {
    if (this.#pace.waitMs > 0) return false;
    const there = this.#published?.bytes;
    return there === undefined || Buffer.compare(there, repository.set.timestamp.bytes) !== 0;
  }

  async #publish(repository: Repository): Promise<void> {
    const { open, clock, onPublished, onFailed } = this.#options;
    try {
      this.#target = closedOnce(open());
      const files = await publishRepository(repository, this.#target, this.#abort.signal);
      const { bytes, body } = repository.set.timestamp;
      this.#published = { bytes, expiresAt: body.expiresAt, at: clock.now() };
      this.#failure = undefined;
      this.#pace.succeeded();
      onPublished(files);
    } catch (error) {
      // Being stopped says nothing of the place.
      if (this.#abort.signal.aborted) return;
      this.#failure = error;
      this.#pace.failed();
      onFailed(error);
    }
  }
}

function closedOnce<Value>({ value, close }: Closing<Value>): Closing<Value> {
  let closed: Promise<void> | undefined;
  return {
    value,
    close() {
      closed ??= close();
      return closed;
    },
  };
}
