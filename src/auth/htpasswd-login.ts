import { createHash, createHmac, randomBytes } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { SingleFlight } from '../base/single-flight.ts';
import { type Admission, type Rejected, unauthorized } from './admission.ts';
import type { AttemptLimiter } from './attempt-limiter.ts';
import type { UserPassword } from './authorization.ts';
import type { PasswordComparer } from './bcrypt-thread.ts';

/** The users of an htpasswd file: bcrypt hashes by user name. */
export type Users = ReadonlyMap<string, string>;

/** Somewhere to log in with a user name and a password. */
export interface Login {
  /** At once when these were found right before, else with a promise. */
  check(given: UserPassword, address: string): Admission | Promise<Admission>;
  /** A text that changes when what the caller logs in with is no longer good; undefined where nothing says so. */
  stampOf(name: string): string | undefined;
}

/** What is remembered of right logins; passwords only as HMACs under a key that this process forgets when it ends. */
export class LoginMemory {
  readonly #key = randomBytes(32);
  readonly #admitted: LRUCache<string, Admission>;

  /** @param maxEntries - default 4,096 */
  constructor(maxEntries = 4096) {
    this.#admitted = new LRUCache({ max: maxEntries });
  }

  /** What stands for a login in here; the hash is part of it, so that it counts no longer than the file says so. */
  keyOf(source: string, { username, password }: UserPassword, hash: string): string {
    const hmac = createHmac('sha256', this.#key);
    // None of the first three has a line break, so no two logins share this text.
    return hmac.update(`${source}\n${username}\n${hash}\n${password}`).digest('base64');
  }

  /** What a login came to before. */
  get(key: string): Admission | undefined {
    return this.#admitted.get(key);
  }

  /** Remembers a login that was right. */
  set(key: string, admission: Admission): void {
    this.#admitted.set(key, admission);
  }
}

/** What an `HtpasswdLogin` is made from. */
export interface HtpasswdLoginOptions {
  /** The name under `clients`. */
  readonly source: string;
  readonly users: Users;
  readonly comparer: PasswordComparer;
  readonly limiter: AttemptLimiter;
  readonly memory: LoginMemory;
}

const WRONG = 'the user name or the password is wrong';

/** Checks passwords against an htpasswd file. */
export class HtpasswdLogin implements Login {
  readonly #options: HtpasswdLoginOptions;
  readonly #comparing = new SingleFlight<string, Admission>();
  readonly #decoyHash: string;

  constructor(options: HtpasswdLoginOptions) {
    this.#options = options;
    this.#decoyHash = decoyHash(options.users);
  }

  check(given: UserPassword, address: string): Admission | Promise<Admission> {
    const { source, users, memory } = this.#options;
    const hash = users.get(given.username);
    const key = memory.keyOf(source, given, hash ?? '');
    const known = memory.get(key);
    if (known !== undefined) return known;
    // Many nodes with one login start at the same moment: that is one try, not many.
    return this.#comparing.run(
      `${address} ${key}`,
      async () => await this.#compare(given, { address, hash, key }),
    );
  }

  /** An unknown user has a stamp too, which no token has. */
  stampOf(name: string): string {
    const hash = this.#options.users.get(name) ?? randomBytes(16).toString('hex');
    return createHash('sha256').update(hash).digest('base64url').slice(0, 22);
  }

  async #compare(
    given: UserPassword,
    context: {
      readonly address: string;
      readonly hash: string | undefined;
      readonly key: string;
    },
  ): Promise<Admission> {
    const { source, limiter, comparer, memory } = this.#options;
    const { address, hash, key } = context;
    const { username, password } = given;
    const attempt = limiter.begin({ address, username });
    if ('retryAfterSeconds' in attempt) return tooMany(attempt.retryAfterSeconds);
    // An unknown user costs as much time as a known one: names cannot be found out by the clock.
    const isMatch = await comparer.matches(password, hash ?? this.#decoyHash);
    if (isMatch === undefined) {
      attempt.end('unknown');
      return BUSY;
    }
    if (!isMatch || hash === undefined) {
      attempt.end('failed');
      return unauthorized('wrong', WRONG);
    }
    attempt.end('succeeded');
    const caller = { source, name: username, groups: new Set<string>() };
    const admitted: Admission = { verdict: 'admitted', caller };
    memory.set(key, admitted);
    return admitted;
  }
}

const BUSY: Rejected = {
  verdict: 'rejected',
  reason: 'client_check_unavailable',
  shown: 'wrong',
  sentence: 'too many logins are being checked at this moment',
  cause: 'the queue of password comparisons is full, or its thread failed',
  retryAfterSeconds: 5,
};

function tooMany(retryAfterSeconds: number): Rejected {
  return {
    verdict: 'rejected',
    reason: 'client_rate_limited',
    shown: 'wrong',
    sentence: 'too many logins failed for this user or from this address',
    cause: 'too many failed logins',
    retryAfterSeconds,
  };
}

/** A hash that nobody has a password for, as slow as the slowest of the file. */
function decoyHash(users: Users): string {
  const costs = [...users.values()].map((hash) => hash.split('$')[2] ?? '');
  const cost = costs.sort().at(-1) ?? '10';
  return `$2b$${cost}$${'.'.repeat(21)}O${'.'.repeat(31)}`;
}
