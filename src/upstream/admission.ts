import type { Clock } from '../base/clock.ts';
import { type BreakerPolicy, type BreakerState, CircuitBreaker } from './circuit-breaker.ts';
import { ExchangeError } from './errors.ts';

/** How much one server is asked at once. */
export interface AdmissionLimits {
  /** Requests under way, bodies included. */
  readonly requests: number;
  /** Requests that wait for one of those to end. */
  readonly queue: number;
}

/** What decides about requests to one server. */
export interface AdmissionOptions {
  /** Host and port, for messages. */
  readonly host: string;
  readonly limits: AdmissionLimits;
  readonly breaker: BreakerPolicy;
  readonly clock: Clock;
  readonly onBreaker: (state: BreakerState) => void;
}

/** A request that was let in: says what came of it, and leaves at the end. */
export interface Lease {
  /** Whether others wait for what comes of this one. */
  readonly isTrial: boolean;
  /** The server is there, although it is not known yet how the rest goes; what waits for a trial may go on. */
  answered(): void;
  succeeded(): void;
  failed(): void;
  /** Gives the place to the next; a second call does nothing. */
  leave(): void;
}

interface Waiting {
  readonly enter: (lease: Lease) => void;
  readonly refuse: (error: ExchangeError) => void;
}

/** The longest wait in the queue, in milliseconds. */
const MAX_WAIT_MS = 30_000;
const BUSY_RETRY_SECONDS = 5;

/**
 * The door to one server: so many requests at once, a bounded queue, and none while it is given a rest. A server that hangs
 * fills its own door, never another's.
 */
export class Admission {
  readonly #options: AdmissionOptions;
  readonly #breaker: CircuitBreaker;
  readonly #queue = new Set<Waiting>();
  #inFlight = 0;

  constructor(options: AdmissionOptions) {
    this.#options = options;
    this.#breaker = new CircuitBreaker(options.breaker, options.clock, options.onBreaker);
  }

  get inFlight(): number {
    return this.#inFlight;
  }

  get queued(): number {
    return this.#queue.size;
  }

  get breaker(): Pick<CircuitBreaker, 'state' | 'waitMs'> {
    return this.#breaker;
  }

  /**
   * Waits to be let in; the caller then has to call `leave`.
   *
   * @throws {ExchangeError} `resting` while the server is given a rest, `busy` when the queue is full or moves too slowly; the
   * signal's reason when that fires
   */
  async enter(signal?: AbortSignal): Promise<Lease> {
    signal?.throwIfAborted();
    this.#requireRested();
    const { limits } = this.#options;
    if (this.#inFlight < limits.requests) return this.#lease();
    if (this.#queue.size >= limits.queue) throw this.#busy('are under way, and more wait');
    return await this.#wait(signal);
  }

  /** @throws {ExchangeError} `resting` */
  #requireRested(): void {
    const error = this.#resting();
    if (error !== undefined) throw error;
  }

  #resting(): ExchangeError | undefined {
    const waitMs = this.#breaker.waitMs();
    if (waitMs === 0) return undefined;
    const { host } = this.#options;
    const retryAfterSeconds = Math.max(1, Math.ceil(waitMs / 1000));
    const { failures } = this.#breaker;
    const message = `${host} failed ${failures} requests in a row and is not asked for another ${retryAfterSeconds} s`;
    return new ExchangeError('resting', message, {
      detail: { host, failures },
      retryAfterSeconds,
    });
  }

  #lease(): Lease {
    const pass = this.#breaker.begin();
    this.#inFlight += 1;
    let hasLeft = false;
    return {
      isTrial: pass.isTrial,
      answered() {
        if (pass.isTrial) pass.succeeded();
      },
      succeeded: () => pass.succeeded(),
      failed: () => pass.failed(),
      leave: () => {
        if (hasLeft) return;
        hasLeft = true;
        // Where it was said how it went, this says nothing more.
        pass.abandoned();
        this.#inFlight -= 1;
        this.#letNextIn();
      },
    };
  }

  #letNextIn(): void {
    for (const next of this.#queue) {
      if (this.#inFlight >= this.#options.limits.requests) return;
      this.#queue.delete(next);
      const resting = this.#resting();
      if (resting === undefined) next.enter(this.#lease());
      else next.refuse(resting);
    }
  }

  async #wait(signal: AbortSignal | undefined): Promise<Lease> {
    const { promise, resolve, reject } = Promise.withResolvers<Lease>();
    const waiting: Waiting = { enter: resolve, refuse: reject };
    const leaveQueue = (reason: unknown): void => {
      if (this.#queue.delete(waiting)) reject(reason);
    };
    const onAbort = (): void => leaveQueue(signal?.reason);
    const timer = this.#options.clock.after(MAX_WAIT_MS, () =>
      leaveQueue(this.#busy(`went before, and none ended in time`)),
    );
    signal?.addEventListener('abort', onAbort, { once: true });
    this.#queue.add(waiting);
    try {
      return await promise;
    } finally {
      timer.cancel();
      signal?.removeEventListener('abort', onAbort);
    }
  }

  #busy(how: string): ExchangeError {
    const { host, limits } = this.#options;
    const count = limits.requests;
    const message = `${count} requests to ${host} ${how}, which is all that Pinnace sends it at once`;
    return new ExchangeError('busy', message, {
      detail: { host, requests: count },
      retryAfterSeconds: BUSY_RETRY_SECONDS,
    });
  }
}
