import type { IncomingMessage } from 'node:http';
import { LRUCache } from 'lru-cache';
import type { Clock } from '../base/clock.ts';
import type { HandedAnswer } from './file-answers.ts';
import { SeenClock } from './seen-clock.ts';

/** Stored content that the core has handed over, with how its answer begins. */
export type SeenFile = Omit<HandedAnswer, 'startedAtMs'>;

interface KeptFile {
  readonly seen: SeenFile;
  /** Monotonic milliseconds. */
  readonly until: number;
}

const MAX_FILES = 4_096;

/**
 * The stored blobs that one front may send by itself, by listener and request, until the core has it forget them. Which file it
 * is is looked at again each time.
 */
export class KeptFiles {
  readonly #clock: Clock;
  readonly #files = new LRUCache<string, KeptFile>({ max: MAX_FILES });
  readonly #seen = new SeenClock();
  #epoch: number;

  constructor(clock: Clock, epoch: number) {
    this.#clock = clock;
    this.#epoch = epoch;
  }

  /** What may be sent right now in answer to a request. */
  find(key: string, request: IncomingMessage): SeenFile | undefined {
    if (!isPlain(request)) return undefined;
    const kept = this.#files.get(key);
    if (kept === undefined || kept.until <= this.#clock.monotonicMs()) return undefined;
    return this.#seen.isTrue(this.#clock.now()) ? kept.seen : undefined;
  }

  /**
   * Keeps what the core says may be sent again, unless something has been forgotten since it said so.
   *
   * @param askedAtMs - monotonic milliseconds when the core was asked
   */
  keep(key: string, request: IncomingMessage, seen: SeenFile, askedAtMs: number): void {
    const { keep } = seen.content;
    if (keep === undefined || keep.epoch !== this.#epoch) return;
    if (seen.status !== 200 || !isPlain(request)) return;
    this.#seen.look(keep);
    const headers = withoutDate(seen.headers);
    this.#files.set(key, { seen: { ...seen, headers }, until: askedAtMs + keep.forMs });
  }

  /** It is not to be had any more. */
  drop(key: string): void {
    this.#files.delete(key);
  }

  /** Forgets everything; what the core said before is not kept any more either. */
  forget(epoch: number): void {
    this.#epoch = epoch;
    this.#files.clear();
  }
}

/** Whether a request is for the whole of something, whatever the client has of it. */
function isPlain({ method, headers }: IncomingMessage): boolean {
  return method === 'GET' && headers.range === undefined && headers['if-none-match'] === undefined;
}

/** The moment of an answer is that at which it is given. */
function withoutDate(headers: readonly string[]): readonly string[] {
  return headers.filter((_, index) => headers[index - (index % 2)]?.toLowerCase() !== 'date');
}
