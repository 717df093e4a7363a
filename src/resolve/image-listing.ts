import type { Descriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';
import { MAX_MANIFEST_PARTS, type Manifest, parseManifest } from '../oci/manifest.ts';
import type { Repository } from '../oci/names.ts';
import { matchesPlatform, type Platform } from '../oci/platform.ts';
import type { Refusal, ServedManifest, VerifiedPullService } from './pull-service.ts';

/** Every blob of an image, of all its platforms that are wanted. */
export interface ImageParts {
  readonly verdict: 'listed';
  readonly blobs: readonly Descriptor[];
}

/** How many manifests of one image are asked for at a time. */
const MANIFESTS_AT_ONCE = 4;

/**
 * Lists the configs and layers of an image, and of an index those of its children, each manifest verified as for a pull
 * by digest. Layers that the manifest says may be had elsewhere (`urls`) are left out: registries need not have them.
 */
export class ImageListing {
  readonly #pulls: VerifiedPullService;
  readonly #repository: Repository;
  readonly #platforms: readonly Platform[];
  readonly #blobs = new Map<Digest, Descriptor>();
  readonly #manifests = new Set<Digest>();

  /**
   * @param platforms - of which machines the children are wanted; none named: of all. A child that names no machine
   *   (an attestation) is always wanted.
   */
  constructor(pulls: VerifiedPullService, repository: Repository, platforms: readonly Platform[]) {
    this.#pulls = pulls;
    this.#repository = repository;
    this.#platforms = platforms;
  }

  /**
   * Lists one image; call once.
   *
   * @returns the refusal of the first manifest that is not served, or `image_incomplete` for an image of too many parts
   */
  async list(image: ServedManifest): Promise<ImageParts | Refusal> {
    this.#manifests.add(image.digest);
    let level: readonly ServedManifest[] = [image];
    while (level.length > 0) {
      const children = level.flatMap(({ bytes, mediaType }) =>
        this.#take(parseManifest(bytes, mediaType)),
      );
      if (this.#blobs.size + this.#manifests.size > MAX_MANIFEST_PARTS) return tooManyParts(image);
      const served = await this.#fetch(children);
      if ('verdict' in served) return served;
      level = served;
    }
    return { verdict: 'listed', blobs: [...this.#blobs.values()] };
  }

  /** Notes the blobs of a manifest and gives back the children that were not seen before. */
  #take({ parts, foreign, platforms }: Manifest): readonly Digest[] {
    const children: Digest[] = [];
    for (const part of parts) {
      if (part.kind === 'blob') {
        if (!foreign.has(part.digest)) this.#blobs.set(part.digest, part);
      } else if (!this.#manifests.has(part.digest) && this.#wants(platforms.get(part.digest))) {
        this.#manifests.add(part.digest);
        children.push(part.digest);
      }
    }
    return children;
  }

  #wants(offered: readonly Platform[] | undefined): boolean {
    if (offered === undefined || this.#platforms.length === 0) return true;
    return offered.some((one) => this.#platforms.some((other) => matchesPlatform(one, other)));
  }

  async #fetch(digests: readonly Digest[]): Promise<readonly ServedManifest[] | Refusal> {
    const manifests: ServedManifest[] = [];
    for (let start = 0; start < digests.length; start += MANIFESTS_AT_ONCE) {
      const answers = await Promise.all(
        digests
          .slice(start, start + MANIFESTS_AT_ONCE)
          .map((digest) => this.#pulls.manifestByDigest(this.#repository, digest, {})),
      );
      for (const answer of answers) {
        if (answer.verdict !== 'pinned') return answer;
        manifests.push(answer);
      }
    }
    return manifests;
  }
}

function tooManyParts({ rule }: ServedManifest): Refusal {
  return {
    verdict: 'inconclusive',
    reason: 'image_incomplete',
    cause: 'the image has too many parts to be completed',
    facts: { maxParts: MAX_MANIFEST_PARTS },
    ...(rule === undefined ? {} : { rule }),
  };
}
