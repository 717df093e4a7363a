import type { Writable } from 'node:stream';
import { BlobSendError } from './blob-errors.ts';

interface Waiter {
  resolve(): void;
  reject(error: unknown): void;
}

/**
 * Hands chunks to a sink with back-pressure and notices its end: closing, failing or the signal makes every call, waiting
 * or later, reject. `release` takes all listeners off again.
 */
export class SinkGate {
  readonly #sink: Writable;
  readonly #signal: AbortSignal | undefined;
  readonly #onEnd: () => void;
  readonly #drained = new Set<Waiter>();
  readonly #consumed = new Set<Waiter>();
  #failure: { readonly error: unknown } | undefined;

  /** @param onEnd - called once when the sink can take no more, so that a caller waiting elsewhere can be woken */
  constructor(sink: Writable, signal: AbortSignal | undefined, onEnd: () => void) {
    this.#sink = sink;
    this.#signal = signal;
    this.#onEnd = onEnd;
    sink.on('close', this.#closed);
    sink.on('error', this.#failed);
    sink.on('drain', this.#drain);
    signal?.addEventListener('abort', this.#aborted, { once: true });
    if (signal?.aborted === true) this.#aborted();
    else if (sink.destroyed || sink.writableEnded) this.#closed();
  }

  /**
   * @throws {BlobSendError} `client_gone`
   * @throws the signal's reason
   */
  requireOpen(): void {
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  /** Writes a chunk that is never reused; resolves when the sink wants more. */
  async offer(chunk: Uint8Array): Promise<void> {
    this.requireOpen();
    if (this.#sink.write(chunk)) return;
    await this.#wait(this.#drained);
  }

  /** Writes a chunk and resolves when the sink no longer needs its memory; after a rejection it may still need it. */
  async consume(chunk: Uint8Array): Promise<void> {
    this.requireOpen();
    await new Promise<void>((resolve, reject) => {
      const waiter: Waiter = { resolve, reject };
      this.#consumed.add(waiter);
      this.#sink.write(chunk, (error) => {
        this.#consumed.delete(waiter);
        if (error === null || error === undefined) resolve();
        else reject(clientGone(error));
      });
    });
  }

  /** Takes the listeners off. */
  release(): void {
    this.#sink.off('close', this.#closed);
    this.#sink.off('error', this.#failed);
    this.#sink.off('drain', this.#drain);
    this.#signal?.removeEventListener('abort', this.#aborted);
  }

  #wait(waiters: Set<Waiter>): Promise<void> {
    return new Promise((resolve, reject) => {
      waiters.add({ resolve, reject });
    });
  }

  readonly #drain = (): void => {
    for (const waiter of this.#drained) waiter.resolve();
    this.#drained.clear();
  };

  readonly #closed = (): void => this.#end(clientGone());

  readonly #failed = (error: unknown): void => this.#end(clientGone(error));

  readonly #aborted = (): void => this.#end(this.#signal?.reason ?? clientGone());

  #end(error: unknown): void {
    if (this.#failure !== undefined) return;
    this.#failure = { error };
    for (const waiter of [...this.#drained, ...this.#consumed]) waiter.reject(error);
    this.#drained.clear();
    this.#consumed.clear();
    this.#onEnd();
  }
}

function clientGone(cause?: unknown): BlobSendError {
  return new BlobSendError('client_gone', 'the client closed the connection', { cause });
}
