import type { Image } from '../../support/images.ts';
import { requireBytes } from '../check.ts';
import type { PinnaceRun } from '../contender.ts';
import { imageOf, type Site } from '../site.ts';

const WARM = 'overload/warm';
const STUCK = 'overload/stuck';
const LARGE_BYTES = 64 * 1024 ** 2;
const SMALL_BYTES = 4096;

/** One image at hand, others whose layers never arrive whole, and one whose manifest never comes. */
export class OverloadWorld {
  readonly warm: Image = imageOf('warm', LARGE_BYTES);
  readonly #halting: readonly Image[];
  readonly #missing: Image = imageOf('missing', SMALL_BYTES);

  /** @param halting - images whose layers never arrive whole */
  constructor(site: Site, halting: number) {
    this.#halting = Array.from({ length: halting }, (_, index) =>
      imageOf(`halting ${index}`, SMALL_BYTES),
    );
    site.publisher(WARM).release('1.0', this.warm);
    const stuck = site.publisher(STUCK);
    for (const [index, image] of this.#halting.entries()) stuck.release(`v${index}`, image);
    stuck.release('missing', this.#missing);
    site.registry.inject(new RegExp(this.#halting.map(layerOf).join('|')), {
      kind: 'hang',
      afterBytes: SMALL_BYTES / 2,
    });
    site.registry.inject(new RegExp(`missing$|${this.#missing.manifest.digest}`), { kind: 'hang' });
  }

  get warmTag(): string {
    return `/v2/${WARM}/manifests/1.0`;
  }

  get warmBlob(): string {
    return `/v2/${WARM}/blobs/${layerOf(this.warm)}`;
  }

  /** A tag that is signed, and whose manifest the registry never sends. */
  get missingTag(): string {
    return `/v2/${STUCK}/manifests/missing`;
  }

  /** Layers of which the registry sends the first half. */
  get haltingBlobs(): readonly string[] {
    return this.#halting.map((image) => `/v2/${STUCK}/blobs/${layerOf(image)}`);
  }

  /** Has everything at hand that can be, and the layers vouched for. @throws {Error} */
  async prepare(pinnace: PinnaceRun): Promise<void> {
    await this.check(pinnace);
    await requireBytes(pinnace, this.warmBlob, layerOf(this.warm));
    for (const [index, { manifest }] of this.#halting.entries()) {
      await requireBytes(pinnace, `/v2/${STUCK}/manifests/v${index}`, manifest.digest);
    }
  }

  /** @throws {Error} when the tag at hand is not answered as signed */
  async check(pinnace: PinnaceRun): Promise<void> {
    await requireBytes(pinnace, this.warmTag, this.warm.manifest.digest);
  }
}

function layerOf({ layers }: Image): string {
  return layers[0]?.digest ?? '';
}
