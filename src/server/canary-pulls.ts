import type { Writable } from 'node:stream';
import type { Caller } from '../base/caller.ts';
import {
  type CanaryKind,
  type CanaryPart,
  canaryKindOf,
  isCanaryNonce,
  makeCanaryImage,
} from '../oci/canary.ts';
import type { Digest } from '../oci/digest.ts';
import type { Repository, Tag } from '../oci/names.ts';
import type { BlobContent, ByteRange } from '../resolve/ports.ts';
import type {
  LetThroughBlob,
  LetThroughManifest,
  LetThroughTags,
  PullOptions,
  PullService,
  Refusal,
  ServedBlob,
  ServedManifest,
  ServedTags,
  Treatment,
} from '../resolve/pull-service.ts';
import type { ListenerProfile } from './registry-context.ts';

/** What a listener's canaries depend on. */
export interface CanaryListener extends Pick<ListenerProfile, 'name' | 'refusal'> {
  /** Whether it answers a tag only when the whole image has been verified. */
  readonly isCompleteFirst: boolean;
}

/** Canaries whose parts are remembered; the oldest go first. */
const MAX_REMEMBERED = 64;

/** A canary that was asked for, with everything that may be asked for by digest now. */
interface Issued {
  readonly repository: Repository;
  readonly manifests: ReadonlyMap<Digest, CanaryPart>;
  readonly blobs: ReadonlyMap<Digest, CanaryPart>;
}

/**
 * Answers the canaries of `pinnace doctor` for one listener, and hands everything else on. What canaries are made of exists
 * here alone and is inert, so neither trust, upstream nor durable state take part; they are refused and served in the same
 * way as everything else, because what is asked is what the engine makes of that.
 */
export class CanaryPulls implements PullService {
  readonly #inner: PullService;
  readonly #listener: CanaryListener;
  readonly #upstreams: ReadonlySet<string>;
  readonly #issued = new Map<string, Issued>();

  /** @param upstreams - the configured registries: others have no canaries */
  constructor(inner: PullService, listener: CanaryListener, upstreams: ReadonlySet<string>) {
    this.#inner = inner;
    this.#listener = listener;
    this.#upstreams = upstreams;
  }

  forbids(repository: Repository, caller: Caller | undefined, tag?: Tag): Refusal | undefined {
    // There is nothing in them that anybody may not know.
    if (this.#kind(repository) !== undefined) return undefined;
    return this.#inner.forbids(repository, caller, tag);
  }

  treatment(repository: Repository, tag?: Tag): Treatment {
    const isCanary = this.#kind(repository) !== undefined;
    return isCanary ? 'verified' : this.#inner.treatment(repository, tag);
  }

  manifestByTagNow(repository: Repository, tag: Tag): ServedManifest | undefined {
    // No trust source signs under a canary's name, so there is nothing to keep apart here.
    return this.#inner.manifestByTagNow(repository, tag);
  }

  async manifestByTag(
    repository: Repository,
    tag: Tag,
    options: PullOptions,
  ): Promise<ServedManifest | LetThroughManifest | Refusal> {
    const kind = this.#kind(repository);
    if (kind === undefined) return await this.#inner.manifestByTag(repository, tag, options);
    if (kind === 'unsigned' || !isCanaryNonce(tag)) return refusal(kind);
    const { name: listener, refusal: form, isCompleteFirst } = this.#listener;
    // Altered content is noticed before the tag is answered there.
    if (kind === 'tampered' && isCompleteFirst) return refusal(kind);
    const { registry } = repository;
    const image = makeCanaryImage({ kind, nonce: tag, registry, listener, refusal: form });
    this.#remember(tag, {
      repository,
      manifests: byDigest([image.index, ...image.manifests]),
      blobs: byDigest(image.blobs),
    });
    return served(image.index);
  }

  async manifestByDigest(
    repository: Repository,
    digest: Digest,
    options: PullOptions,
  ): Promise<ServedManifest | LetThroughManifest | Refusal> {
    const kind = this.#kind(repository);
    if (kind === undefined) return await this.#inner.manifestByDigest(repository, digest, options);
    const found = this.#find(repository, digest, 'manifests');
    return found === undefined ? refusal(kind) : served(found);
  }

  async blob(
    repository: Repository,
    digest: Digest,
    options: PullOptions & { readonly wholeFirst?: boolean },
  ): Promise<ServedBlob | LetThroughBlob | Refusal> {
    const kind = this.#kind(repository);
    if (kind === undefined) return await this.#inner.blob(repository, digest, options);
    const found = this.#find(repository, digest, 'blobs');
    if (found === undefined) return refusal(kind);
    const content = new BytesContent(found.bytes);
    return { verdict: 'pinned', digest, mediaType: found.mediaType, content };
  }

  async tags(
    repository: Repository,
    options: PullOptions,
  ): Promise<ServedTags | LetThroughTags | Refusal> {
    const kind = this.#kind(repository);
    return kind === undefined ? await this.#inner.tags(repository, options) : refusal(kind);
  }

  #kind({ registry, path }: Repository): CanaryKind | undefined {
    const kind = canaryKindOf(path);
    return kind === undefined || !this.#upstreams.has(registry) ? undefined : kind;
  }

  #remember(nonce: string, issued: Issued): void {
    const { registry, path } = issued.repository;
    this.#issued.set(`${registry}/${path}:${nonce}`, issued);
    const [oldest] = this.#issued.keys();
    if (this.#issued.size > MAX_REMEMBERED && oldest !== undefined) this.#issued.delete(oldest);
  }

  #find(
    { registry, path }: Repository,
    digest: Digest,
    where: 'manifests' | 'blobs',
  ): CanaryPart | undefined {
    for (const issued of this.#issued.values()) {
      const isSame = issued.repository.registry === registry && issued.repository.path === path;
      const found = isSame ? issued[where].get(digest) : undefined;
      if (found !== undefined) return found;
    }
    return undefined;
  }
}

/** A few hundred bytes that are at hand. */
class BytesContent implements BlobContent {
  readonly isVerified = true;
  readonly #bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get size(): number {
    return this.#bytes.length;
  }

  async send(sink: Writable, { start, end }: ByteRange): Promise<void> {
    sink.write(this.#bytes.subarray(start, end));
  }

  close(): void {
    // Nothing is held open.
  }
}

function byDigest(parts: readonly CanaryPart[]): ReadonlyMap<Digest, CanaryPart> {
  return new Map(parts.map((part) => [part.digest, part]));
}

function served({ digest, mediaType, bytes }: CanaryPart): ServedManifest {
  return { verdict: 'pinned', digest, mediaType, bytes };
}

function refusal(kind: CanaryKind): Refusal {
  const cause = `it is the ${kind} canary of pinnace doctor`;
  return { verdict: 'refused', reason: 'canary', cause, facts: {} };
}
