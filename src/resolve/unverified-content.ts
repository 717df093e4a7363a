import type { Descriptor } from '../oci/descriptor.ts';
import { type Digest, hasDigest, sha256Digest } from '../oci/digest.ts';
import { MAX_MANIFEST_BYTES } from '../oci/manifest.ts';
import type { Repository, Tag } from '../oci/names.ts';
import type { Policy } from '../policy/policy.ts';
import { requireDigestsAllowed } from './denials.ts';
import { UpstreamError } from './errors.ts';
import { parseServable } from './parse-servable.ts';
import type { BlobContent, BlobProvider, FetchedManifest, UpstreamContent } from './ports.ts';
import type { BlobOptions } from './pull-service.ts';

/** Reads what a registry says a tag is. Only `UnverifiedContent` asks it. */
export interface UnverifiedTags {
  /** @throws {UpstreamError} */
  fetchByTagUnverified(
    repository: Repository,
    tag: Tag,
    options: { readonly maxBytes: number; readonly signal?: AbortSignal },
  ): Promise<FetchedManifest>;
}

/** What `UnverifiedContent` is put together from. */
export interface UnverifiedContentOptions {
  readonly policy: Policy;
  readonly upstream: UpstreamContent & UnverifiedTags;
  readonly blobs: BlobProvider;
  /** The largest manifest accepted, in bytes; default and upper bound 4 MiB. */
  readonly maxManifestBytes?: number;
}

/** A manifest with what it refers to. Its bytes have its digest; nothing says that it is the right one. */
export interface UnverifiedManifest {
  readonly digest: Digest;
  readonly mediaType: string;
  readonly bytes: Uint8Array;
  readonly parts: readonly Descriptor[];
}

/**
 * Content of registries that nothing vouches for. It has the digest it goes by and is on no deny list; it is taken from the
 * repository's own registry each time, and never from what other repositories have brought here, nor does it become vouched.
 */
export class UnverifiedContent {
  readonly #options: UnverifiedContentOptions;

  constructor(options: UnverifiedContentOptions) {
    this.#options = options;
  }

  /**
   * What the registry says a tag is.
   *
   * @throws {UpstreamError}
   * @throws {PullError} `denied_by_rule`, `media_type_not_supported`
   */
  async manifestByTag(
    repository: Repository,
    tag: Tag,
    signal: AbortSignal | undefined,
  ): Promise<UnverifiedManifest> {
    const { upstream } = this.#options;
    const fetched = await upstream
      .fetchByTagUnverified(repository, tag, this.#limits(signal))
      .catch(missingAsUnverified);
    return this.#checked(repository, sha256Digest(fetched.bytes), fetched);
  }

  /**
   * What the registry has under a digest.
   *
   * @throws {UpstreamError} also `digest_mismatch`
   * @throws {PullError} `denied_by_rule`, `media_type_not_supported`
   */
  async manifestByDigest(
    repository: Repository,
    digest: Digest,
    signal: AbortSignal | undefined,
  ): Promise<UnverifiedManifest> {
    requireDigestsAllowed(this.#options.policy, repository, [digest]);
    const { upstream } = this.#options;
    const fetched = await upstream
      .fetchManifest(repository, digest, this.#limits(signal))
      .catch(missingAsUnverified);
    if (!hasDigest(fetched.bytes, digest)) {
      throw new UpstreamError('digest_mismatch', 'the manifest does not have its digest');
    }
    return this.#checked(repository, digest, fetched);
  }

  /**
   * A blob of the repository.
   *
   * @throws {UpstreamError}
   * @throws {PullError} `denied_by_rule`
   */
  async blob(repository: Repository, digest: Digest, options: BlobOptions): Promise<BlobContent> {
    requireDigestsAllowed(this.#options.policy, repository, [digest]);
    // Asked of this repository also when the content is here: another one may have brought it, for other eyes.
    const size = await this.#sizeOf(repository, digest, options.signal);
    return await this.#options.blobs.open(repository, { digest, size }, options);
  }

  async #sizeOf(
    repository: Repository,
    digest: Digest,
    signal: AbortSignal | undefined,
  ): Promise<number> {
    const options = signal === undefined ? {} : { signal };
    const { size, body } = await this.#options.upstream.fetchBlob(repository, digest, options);
    await body[Symbol.asyncIterator]().return?.();
    if (size !== undefined) return size;
    throw new UpstreamError('upstream_unreachable', 'the registry does not say how long it is');
  }

  #limits(signal: AbortSignal | undefined): {
    readonly maxBytes: number;
    readonly signal?: AbortSignal;
  } {
    const { maxManifestBytes = MAX_MANIFEST_BYTES } = this.#options;
    return { maxBytes: maxManifestBytes, ...(signal === undefined ? {} : { signal }) };
  }

  #checked(
    repository: Repository,
    digest: Digest,
    { bytes, mediaType: contentType }: FetchedManifest,
  ): UnverifiedManifest {
    const { mediaType, parts } = parseServable(bytes, contentType);
    const digests = [digest, ...parts.map((part) => part.digest)];
    requireDigestsAllowed(this.#options.policy, repository, digests);
    return { digest, mediaType, bytes, parts };
  }
}

/** What is missing here was not said to be signed. */
function missingAsUnverified(error: unknown): never {
  if (!(error instanceof UpstreamError) || error.code !== 'manifest_missing') throw error;
  const detail = { ...error.detail, isUnverified: true };
  throw new UpstreamError(error.code, error.message, { detail, cause: error });
}
