import { AttemptLimiter } from '../auth/attempt-limiter.ts';
import { BcryptThread } from '../auth/bcrypt-thread.ts';
import { LoginMemory } from '../auth/htpasswd-login.ts';
import type { Clock } from '../base/clock.ts';
import type { Log } from '../observe/log.ts';

/** What is remembered of callers from one configuration to the next: a reload must not make guesses free. */
export class ClientMemory {
  readonly comparer: BcryptThread = new BcryptThread();
  readonly logins: LoginMemory = new LoginMemory();
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #limiters = new Map<string, AttemptLimiter>();

  constructor(clock: Clock, log: Log) {
    this.#clock = clock;
    this.#log = log;
  }

  /** The limiter of an entry of `clients`. */
  limiterOf(clients: string): AttemptLimiter {
    const known = this.#limiters.get(clients);
    if (known !== undefined) return known;
    const limiter = new AttemptLimiter({
      clock: this.#clock,
      onLimit: ({ address, username }) =>
        this.#log.event('client.limited', { clients, client: address, user: username }),
    });
    this.#limiters.set(clients, limiter);
    return limiter;
  }

  /** Lets go of what is held open. */
  async close(): Promise<void> {
    await this.comparer.close();
  }
}
