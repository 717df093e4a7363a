import type { Writable } from 'node:stream';
import type { Caller } from '../../src/base/caller.ts';
import type { ReasonCode } from '../../src/base/reason-code.ts';
import { type Digest, sha256Digest } from '../../src/oci/digest.ts';
import {
  parseRepositoryName,
  type Repository,
  repositoryName,
  type Tag,
} from '../../src/oci/names.ts';
import { REASON_TABLE } from '../../src/refusal/reason-table.ts';
import type { BlobContent, ByteRange } from '../../src/resolve/ports.ts';
import type {
  CatalogService,
  PullOptions,
  PullService,
  ReferrerService,
  Refusal,
  ServedBlob,
  ServedManifest,
  ServedTags,
  ServedTrustFile,
  TrustFileService,
} from '../../src/resolve/pull-service.ts';

/** How the fake sends a blob; the default sends what is asked. */
export interface FakeBlobBehaviour {
  readonly isVerified?: boolean;
  /** Fails after so many bytes, with `error`. */
  readonly failAfter?: number;
  readonly error?: Error;
  /** Never finishes until the signal aborts. */
  readonly hangs?: boolean;
}

interface FakeRepository {
  readonly tags: Map<string, ServedManifest | Refusal>;
  readonly manifests: Map<Digest, ServedManifest>;
  readonly blobs: Map<
    Digest,
    { readonly bytes: Uint8Array; readonly behaviour: FakeBlobBehaviour }
  >;
}

/** A refusal for tests, with the verdict that the table has for its reason. */
export function refusalFor(reason: ReasonCode, parts: Partial<Refusal> = {}): Refusal {
  const { verdict } = REASON_TABLE[reason];
  return { verdict, reason, cause: `test of ${reason}`, facts: {}, ...parts };
}

/** Knows of nothing that refers to anything. */
export const NO_REFERRERS: ReferrerService = {
  referrers: async () => undefined,
  companion: async () => undefined,
  manifest: async () => undefined,
  blob: async () => undefined,
};

/** A pull service whose answers a test writes down, and which remembers what it was asked. */
export class FakePullService implements PullService, TrustFileService, CatalogService {
  readonly #repositories = new Map<string, FakeRepository>();
  readonly #unverified = new Set<string>();
  readonly #allowed = new Map<string, (caller: Caller | undefined) => boolean>();
  /** By repository and file name. */
  readonly trustFiles = new Map<string, ServedTrustFile | Refusal>();
  /** Answers of `manifestByTagNow`: whether tags are at hand. */
  hasAnswersAtHand = true;
  /** Thrown by every question, if set. */
  defect: Error | undefined;
  readonly blobOptions: { readonly wholeFirst?: boolean; readonly signal?: AbortSignal }[] = [];
  readonly asked: string[] = [];
  closedBlobs = 0;

  /** Signs a manifest under a tag. */
  addTag(
    repository: string,
    tag: string,
    manifest: {
      readonly body: string;
      readonly mediaType?: string;
      readonly staleSeconds?: number;
    },
  ): ServedManifest {
    const bytes = Buffer.from(manifest.body);
    const served: ServedManifest = {
      verdict: 'pinned',
      digest: sha256Digest(bytes),
      mediaType: manifest.mediaType ?? 'application/vnd.oci.image.manifest.v1+json',
      bytes,
      rule: `${repository}`,
      ...(manifest.staleSeconds === undefined ? {} : { staleSeconds: manifest.staleSeconds }),
    };
    const entry = this.#of(repository);
    entry.tags.set(tag, served);
    entry.manifests.set(served.digest, served);
    return served;
  }

  refuseTag(repository: string, tag: string, refusal: Refusal): void {
    this.#of(repository).tags.set(tag, refusal);
  }

  addBlob(repository: string, bytes: Uint8Array, behaviour: FakeBlobBehaviour = {}): Digest {
    const digest = sha256Digest(bytes);
    this.#of(repository).blobs.set(digest, { bytes, behaviour });
    return digest;
  }

  leaveUnverified(repository: string): void {
    this.#unverified.add(repository);
  }

  /** Makes `forbids` answer for a repository. */
  forbid(repository: string, isAllowed: (caller: Caller | undefined) => boolean): void {
    this.#allowed.set(repository, isAllowed);
  }

  forbids(repository: Repository, caller: Caller | undefined): Refusal | undefined {
    const isAllowed = this.#allowed.get(repositoryName(repository));
    return isAllowed === undefined || isAllowed(caller)
      ? undefined
      : refusalFor('client_forbidden');
  }

