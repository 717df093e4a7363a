import { SingleFlight } from '../base/single-flight.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';
import type { BreakGlassEntry } from '../policy/break-glass.ts';
import { UpstreamError } from './errors.ts';
import type { UnverifiedContent } from './unverified-content.ts';

/** Manifests of one image that are looked at, its own included. */
const MAX_MANIFESTS = 256;

/** What the images of break-glass entries consist of: known from their own manifests alone, and forgotten with the entry. */
export class BreakGlassImages {
  readonly #content: UnverifiedContent;
  readonly #parts = new WeakMap<BreakGlassEntry, ReadonlyMap<Digest, Descriptor>>();
  readonly #reading = new SingleFlight<BreakGlassEntry, ReadonlyMap<Digest, Descriptor>>();

  constructor(content: UnverifiedContent) {
    this.#content = content;
  }

  /**
   * What the image of an entry says of a digest; undefined when that is no part of it.
   *
   * @throws {UpstreamError} the image could not be read
   * @throws {PullError} the image is denied or not servable
   */
  async partOf(entry: BreakGlassEntry, digest: Digest): Promise<Descriptor | undefined> {
    const parts =
      this.#parts.get(entry) ?? (await this.#reading.run(entry, () => this.#read(entry)));
    return parts.get(digest);
  }

  /** Shared by all who wait for it, so nobody's signal stops it; the upstream's time limits do. */
  async #read(entry: BreakGlassEntry): Promise<ReadonlyMap<Digest, Descriptor>> {
    const parts = new Map<Digest, Descriptor>();
    const manifests = new Set<Digest>([entry.digest]);
    // The set grows while it is walked.
    for (const digest of manifests) {
      for (const part of await this.#partsOf(entry, digest)) {
        parts.set(part.digest, part);
        if (part.kind === 'manifest' && manifests.size < MAX_MANIFESTS) manifests.add(part.digest);
      }
    }
    this.#parts.set(entry, parts);
    return parts;
  }

  async #partsOf(entry: BreakGlassEntry, digest: Digest): Promise<readonly Descriptor[]> {
    try {
      const { parts } = await this.#content.manifestByDigest(entry.repository, digest, undefined);
      return parts;
    } catch (error) {
      // Registries often hold an index for more machines than they have images for.
      const isMissing = error instanceof UpstreamError && error.code === 'manifest_missing';
      if (isMissing && digest !== entry.digest) return [];
      throw error;
    }
  }
}
