import type { Clock } from '../base/clock.ts';
import { plainAddress } from '../server/peer.ts';

/** More than the core watches, so that the oldest can be dropped without looking. */
const MAX_WATCHED = 8_192;

/** The clients whose every request is for the core, because it watches whether they go round a refusal. */
export class WatchedClients {
  readonly #clock: Clock;
  /** Monotonic milliseconds until which each is watched, the newest last. */
  readonly #until = new Map<string, number>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Watches a client for so many milliseconds. */
  watch(client: string, forMs: number): void {
    this.#until.delete(client);
    this.#until.set(client, this.#clock.monotonicMs() + forMs);
    for (const oldest of this.#until.keys()) {
      if (this.#until.size <= MAX_WATCHED) break;
      this.#until.delete(oldest);
    }
  }

  /** Whether the client at this address is watched now. */
  has(address: string | undefined): boolean {
    if (this.#until.size === 0) return false;
    const client = plainAddress(address);
    const until = this.#until.get(client);
    if (until === undefined) return false;
    if (until > this.#clock.monotonicMs()) return true;
    this.#until.delete(client);
    return false;
  }
}
