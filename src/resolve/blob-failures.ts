import type { Clock } from '../base/clock.ts';
import type { Digest } from '../oci/digest.ts';
import { type Repository, repositoryName } from '../oci/names.ts';
import { UpstreamError } from './errors.ts';

/** The most failures remembered; the oldest are forgotten beyond it. */
const MAX_REMEMBERED = 10_000;

/** Remembers which blobs of which repositories had the wrong digest, so that a client coming back is refused at once. */
export class FailedDigests {
  readonly #clock: Clock;
  readonly #memoryMs: number;
  readonly #untilMs = new Map<string, number>();

  constructor(clock: Clock, memoryMs: number) {
    this.#clock = clock;
    this.#memoryMs = memoryMs;
  }

  /** Remembers a failure. */
  note(repository: Repository, digest: Digest): void {
    const key = keyOf(repository, digest);
    this.#untilMs.delete(key);
    this.#untilMs.set(key, this.#clock.monotonicMs() + this.#memoryMs);
    for (const oldest of this.#untilMs.keys()) {
      if (this.#untilMs.size <= MAX_REMEMBERED) break;
      this.#untilMs.delete(oldest);
    }
  }

  /** @throws {UpstreamError} `digest_mismatch` while a failure of this blob is remembered */
  requireNone(repository: Repository, digest: Digest): void {
    if (this.#untilMs.size === 0) return;
    const key = keyOf(repository, digest);
    const untilMs = this.#untilMs.get(key);
    if (untilMs === undefined) return;
    const remainingMs = untilMs - this.#clock.monotonicMs();
    if (remainingMs <= 0) {
      this.#untilMs.delete(key);
      return;
    }
    throw new UpstreamError('digest_mismatch', 'the upstream just sent other content for it', {
      detail: { digest, remembered: true },
      retryAfterSeconds: Math.ceil(remainingMs / 1000),
    });
  }
}

/** Neither part can contain a space by its grammar. */
function keyOf(repository: Repository, digest: Digest): string {
  return `${repositoryName(repository)} ${digest}`;
}
