import type { Clock } from '../base/clock.ts';
import { ExchangeError } from './errors.ts';

/** What bounds a piece of work in time. */
export interface DeadlineOptions {
  readonly clock: Clock;
  readonly timeoutMs: number;
  /** The caller's own signal; when it fires, its reason is what the work fails with. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Runs `work` with a signal that fires when the caller's does or when `timeoutMs` have passed, and fails with the reason
 * at that moment even if `work` goes on waiting.
 *
 * After success the time limit is gone and only the caller's signal goes on firing, so that a body may outlive it.
 *
 * @throws {ExchangeError} `timed_out`
 */
export async function withDeadline<Value>(
  options: DeadlineOptions,
  work: (signal: AbortSignal) => Promise<Value>,
): Promise<Value> {
  options.signal?.throwIfAborted();
  const limit = new AbortController();
  const timer = options.clock.after(options.timeoutMs, () => {
    const detail = { timeoutSeconds: options.timeoutMs / 1000 };
    limit.abort(new ExchangeError('timed_out', 'the time limit passed', { detail }));
  });
  const signals = options.signal === undefined ? [] : [options.signal];
  const signal = AbortSignal.any([...signals, limit.signal]);
  try {
    return await abortable(work(signal), signal);
  } finally {
    timer.cancel();
  }
}

/** Settles as `work` does, or rejects with the signal's reason if that fires first; `work` itself is not stopped. */
export function abortable<Value>(work: Promise<Value>, signal?: AbortSignal): Promise<Value> {
  if (signal === undefined) return work;
  return new Promise((resolve, reject) => {
    const stop = (): void => reject(signal.reason);
    if (signal.aborted) stop();
    signal.addEventListener('abort', stop, { once: true });
    const settle = (act: () => void): void => {
      signal.removeEventListener('abort', stop);
      act();
    };
    work.then(
      (value) => settle(() => resolve(value)),
      (error: unknown) => settle(() => reject(error)),
    );
  });
}