  treatment(repository: Repository): 'verified' | 'unverified' | 'no-rule' {
    const name = repositoryName(repository);
    if (this.#unverified.has(name)) return 'unverified';
    return this.#repositories.has(name) ? 'verified' : 'no-rule';
  }

  manifestByTagNow(repository: Repository, tag: Tag): ServedManifest | undefined {
    if (this.defect !== undefined) throw this.defect;
    if (!this.hasAnswersAtHand) return undefined;
    const found = this.#repositories.get(repositoryName(repository))?.tags.get(tag);
    return found?.verdict === 'pinned' ? found : undefined;
  }

  async manifestByTag(
    repository: Repository,
    tag: Tag,
    _options: PullOptions,
  ): Promise<ServedManifest | Refusal> {
    const entry = this.#ask(repository, tag);
    if (entry === undefined) return refusalFor('no_rule');
    return entry.tags.get(tag) ?? refusalFor('tag_not_signed');
  }

  async manifestByDigest(
    repository: Repository,
    digest: Digest,
    _options: PullOptions,
  ): Promise<ServedManifest | Refusal> {
    const entry = this.#ask(repository, digest);
    if (entry === undefined) return refusalFor('no_rule');
    return entry.manifests.get(digest) ?? refusalFor('digest_not_vouched');
  }

  async blob(
    repository: Repository,
    digest: Digest,
    options: PullOptions & { readonly wholeFirst?: boolean },
  ): Promise<ServedBlob | Refusal> {
    this.blobOptions.push(options);
    const entry = this.#ask(repository, digest);
    if (entry === undefined) return refusalFor('no_rule');
    const found = entry.blobs.get(digest);
    if (found === undefined) return refusalFor('digest_not_vouched');
    const content = new FakeBlob(found.bytes, found.behaviour, () => {
      this.closedBlobs += 1;
    });
    return { verdict: 'pinned', digest, mediaType: 'application/octet-stream', content };
  }

  async tags(repository: Repository, _options: PullOptions): Promise<ServedTags | Refusal> {
    const entry = this.#ask(repository, 'tags');
    if (entry === undefined) return refusalFor('no_rule');
    const tags = [...entry.tags].filter(([, each]) => each.verdict === 'pinned');
    return { verdict: 'pinned', tags: tags.map(([tag]) => tag).toSorted() };
  }

  async repositories(): Promise<readonly Repository[]> {
    return Array.from([...this.#repositories.keys(), ...this.#unverified], parseRepositoryName);
  }

  async trustFile(
    repository: Repository,
    file: string,
    _options: PullOptions,
  ): Promise<ServedTrustFile | Refusal | undefined> {
    this.#ask(repository, file);
    return this.trustFiles.get(`${repositoryName(repository)} ${file}`);
  }

  #ask(repository: Repository, question: string): FakeRepository | undefined {
    if (this.defect !== undefined) throw this.defect;
    this.asked.push(`${repositoryName(repository)} ${question}`);
    return this.#repositories.get(repositoryName(repository));
  }

  #of(repository: string): FakeRepository {
    const known = this.#repositories.get(repository);
    if (known !== undefined) return known;
    const made: FakeRepository = { tags: new Map(), manifests: new Map(), blobs: new Map() };
    this.#repositories.set(repository, made);
    return made;
  }
}

class FakeBlob implements BlobContent {
  readonly size: number;
  readonly isVerified: boolean;
  readonly #bytes: Uint8Array;
  readonly #behaviour: FakeBlobBehaviour;
  readonly #onClose: () => void;

  constructor(bytes: Uint8Array, behaviour: FakeBlobBehaviour, onClose: () => void) {
    this.size = bytes.length;
    this.isVerified = behaviour.isVerified ?? true;
    this.#bytes = bytes;
    this.#behaviour = behaviour;
    this.#onClose = onClose;
  }

  async send(sink: Writable, range: ByteRange, signal?: AbortSignal): Promise<void> {
    const { failAfter, error, hangs } = this.#behaviour;
    const end = failAfter === undefined ? range.end : Math.min(range.end, range.start + failAfter);
    if (end > range.start) {
      await new Promise<void>((resolve) => {
        sink.write(this.#bytes.subarray(range.start, end), () => resolve());
      });
    }
    if (hangs === true) {
      await new Promise<void>((_resolve, reject) => {
        const abort = (): void => reject(new Error('aborted'));
        if (signal?.aborted === true) abort();
        else signal?.addEventListener('abort', abort, { once: true });
      });
    }
    if (error !== undefined) throw error;
  }

  close(): void {
    this.#onClose();
  }
}
