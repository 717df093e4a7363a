import { CodedError } from '../base/coded-error.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import { type Digest, isDigest, sha256Digest } from '../oci/digest.ts';
import { type Repository, repositoryName, type Tag } from '../oci/names.ts';
import { parseReferrer, type Referrer } from '../oci/referrer.ts';
import { isUnpackable } from '../oci/unpackable.ts';
import type { Policy } from '../policy/policy.ts';
import { ruleName } from '../policy/rule.ts';
import { startOf } from './blob-start.ts';
import { PullError, UpstreamError } from './errors.ts';
import type { ReferrerLists, ReferrerStore } from './ports.ts';
import type {
  BlobOptions,
  LetThroughBlob,
  LetThroughManifest,
  PullOptions,
  Referral,
  ReferrerService,
  Refusal,
  ServedReferrers,
  VerifiedPullService,
} from './pull-service.ts';
import { INDEX_MEDIA_TYPE, type ListedReferrer, referrerIndex } from './referrer-index.ts';
import { listedReferrers } from './referrer-lists.ts';
import type { UnverifiedContent } from './unverified-content.ts';

/** What `Referrers` is put together from. */
export interface ReferrersOptions {
  readonly policy: Policy;
  /** Says what is vouched for. */
  readonly verified: VerifiedPullService;
  readonly content: UnverifiedContent;
  readonly lists: ReferrerLists;
  readonly store: ReferrerStore;
  /** Makes a refusal of an error; the rule is its name. */
  readonly refusalOf: (error: unknown, rule: string | undefined) => Refusal;
}

const COMPANION = /^sha256-([0-9a-f]{64})(?:\.(?:sig|att|sbom))?$/;
/** Manifests read of a registry at a time, for one list. */
const READ_AT_ONCE = 8;
const MAX_REMEMBERED = 2_000;
const MAX_INDEXES = 256;
const PASSAGE = { by: 'referrer' } as const;

/**
 * What refers to vouched manifests: signatures, attestations, bills of materials. Nobody has verified any of it, and nothing
 * of it is ever vouched for; it is served, marked, as long as no engine could run it.
 */
export class Referrers implements ReferrerService {
  readonly #options: ReferrersOptions;
  /** Referrers that were looked at, by repository and digest; the digest says that they stay what they are. */
  readonly #known = new Map<string, ListedReferrer & Pick<Referrer, 'subject' | 'parts'>>();
  /** Lists that were given out under the tag of a digest, and are asked for by their own digest next. */
  readonly #indexes = new Map<string, Uint8Array>();

  constructor(options: ReferrersOptions) {
    this.#options = options;
  }

