import type { Clock } from '../base/clock.ts';
import { type WaitingLimits, WaitingLine } from '../base/waiting-line.ts';
import { PullError } from './errors.ts';

/** How many blobs are fetched at once, and how many wait for how long. */
export interface DownloadLimits {
  readonly blobs: number;
  readonly waiting: WaitingLimits;
  /** Whether blobs may come from one registry only; then there is nobody to leave places for. */
  readonly hasOneUpstream: boolean;
}

/** How many times the places that are left over one registry may have; the others always find some. */
const SHARE = 3;

/**
 * The places of blobs that are being fetched, of all registries together. A registry has at most three times as many as are
 * left over, so that one that hangs leaves a quarter of them to the others. What finds no place waits in line.
 */
export class DownloadPlaces {
  readonly #line: WaitingLine<string>;
  readonly #taken = new Map<string, number>();
  #limits: DownloadLimits;
  #total = 0;
  #turnedAway = 0;

  constructor(clock: Clock, limits: DownloadLimits) {
    this.#limits = limits;
    this.#line = new WaitingLine(clock, limits.waiting);
  }

  /** The most at once. */
  get most(): number {
    return this.#limits.blobs;
  }

  get taken(): number {
    return this.#total;
  }

  get waiting(): number {
    return this.#line.length;
  }

  /** Blobs that got no place, since the start. */
  get turnedAway(): number {
    return this.#turnedAway;
  }

  /** Takes other limits; blobs that are being fetched go on. */
  configure(limits: DownloadLimits): void {
    this.#limits = limits;
    this.#line.limits = limits.waiting;
    this.#call();
  }

  /**
   * Takes a place for a blob of this registry, at once or when it is its turn.
   *
   * @returns what gives the place back; to be called once
   * @throws {PullError} `overloaded` when too many wait, or for too long
   * @throws the signal's reason
   */
  async enter(registry: string, signal: AbortSignal): Promise<() => void> {
    if (this.#isOpenTo(registry)) {
      this.#add(registry);
      return () => this.#leave(registry);
    }
    const end = await this.#line.wait(registry, signal);
    if (end === 'called') return () => this.#leave(registry);
    this.#turnedAway += 1;
    throw new PullError('overloaded', 'no place came free among the blobs being fetched', {
      detail: { limit: 'blobs', most: this.most, registry },
    });
  }

  #isOpenTo(registry: string): boolean {
    const { blobs, hasOneUpstream } = this.#limits;
    if (this.#total >= blobs) return false;
    const own = this.#taken.get(registry) ?? 0;
    if (own === 0 || hasOneUpstream) return true;
    const left = blobs - this.#total - 1;
    return own + 1 <= SHARE * left;
  }

  #add(registry: string): void {
    this.#total += 1;
    this.#taken.set(registry, (this.#taken.get(registry) ?? 0) + 1);
  }

  #leave(registry: string): void {
    this.#total -= 1;
    const own = (this.#taken.get(registry) ?? 1) - 1;
    if (own > 0) this.#taken.set(registry, own);
    else this.#taken.delete(registry);
    this.#call();
  }

  #call(): void {
    if (this.#line.length === 0) return;
    this.#line.call((registry) => {
      if (!this.#isOpenTo(registry)) return false;
      this.#add(registry);
      return true;
    });
  }
}
