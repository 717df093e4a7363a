import type { LoopTurns } from '../base/loop-turns.ts';
import type { MetadataFetchOptions, MetadataSource } from './ports.ts';

/**
 * A source whose files come one after the other, so that those who verify them do not do so all in one turn of the event loop.
 * Timestamps come at once: mostly they are the ones known already, and nothing is to be verified.
 */
export class PacedSource implements MetadataSource {
  readonly #inner: MetadataSource;
  readonly #turns: LoopTurns;

  constructor(inner: MetadataSource, turns: LoopTurns) {
    this.#inner = inner;
    this.#turns = turns;
  }

  async fetch(
    gun: string,
    file: string,
    options: MetadataFetchOptions,
  ): Promise<Uint8Array | undefined> {
    const bytes = await this.#inner.fetch(gun, file, options);
    if (bytes !== undefined && file !== 'timestamp.json') await this.#turns.next();
    return bytes;
  }

  async close(): Promise<void> {
    await this.#inner.close();
  }
}