  async referrers(
    repository: Repository,
    subject: Digest,
    { signal, artifactType }: PullOptions & { readonly artifactType?: string },
  ): Promise<ServedReferrers | Refusal | undefined> {
    return await this.#answer(repository, async (rule) => {
      const refusal = await this.#subjectRefusal(repository, subject, signal);
      if (refusal !== undefined) return refusal === 'unknown' ? undefined : refusal;
      const found = await this.#find(repository, subject, signal);
      const isWanted = (each: ListedReferrer): boolean =>
        artifactType === undefined || each.artifactType === artifactType;
      const bytes = referrerIndex(found.filter(isWanted));
      return { verdict: 'let-through', passage: PASSAGE, bytes, rule };
    });
  }

  async companion(
    repository: Repository,
    tag: Tag,
    { signal }: PullOptions,
  ): Promise<LetThroughManifest<Referral> | Refusal | undefined> {
    const hex = COMPANION.exec(tag)?.[1];
    if (hex === undefined) return undefined;
    const subject = `sha256:${hex}`;
    return await this.#answer(repository, async (rule) => {
      if (!isDigest(subject)) return undefined;
      const refusal = await this.#subjectRefusal(repository, subject, signal);
      if (refusal !== undefined) return refusal === 'unknown' ? undefined : refusal;
      const isList = !tag.includes('.');
      const found = isList
        ? await this.#index(repository, subject, signal)
        : await this.#attached(repository, { tag, subject, signal });
      return found && { verdict: 'let-through', passage: PASSAGE, ...found, rule };
    });
  }

  async manifest(
    repository: Repository,
    digest: Digest,
    { signal }: PullOptions,
  ): Promise<LetThroughManifest<Referral> | Refusal | undefined> {
    return await this.#answer(repository, async (rule) => {
      const index = this.#indexes.get(keyOf(repository, digest));
      const marks = { verdict: 'let-through', passage: PASSAGE, digest, rule } as const;
      if (index !== undefined) return { ...marks, mediaType: INDEX_MEDIA_TYPE, bytes: index };
      const known = await this.#options.store.referred(repository, digest);
      if (known?.descriptor.kind !== 'manifest') return undefined;
      const found = await this.#options.content.manifestByDigest(repository, digest, signal);
      const { mediaType, bytes } = found;
      const isServable = parseReferrer(bytes, mediaType) !== undefined;
      return isServable ? { ...marks, mediaType, bytes } : undefined;
    });
  }

  async blob(
    repository: Repository,
    digest: Digest,
    { signal }: BlobOptions,
  ): Promise<LetThroughBlob<Referral> | Refusal | undefined> {
    return await this.#answer(repository, async (rule) => {
      const known = await this.#options.store.referred(repository, digest);
      if (known?.descriptor.kind !== 'blob') return undefined;
      // Whole first: what is looked at below has to be what is sent.
      const options = { wholeFirst: true, ...(signal === undefined ? {} : { signal }) };
      const content = await this.#options.content.blob(repository, digest, options);
      try {
        // The media type was looked at with the manifest; engines that do not look at it must not find a layer here.
        if (!isUnpackable(await startOf(content, signal))) {
          return { verdict: 'let-through', passage: PASSAGE, digest, content, rule };
        }
      } catch (error) {
        content.close();
        throw error;
      }
      content.close();
      return undefined;
    });
  }

  /** @returns undefined where the rule has nothing to do with referrers */
  async #answer<Answer>(
    repository: Repository,
    work: (rule: string) => Promise<Answer | Refusal | undefined>,
  ): Promise<Answer | Refusal | undefined> {
    const { policy, refusalOf } = this.#options;
    const rule = policy.rulesOf(repository).verifying;
    if (rule === undefined || rule.referrers === false) return undefined;
    const name = ruleName(rule);
    try {
      return await work(name);
    } catch (error) {
      // Anything else is a client that went away or a defect of ours: no verdict, and to be reported as what it is.
      if (!(error instanceof CodedError)) throw error;
      return refusalOf(error, name);
    }
  }

  /** Why nothing can be said of what refers to a digest; undefined for one that is vouched for. */
  async #subjectRefusal(
    repository: Repository,
    subject: Digest,
    signal: AbortSignal | undefined,
  ): Promise<Refusal | 'unknown' | undefined> {
    const options = signal === undefined ? {} : { signal };
    const answer = await this.#options.verified.manifestByDigest(repository, subject, options);
    if (answer.verdict === 'pinned') return undefined;
    return answer.reason === 'digest_not_vouched' ? 'unknown' : answer;
  }

  async #find(
    repository: Repository,
    subject: Digest,
    signal: AbortSignal | undefined,
  ): Promise<readonly ListedReferrer[]> {
    const { lists, content } = this.#options;
    const digests = await listedReferrers(repository, subject, { lists, content, signal });
    const found = new Map<Digest, ListedReferrer>();
    const waiting = digests.values();
    const work = async (): Promise<void> => {
      for (const digest of waiting) {
        const referrer = await this.#examine(repository, digest, signal);
        // Without this anything could be put beside an image: the list is the registry's, the manifest's digest is not.
        if (referrer?.subject !== subject) continue;
        if (await this.#remember(repository, referrer)) found.set(digest, referrer);
      }
    };
    await Promise.all(Array.from({ length: READ_AT_ONCE }, work));
    return digests.flatMap((digest) => found.get(digest) ?? []);
  }

  async #examine(
    repository: Repository,
    digest: Digest,
    signal: AbortSignal | undefined,
  ): Promise<(ListedReferrer & Pick<Referrer, 'subject' | 'parts'>) | undefined> {
    const key = keyOf(repository, digest);
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const manifest = await orNothing(() =>
      this.#options.content.manifestByDigest(repository, digest, signal),
    );
    const referrer = manifest && parseReferrer(manifest.bytes, manifest.mediaType);
    if (referrer === undefined) return undefined;
    const listed = { ...referrer, digest, size: manifest?.bytes.length ?? 0 };
    if (this.#known.size >= MAX_REMEMBERED) this.#known.clear();
    this.#known.set(key, listed);
    return listed;
  }

  /** @returns false when the repository has as many referrers as are kept */
  async #remember(
    repository: Repository,
    { mediaType, digest, size, parts }: ListedReferrer & Pick<Referrer, 'parts'>,
  ): Promise<boolean> {
    const manifest: Descriptor = { mediaType, digest, size, kind: 'manifest' };
    return await this.#options.store.recordReferrer(repository, manifest, parts);
  }

  /** The list under the tag of a digest, made here: the registry's own would name what was left out. */
  async #index(
    repository: Repository,
    subject: Digest,
    signal: AbortSignal | undefined,
  ): Promise<FoundManifest | undefined> {
    const found = await this.#find(repository, subject, signal);
    if (found.length === 0) return undefined;
    const bytes = referrerIndex(found);
    const digest = sha256Digest(bytes);
    if (this.#indexes.size >= MAX_INDEXES) this.#indexes.clear();
    this.#indexes.set(keyOf(repository, digest), bytes);
    return { digest, mediaType: INDEX_MEDIA_TYPE, bytes };
  }

  /** What cosign attaches to a digest under a tag made of it. @source sigstore/cosign: specs/SIGNATURE_SPEC.md */
  async #attached(
    repository: Repository,
    asked: {
      readonly tag: Tag;
      readonly subject: Digest;
      readonly signal: AbortSignal | undefined;
    },
  ): Promise<FoundManifest | undefined> {
    const { tag, subject, signal } = asked;
    const manifest = await orNothing(() =>
      this.#options.content.manifestByTag(repository, tag, signal),
    );
    const referrer = manifest && parseReferrer(manifest.bytes, manifest.mediaType);
    if (manifest === undefined || referrer === undefined) return undefined;
    if ((referrer.subject ?? subject) !== subject) return undefined;
    const { digest, mediaType, bytes } = manifest;
    const listed = { ...referrer, digest, size: bytes.length };
    return (await this.#remember(repository, listed)) ? { digest, mediaType, bytes } : undefined;
  }
}

interface FoundManifest {
  readonly digest: Digest;
  readonly mediaType: string;
  readonly bytes: Uint8Array;
}

/** What cannot be served is as good as not there; what could not be found out is not. */
async function orNothing<Value>(work: () => Promise<Value>): Promise<Value | undefined> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof PullError) return undefined;
    const isNothing =
      error instanceof UpstreamError &&
      (error.code === 'manifest_missing' || error.code === 'digest_mismatch');
    if (isNothing) return undefined;
    throw error;
  }
}

function keyOf(repository: Repository, digest: Digest): string {
  return `${repositoryName(repository)}@${digest}`;
}
