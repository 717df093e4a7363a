import type { Caller } from '../base/caller.ts';
import type { Digest } from '../oci/digest.ts';
import type { Repository, Tag } from '../oci/names.ts';
import type {
  BlobOptions,
  LetThroughBlob,
  LetThroughManifest,
  LetThroughTags,
  PullOptions,
  PullService,
  Refusal,
  ServedBlob,
  ServedManifest,
  ServedTags,
  ServedTrustFile,
  Treatment,
  TrustFileService,
} from '../resolve/pull-service.ts';

/** Resolves when no front keeps anything that was to be forgotten; undefined when that is so already. */
export type Settled = () => Promise<void> | undefined;

/**
 * Gives each answer only when every front has forgotten what no longer holds: once one engine has been given the newer
 * answer, no other may be given the older one.
 */
export class HeldPulls implements PullService {
  readonly #inner: PullService;
  readonly #settled: Settled;

  constructor(inner: PullService, settled: Settled) {
    this.#inner = inner;
    this.#settled = settled;
  }

  treatment(repository: Repository, tag?: Tag): Treatment {
    return this.#inner.treatment(repository, tag);
  }

  forbids(repository: Repository, caller: Caller | undefined, tag?: Tag): Refusal | undefined {
    return this.#inner.forbids(repository, caller, tag);
  }

  manifestByTagNow(repository: Repository, tag: Tag): ServedManifest | undefined {
    return this.#settled() === undefined
      ? this.#inner.manifestByTagNow(repository, tag)
      : undefined;
  }

  async manifestByTag(
    repository: Repository,
    tag: Tag,
    options: PullOptions,
  ): Promise<ServedManifest | LetThroughManifest | Refusal> {
    return await held(this.#inner.manifestByTag(repository, tag, options), this.#settled);
  }

  async manifestByDigest(
    repository: Repository,
    digest: Digest,
    options: PullOptions,
  ): Promise<ServedManifest | LetThroughManifest | Refusal> {
    return await held(this.#inner.manifestByDigest(repository, digest, options), this.#settled);
  }

  async blob(
    repository: Repository,
    digest: Digest,
    options: BlobOptions,
  ): Promise<ServedBlob | LetThroughBlob | Refusal> {
    return await held(this.#inner.blob(repository, digest, options), this.#settled);
  }

  async tags(
    repository: Repository,
    options: PullOptions,
  ): Promise<ServedTags | LetThroughTags | Refusal> {
    return await held(this.#inner.tags(repository, options), this.#settled);
  }
}

/** The same for metadata that is handed on as it is. */
export class HeldTrustFiles implements TrustFileService {
  readonly #inner: TrustFileService;
  readonly #settled: Settled;

  constructor(inner: TrustFileService, settled: Settled) {
    this.#inner = inner;
    this.#settled = settled;
  }

  async trustFile(
    repository: Repository,
    file: string,
    options: PullOptions,
  ): Promise<ServedTrustFile | Refusal | undefined> {
    return await held(this.#inner.trustFile(repository, file, options), this.#settled);
  }
}

async function held<Answer>(asking: Promise<Answer>, settled: Settled): Promise<Answer> {
  try {
    return await asking;
  } finally {
    await settled();
  }
}
