import type { Clock } from '../base/clock.ts';
import { abortable } from './deadline.ts';
import { ExchangeError } from './errors.ts';

/** How often and after what pause a safe request is tried again. */
export interface RetryPolicy {
  /** Attempts altogether, at least 1. */
  readonly tries: number;
  /** The longest pause before the second attempt; doubled before each further one, and shortened by up to half at random. */
  readonly baseDelayMs: number;
}

/** What `retrying` needs beside the work. */
export interface RetryOptions {
  readonly policy: RetryPolicy;
  readonly clock: Clock;
  readonly signal?: AbortSignal;
}

/**
 * Runs `work`, and runs it again while it fails with a transient `ExchangeError` and tries are left. A failure of the last
 * try, and any other error at once, goes to the caller.
 */
export async function retrying<Value>(
  work: () => Promise<Value>,
  options: RetryOptions,
): Promise<Value> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof ExchangeError && error.isTransient)) throw error;
      // Final, so that retries round retries (a token within a manifest) do not multiply.
      if (attempt >= options.policy.tries) throw error.asFinal();
      // Jitter: engines that failed together should not come back together.
      const delayMs = options.policy.baseDelayMs * 2 ** (attempt - 1) * (1 - Math.random() / 2);
      await pause(delayMs, options);
    }
  }
}

async function pause(delayMs: number, options: RetryOptions): Promise<void> {
  let cancel = (): void => undefined;
  const waited = new Promise<void>((resolve) => {
    const timer = options.clock.after(delayMs, resolve);
    cancel = () => timer.cancel();
  });
  try {
    await abortable(waited, options.signal);
  } finally {
    cancel();
  }
}
