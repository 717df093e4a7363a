import type { Clock } from '../base/clock.ts';
import type { LoopTurns } from '../base/loop-turns.ts';
import type { AcceptedState } from './accepted-state.ts';
import { TrustServerError } from './errors.ts';
import type { CollectionKey, TrustStateStore } from './ports.ts';
import type { MetadataRules } from './rules.ts';
import { SharedState } from './shared-state.ts';

/** What a standing is made with. */
export interface StandingOptions {
  readonly key: CollectionKey;
  readonly rules: MetadataRules;
  readonly store: TrustStateStore;
  readonly clock: Clock;
  /** Where verifying waits for its turn; default: nowhere. */
  readonly turns?: LoopTurns;
}

/** A failure is remembered for at most this long, so that a crowd of engines does not become a crowd of refreshes. */
export const MAX_FAILURE_MEMORY_MS = 5_000;

/**
 * How a collection's metadata stands: what is trusted of it, and what the attempts to refresh it came to. Two configurations
 * whose rules for it are the same share it, the later one taking it over (docs/adr/0015); so nothing in it may follow from
 * anything but those rules and the record.
 */
export class Standing {
  readonly key: CollectionKey;
  readonly state: SharedState;
  readonly #clock: Clock;
  readonly #rules: MetadataRules;
  #checkedAtMs: number | undefined;
  #failure: { readonly error: Error; readonly atMs: number } | undefined;
  #attemptedAtMs = 0;
  #attempts = 0;
  /** The last attempt that came to anything. */
  #settled = 0;
  #onSuperseded: () => void = () => undefined;

  constructor(options: StandingOptions) {
    this.key = options.key;
    this.#clock = options.clock;
    this.#rules = options.rules;
    this.state = new SharedState({ ...options, onReplaced: () => this.#onSuperseded() });
  }

  /** What is trusted now; undefined before anything was. */
  get current(): AcceptedState | undefined {
    return this.state.current;
  }

  /** The last refresh's error if it failed. */
  get failure(): Error | undefined {
    return this.#failure?.error;
  }

  /** Monotonic milliseconds at which the last good attempt began; undefined before the first. */
  get checkedAtMs(): number | undefined {
    return this.#checkedAtMs;
  }

  /** Monotonic milliseconds of the last attempt. */
  get attemptedAtMs(): number {
    return this.#attemptedAtMs;
  }

  /** For how much longer answers may be drawn without asking again, in milliseconds; 0 when the server has to be asked. */
  get freshForMs(): number {
    const nowMs = this.#clock.monotonicMs();
    if (this.#checkedAtMs === undefined || !this.isFreshAt(nowMs)) return 0;
    return this.#rules.maxAgeMs - (nowMs - this.#checkedAtMs);
  }

  /** Whether answers may be drawn at a time, in monotonic milliseconds, without asking again. */
  isFreshAt(nowMs: number): boolean {
    // An answer proved bad counts at once; an outage only when the last good answer has aged.
    if (this.#checkedAtMs === undefined || this.isProvedBad) return false;
    return nowMs - this.#checkedAtMs < this.#rules.maxAgeMs;
  }

  /** Whether the last thing found out is that what the server says is bad. */
  get isProvedBad(): boolean {
    return this.failure !== undefined && !(this.failure instanceof TrustServerError);
  }

  /** A failure from just now, which is not tried again yet. */
  get recentFailure(): Error | undefined {
    if (this.#failure === undefined) return undefined;
    const memoryMs = Math.min(this.#rules.maxAgeMs, MAX_FAILURE_MEMORY_MS);
    const ageMs = this.#clock.monotonicMs() - this.#failure.atMs;
    return ageMs < memoryMs ? this.#failure.error : undefined;
  }

  /** Whom to tell from now on, instead of anybody before, when answers drawn so far do not hold any more. */
  tell(onSuperseded: () => void): void {
    this.#onSuperseded = onSuperseded;
  }

  /** An attempt to refresh begins. */
  begin(): Attempt {
    this.#attempts += 1;
    this.#attemptedAtMs = this.#clock.monotonicMs();
    return { number: this.#attempts, startedMs: this.#attemptedAtMs };
  }

  /** The attempt went well. */
  succeed({ number, startedMs }: Attempt): void {
    if (!this.#isNews(number)) return;
    this.#failure = undefined;
    // Counted from before the request went out: what was published since may be missing in the answer.
    this.#checkedAtMs = startedMs;
  }

  /** The attempt failed. @returns what that comes to for whoever asked */
  fail({ number }: Attempt, failure: Error): Error {
    const error = this.#verdictAfter(failure);
    if (!this.#isNews(number)) return error;
    const wasBad = this.isProvedBad;
    this.#failure = { error, atMs: this.#clock.monotonicMs() };
    if (!wasBad && this.isProvedBad) this.#onSuperseded();
    return error;
  }

  /** What an attempt found is of no account once a later one has found something: two configurations may refresh at a time. */
  #isNews(number: number): boolean {
    if (number < this.#settled) return false;
    this.#settled = number;
    return true;
  }

  /** What was proved bad stays so until a good answer: an outage behind it must not bring the earlier answer back. */
  #verdictAfter(failure: Error): Error {
    const mayRevive = failure instanceof TrustServerError && this.current?.set !== undefined;
    const isStillBad = mayRevive && this.isProvedBad;
    return isStillBad ? (this.failure ?? failure) : failure;
  }
}

/** One attempt to refresh. */
export interface Attempt {
  readonly number: number;
  /** Monotonic milliseconds. */
  readonly startedMs: number;
}
