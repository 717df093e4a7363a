import { SHARES } from './mixture.ts';
import { SOAK_KINDS, type SoakKind } from './result.ts';

/** How often it is looked whether a request is due. */
const TICK_MS = 1;
const THOUSAND = 1_000;

/**
 * Starts requests at a fixed rate, whatever becomes of those before: a server that stops for a moment finds all that was
 * due meanwhile, as it would in life.
 */
export class Pace {
  readonly #perSecond: number;
  readonly #begin = performance.now();
  readonly #start: (kind: SoakKind, dueAt: number) => void;
  readonly #timer: NodeJS.Timeout;
  #started = 0;

  /** @param start - begins one request; what takes long goes on beside the next */
  constructor(perSecond: number, start: (kind: SoakKind, dueAt: number) => void) {
    this.#perSecond = perSecond;
    this.#start = start;
    this.#timer = setInterval(() => this.#tick(), TICK_MS);
  }

  /** Starts no more. */
  stop(): void {
    clearInterval(this.#timer);
  }

  #tick(): void {
    const now = performance.now();
    for (;;) {
      const dueAt = this.#begin + (this.#started * 1000) / this.#perSecond;
      if (dueAt > now) return;
      this.#start(kindAt(this.#started), dueAt);
      this.#started += 1;
    }
  }
}

/** The kind of the request with a number: every thousand in a row have exactly their shares, evenly mixed. */
export function kindAt(number: number): SoakKind {
  // 387 and 1000 have no common factor, so a thousand steps meet every place once.
  let place = (number * 387) % THOUSAND;
  for (const kind of SOAK_KINDS) {
    place -= SHARES[kind];
    if (place < 0) return kind;
  }
  throw new Error('the shares are less than a thousand');
}
