import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** After so many bytes of bodies the young generation is collected. */
const COLLECT_EVERY_BYTES = 16 * 1024 * 1024;

/**
 * Has the buffers of received bodies freed while they are young. Each piece of a body comes in a buffer outside of the heap,
 * with so little inside that V8 sees no young garbage; it notices only how much memory is outside, and then marks the whole
 * heap, twice or three times for each 64 MiB, holding the event loop longer than this does (docs/adr/0021).
 */
export class BodyGarbage {
  /** Made once for the process, at first use. */
  static #collectYoung: (() => void) | undefined;
  readonly #collect: () => void;
  #bytes = 0;

  /** @param collect - default: collects the young generation */
  constructor(collect: () => void = collectYoung) {
    this.#collect = collect;
  }

  /** So many bytes of a body have arrived. */
  note(bytes: number): void {
    this.#bytes += bytes;
    if (this.#bytes < COLLECT_EVERY_BYTES) return;
    this.#bytes = 0;
    this.#collect();
  }

  /** Collects the young generation; nothing happens where V8 does not let it be asked for. */
  static collectYoung(): void {
    BodyGarbage.#collectYoung ??= youngCollector();
    BodyGarbage.#collectYoung();
  }
}

function collectYoung(): void {
  BodyGarbage.collectYoung();
}

function youngCollector(): () => void {
  setFlagsFromString('--expose-gc');
  const gc: unknown = runInNewContext('globalThis.gc');
  // Nobody else is to find it in a context made later.
  setFlagsFromString('--no-expose-gc');
  return typeof gc === 'function' ? () => void gc({ type: 'minor' }) : () => undefined;
}
