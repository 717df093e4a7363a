import type { Clock } from '../base/clock.ts';
import { type KeySet, parseKeySet } from './key-set.ts';

/** The keys that tokens may be signed with. */
export interface KeySource {
  /** The keys as they are known. @throws {KeysUnavailable} */
  current(): Promise<KeySet>;
  /** The keys, asked for anew if that is not too soon: a token names one that is not known. @throws {KeysUnavailable} */
  renewed(): Promise<KeySet>;
}

/** The keys cannot be had, so nothing can be said about any token. */
export class KeysUnavailable extends Error {
  constructor(cause: unknown) {
    super('the keys of the token service cannot be fetched', { cause });
    this.name = 'KeysUnavailable';
  }
}

/** Keys that are known from the start. */
export class FixedKeys implements KeySource {
  readonly #keys: KeySet;

  constructor(keys: KeySet) {
    this.#keys = keys;
  }

  async current(): Promise<KeySet> {
    return this.#keys;
  }

  async renewed(): Promise<KeySet> {
    return this.#keys;
  }
}

/** How keys are fetched. */
export interface FetchedKeysOptions {
  readonly clock: Clock;
  /** Fetches the key set; at most `MAX_KEY_SET_BYTES` of text. */
  readonly fetch: () => Promise<string>;
  /** Told when keys could not be fetched. */
  readonly onFailure?: (error: unknown) => void;
}

/** Keys are asked for anew when they are this old; milliseconds. */
const FRESH_MS = 300_000;
/** Keys are used while they cannot be asked for anew until they are this old; milliseconds. */
const USABLE_MS = 3_600_000;
/** Keys are not asked for again sooner than this after the last time; milliseconds. */
const PAUSE_MS = 30_000;

/** Keys that are fetched from a URL, and kept for a while. */
export class FetchedKeys implements KeySource {
  readonly #options: FetchedKeysOptions;
  #fetching: Promise<KeySet> | undefined;
  #known: { readonly keys: KeySet; readonly at: number } | undefined;
  #triedAt = Number.NEGATIVE_INFINITY;
  #failure: unknown;

  constructor(options: FetchedKeysOptions) {
    this.#options = options;
  }

  async current(): Promise<KeySet> {
    const age = this.#age();
    if (this.#known !== undefined && age < FRESH_MS) return this.#known.keys;
    return await this.#fetchUnlessTooSoon();
  }

  async renewed(): Promise<KeySet> {
    return await this.#fetchUnlessTooSoon();
  }

  /** Anybody can name a key that nobody knows: that must not become a request each time. */
  async #fetchUnlessTooSoon(): Promise<KeySet> {
    if (this.#fetching === undefined) {
      const { clock } = this.#options;
      if (clock.monotonicMs() - this.#triedAt < PAUSE_MS) return this.#kept();
      this.#triedAt = clock.monotonicMs();
      this.#fetching = this.#fetch().finally(() => {
        this.#fetching = undefined;
      });
    }
    try {
      return await this.#fetching;
    } catch {
      return this.#kept();
    }
  }

  async #fetch(): Promise<KeySet> {
    const { clock, fetch, onFailure } = this.#options;
    try {
      const parsed = parseKeySet(await fetch());
      if (!parsed.ok) throw new Error(`what the token service sent ${parsed.problem}`);
      this.#known = { keys: parsed.value, at: clock.monotonicMs() };
      return parsed.value;
    } catch (error) {
      this.#failure = error;
      onFailure?.(error);
      throw error;
    }
  }

  #kept(): KeySet {
    if (this.#known !== undefined && this.#age() < USABLE_MS) return this.#known.keys;
    throw new KeysUnavailable(this.#failure);
  }

  #age(): number {
    return this.#options.clock.monotonicMs() - (this.#known?.at ?? 0);
  }
}
