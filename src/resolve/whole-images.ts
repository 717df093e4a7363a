import type { Digest } from '../oci/digest.ts';
import { type Repository, repositoryName } from '../oci/names.ts';

/** How many digests of parts are remembered; the images that were noted first go first. */
const MAX_PARTS = 200_000;

/** Remembers of which blobs images consist that were once whole on disk, so that asking again is cheap. */
export class WholeImages {
  readonly #parts = new Map<string, readonly Digest[]>();
  #count = 0;

  /** The blobs of an image that was whole; undefined for others. */
  partsOf(repository: Repository, digest: Digest): readonly Digest[] | undefined {
    return this.#parts.get(keyOf(repository, digest));
  }

  /** Notes that an image was whole. */
  note(repository: Repository, digest: Digest, parts: readonly Digest[]): void {
    const key = keyOf(repository, digest);
    this.#forget(key);
    this.#parts.set(key, parts);
    this.#count += parts.length + 1;
    for (const oldest of this.#parts.keys()) {
      if (this.#count <= MAX_PARTS) break;
      this.#forget(oldest);
    }
  }

  #forget(key: string): void {
    const parts = this.#parts.get(key);
    if (parts === undefined) return;
    this.#parts.delete(key);
    this.#count -= parts.length + 1;
  }
}

function keyOf(repository: Repository, digest: Digest): string {
  return `${repositoryName(repository)}@${digest}`;
}
