import { Agent } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Answered, askOver } from '../ask.ts';
import { MANIFEST_ACCEPT } from '../engine.ts';

/** What callers ask for. */
export interface Wanted {
  readonly urls: readonly string[];
  /** What an answer has to be; absent: nobody can be served. */
  readonly digest?: string;
  /** Reasons beside `overloaded` for which an answer may be put off; default none. */
  readonly reasons?: readonly string[];
  /** Whether each request makes a connection of its own. */
  readonly reconnects: boolean;
}

const PAUSE_MS = 20;

/** Clients that ask again and again, one for each URL; there is more of them than there may be. */
export class Callers {
  readonly #wanted: Wanted;
  readonly #agent: Agent;
  /** Milliseconds until each refusal. */
  readonly #refused: number[] = [];
  readonly #running: readonly Promise<void>[];
  #isOver = false;
  #wrong: Error | undefined;

  constructor(wanted: Wanted) {
    this.#wanted = wanted;
    this.#agent = new Agent({ keepAlive: !wanted.reconnects });
    this.#running = wanted.urls.map(async (url) => await this.#call(url));
  }

  /**
   * Sends them away.
   *
   * @returns milliseconds until each refusal
   * @throws {Error} the first answer that nobody should get
   */
  async stop(): Promise<readonly number[]> {
    this.#isOver = true;
    this.#agent.destroy();
    await Promise.all(this.#running);
    if (this.#wrong !== undefined) throw this.#wrong;
    return this.#refused;
  }

  async #call(url: string): Promise<void> {
    while (!this.#isOver && this.#wrong === undefined) {
      const begin = performance.now();
      const answer = await this.#ask(url);
      if (this.#isOver) return;
      const end = endOf(answer, this.#wanted);
      if (end === undefined) this.#wrong = new Error(wordsFor(url, answer));
      else if (end === 'refused') this.#refused.push(performance.now() - begin);
      await sleep(PAUSE_MS);
    }
  }

  async #ask(url: string): Promise<Answered | undefined> {
    try {
      return await askOver(this.#agent, { url, headers: { accept: MANIFEST_ACCEPT } });
    } catch {
      return undefined;
    }
  }
}

/** Served what is wanted, told in clear words to come again, or cut off without a word. */
type End = 'served' | 'refused' | 'cut';

/** What came of a request; undefined when it is what must not be. */
function endOf(answer: Answered | undefined, { digest, reasons = [] }: Wanted): End | undefined {
  if (answer?.isComplete !== true) return 'cut';
  const { status, header } = answer;
  if (status === 200 && digest !== undefined && answer.digest === digest) return 'served';
  const isKnown = ['overloaded', ...reasons].includes(header('x-pinnace-reason') ?? '');
  const isClear = isKnown && header('retry-after') !== undefined;
  return status === 503 && isClear ? 'refused' : undefined;
}

function wordsFor(url: string, answer: Answered | undefined): string {
  const reason = answer?.header('x-pinnace-reason');
  return `${url}, of which there is too much, is answered with ${answer?.status} ${reason ?? ''}`;
}
