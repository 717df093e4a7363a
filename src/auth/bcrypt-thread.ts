import { Worker } from 'node:worker_threads';

/** Compares passwords with bcrypt hashes. */
export interface PasswordComparer {
  /** Whether `password` has this hash; undefined when too many are waiting or the comparer fails. */
  matches(password: string, hash: string): Promise<boolean | undefined>;
}

interface Question {
  readonly password: string;
  readonly hash: string;
  readonly answer: (isMatch: boolean | undefined) => void;
}

/** How many comparisons may wait: at 70 ms each, what stands behind them would wait for longer than engines do. */
const MAX_WAITING = 64;

/**
 * Compares in a thread of its own, one after the other: bcrypt is slow on purpose, and the event loop must not stand
 * still for it. The thread is started at the first question.
 */
export class BcryptThread implements PasswordComparer {
  readonly #waiting: Question[] = [];
  #current: Question | undefined;
  #worker: Worker | undefined;
  #isClosed = false;

  async matches(password: string, hash: string): Promise<boolean | undefined> {
    if (this.#isClosed || this.#waiting.length >= MAX_WAITING) return undefined;
    const { promise, resolve } = Promise.withResolvers<boolean | undefined>();
    this.#waiting.push({ password, hash, answer: resolve });
    this.#next();
    return await promise;
  }

  /** Ends the thread; whoever waits hears that nothing was found out. */
  async close(): Promise<void> {
    this.#isClosed = true;
    const worker = this.#worker;
    this.#fail();
    for (const question of this.#waiting.splice(0)) question.answer(undefined);
    await worker?.terminate();
  }

  #next(): void {
    if (this.#current !== undefined) return;
    const question = this.#waiting.shift();
    if (question === undefined) return;
    this.#current = question;
    this.#worker ??= this.#start();
    const { password, hash } = question;
    this.#worker.postMessage({ password, hash });
  }

  #start(): Worker {
    const worker = new Worker(WORKER_FILE);
    // It must not keep a process alive that has nothing else to do; the server's sockets do.
    worker.unref();
    worker.on('message', (isMatch: unknown) => {
      this.#current?.answer(isMatch === true);
      this.#current = undefined;
      this.#next();
    });
    worker.on('error', () => this.#fail());
    worker.on('exit', () => worker === this.#worker && this.#fail());
    return worker;
  }

  /** Gives up the thread and what it was asked; the next question starts another one. */
  #fail(): void {
    this.#worker = undefined;
    this.#current?.answer(undefined);
    this.#current = undefined;
    if (!this.#isClosed) this.#next();
  }
}

/** Beside this file, with the same ending: sources run as they are, and built files beside each other. */
const WORKER_FILE = new URL(import.meta.url.replace(/bcrypt-thread(\.[jt]s)$/, 'bcrypt-worker$1'));
