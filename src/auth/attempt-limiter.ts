import { LRUCache } from 'lru-cache';
import type { Clock } from '../base/clock.ts';

/** One try to log in. */
export interface Attempt {
  readonly address: string;
  readonly username: string;
}

/** How many failed tries are put up with in one window. */
export interface AttemptLimits {
  /** For one user from one address. Default 10. */
  readonly perPair: number;
  /** From one address, whatever the user; an IPv6 network (/64) counts as one. Default 60. */
  readonly perAddress: number;
  /** For one user, wherever from. Default 60. */
  readonly perUser: number;
  /** Milliseconds. Default 300,000. */
  readonly windowMs: number;
  /** Addresses, users and pairs remembered, each. Default 16,384. */
  readonly maxEntries: number;
}

/** Options of an `AttemptLimiter`. */
export interface AttemptLimiterOptions extends Partial<AttemptLimits> {
  readonly clock: Clock;
  /** Called once per window for each address, user or pair that has used up its tries. */
  readonly onLimit?: (attempt: Attempt) => void;
}

interface Count {
  failures: number;
  /** Tries that have begun and not ended. */
  pending: number;
  readonly endsAt: number;
  isReported: boolean;
}

interface Counted {
  readonly count: Count;
  readonly limit: number;
}

/** How a try ended; `unknown`: it could not be judged. */
export type AttemptEnding = 'failed' | 'succeeded' | 'unknown';

/** A try that may be made. */
export interface BegunAttempt {
  /** Says how it ended; to be called once. */
  readonly end: (ending: AttemptEnding) => void;
}

/** When to try again while other tries are being judged. */
const SOON_SECONDS = 2;

const DEFAULTS: AttemptLimits = {
  perPair: 10,
  perAddress: 60,
  perUser: 60,
  windowMs: 300_000,
  maxEntries: 16_384,
};

/**
 * Slows down guessing. A try counts from its beginning, so that many at once gain nothing. A user who has logged in
 * from an address before is not held up by what others fail at there: behind one address there may be many nodes, and
 * a wrong password on one of them must not stop the rest.
 */
export class AttemptLimiter {
  readonly #options: AttemptLimits & AttemptLimiterOptions;
  readonly #pairs: LRUCache<string, Count>;
  readonly #addresses: LRUCache<string, Count>;
  readonly #users: LRUCache<string, Count>;
  readonly #proven: LRUCache<string, true>;

  constructor(options: AttemptLimiterOptions) {
    this.#options = { ...DEFAULTS, ...options };
    const { maxEntries: max } = this.#options;
    this.#pairs = new LRUCache({ max });
    this.#addresses = new LRUCache({ max });
    this.#users = new LRUCache({ max });
    this.#proven = new LRUCache({ max });
  }

  /** Begins a try: it has to be ended, or may only be made after `retryAfterSeconds`. */
  begin(attempt: Attempt): BegunAttempt | { readonly retryAfterSeconds: number } {
    const counts = this.#countsOf(attempt);
    const full = counts.filter(({ count, limit }) => count.failures >= limit);
    if (full.length > 0) {
      this.#report(full, attempt);
      const now = this.#options.clock.monotonicMs();
      const endsAt = Math.max(...full.map(({ count }) => count.endsAt));
      return { retryAfterSeconds: Math.max(1, Math.ceil((endsAt - now) / 1000)) };
    }
    const isBusy = counts.some(({ count, limit }) => count.failures + count.pending >= limit);
    if (isBusy) return { retryAfterSeconds: SOON_SECONDS };
    for (const { count } of counts) count.pending += 1;
    return { end: (ending) => this.#end(attempt, counts, ending) };
  }

  #end(attempt: Attempt, counts: readonly Counted[], ending: AttemptEnding): void {
    for (const { count } of counts) {
      count.pending -= 1;
      if (ending === 'failed') count.failures += 1;
    }
    if (ending === 'succeeded') this.#proven.set(pairKey(attempt), true);
  }

  #report(full: readonly Counted[], attempt: Attempt): void {
    const fresh = full.filter(({ count }) => !count.isReported);
    for (const { count } of fresh) count.isReported = true;
    if (fresh.length > 0) this.#options.onLimit?.(attempt);
  }

  #countsOf(attempt: Attempt): readonly Counted[] {
    const { perPair, perAddress, perUser } = this.#options;
    const pair = { count: this.#live(this.#pairs, pairKey(attempt)), limit: perPair };
    if (this.#proven.get(pairKey(attempt)) === true) return [pair];
    return [
      pair,
      { count: this.#live(this.#addresses, networkOf(attempt.address)), limit: perAddress },
      { count: this.#live(this.#users, attempt.username), limit: perUser },
    ];
  }

  #live(counts: LRUCache<string, Count>, key: string): Count {
    const now = this.#options.clock.monotonicMs();
    const known = counts.get(key);
    if (known !== undefined && known.endsAt > now) return known;
    const fresh = {
      failures: 0,
      pending: 0,
      endsAt: now + this.#options.windowMs,
      isReported: false,
    };
    counts.set(key, fresh);
    return fresh;
  }
}

// An address has no blank, so no two pairs share a key.
function pairKey({ address, username }: Attempt): string {
  return `${networkOf(address)} ${username}`;
}

/** Whoever has one IPv6 address mostly has 2^64 of them. */
function networkOf(address: string): string {
  if (!address.includes(':')) return address;
  const [head = '', tail] = address.split('%', 1)[0]?.split('::') ?? [];
  const groups = head === '' ? [] : head.split(':');
  const rest = tail === undefined || tail === '' ? [] : tail.split(':');
  while (tail !== undefined && groups.length + rest.length < 8) groups.push('0');
  return `${[...groups, ...rest].slice(0, 4).join(':')}::/64`;
}
