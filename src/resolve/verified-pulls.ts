import { abortable } from '../base/abortable.ts';
import type { Caller } from '../base/caller.ts';
import type { Clock } from '../base/clock.ts';
import { CodedError } from '../base/coded-error.ts';
import { SingleFlight } from '../base/single-flight.ts';
import type { Collection, Pin } from '../metadata/collection.ts';
import type { Collections } from '../metadata/collections.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import { type Digest, digestHex, hasDigest, parseDigest } from '../oci/digest.ts';
import { OciError } from '../oci/errors.ts';
import { MAX_MANIFEST_BYTES, parseManifest } from '../oci/manifest.ts';
import { isTag, type Repository, repositoryName, type Tag } from '../oci/names.ts';
import { CallerList } from '../policy/callers.ts';
import type { Policy, Rule } from '../policy/policy.ts';
import { TrustError } from '../trust/errors.ts';
import type { ClockGuard } from './clock-guard.ts';
import { PullError, UpstreamError } from './errors.ts';
import type { BlobProvider, ManifestStore, PinStore, UpstreamContent } from './ports.ts';
import type {
  PullOptions,
  PullService,
  Refusal,
  ServedBlob,
  ServedManifest,
  ServedTags,
} from './pull-service.ts';

/** Answers ready to be sent, kept while memory allows. */
export interface AnswerCache {
  get(pin: Pin): ServedManifest | undefined;
  set(pin: Pin, answer: ServedManifest): void;
}

/** What the verified pulls are put together from. */
export interface VerifiedPullsOptions {
  readonly policy: Policy;
  readonly collections: Collections;
  readonly upstream: UpstreamContent;
  readonly manifests: ManifestStore;
  readonly blobs: BlobProvider;
  readonly pins: PinStore;
  readonly answers: AnswerCache;
  readonly clock: Clock;
  readonly clockGuard: ClockGuard;
  /** Makes a refusal of an error; the rule is its `match`. */
  readonly refusalOf: (error: unknown, rule: string | undefined) => Refusal;
  /** The largest manifest accepted, in bytes; default and upper bound 4 MiB. */
  readonly maxManifestBytes?: number;
  /** Called for every request that shared a manifest read under way. */
  readonly onJoinedManifest?: () => void;
}

/** What a repository is bound to by policy. */
type Binding =
  | { readonly kind: 'no-rule' }
  | { readonly kind: 'unverified'; readonly rule: Rule; readonly callers: CallerList | undefined }
  | {
      readonly kind: 'verified';
      readonly rule: Rule;
      /** Who may pull; undefined: whoever the listener lets in. */
      readonly callers: CallerList | undefined;
      readonly signers: readonly string[];
      readonly collection: () => Collection;
    };
type Verified = Extract<Binding, { kind: 'verified' }>;

/** A manifest whose bytes have its digest; nothing about it is remembered or given out yet. */
interface ReadManifest {
  readonly answer: ServedManifest;
  readonly parts: readonly Descriptor[];
}

/** How often a tag is asked for anew when fetching its manifest outlasted the signed answer. */
const MAX_TURNS = 3;

/**
 * The use case: a tag becomes a digest through trust metadata alone, the manifest is fetched by that digest and checked, and
 * by digest only what a verified manifest vouches for is served.
 */
export class VerifiedPulls implements PullService {
  readonly #options: VerifiedPullsOptions;
  readonly #bindings = new WeakMap<Repository, Binding>();
  readonly #reads = new SingleFlight<string, ReadManifest>();

  constructor(options: VerifiedPullsOptions) {
    this.#options = options;
  }

  treatment(repository: Repository): 'verified' | 'unverified' | 'no-rule' {
    return this.#bind(repository).kind;
  }

  forbids(repository: Repository, caller: Caller | undefined): Refusal | undefined {
    const binding = this.#bind(repository);
    if (binding.kind === 'no-rule' || binding.callers === undefined) return undefined;
    if (binding.callers.includes(caller)) return undefined;
    const error = new PullError('client_forbidden', 'the rule does not name this caller', {
      detail: { caller: caller === undefined ? 'nobody' : `${caller.source}/${caller.name}` },
    });
    return this.#options.refusalOf(error, binding.rule.match);
  }

  manifestByTagNow(repository: Repository, tag: Tag): ServedManifest | undefined {
    const binding = this.#bind(repository);
    if (binding.kind !== 'verified' || !this.#options.clockGuard.isTrue()) return undefined;
    const pin = binding.collection().pinNow(tag, binding.signers);
    return pin === undefined ? undefined : this.#options.answers.get(pin);
  }

  async manifestByTag(
    repository: Repository,
    tag: Tag,
    { signal }: PullOptions,
  ): Promise<ServedManifest | Refusal> {
    return await this.#answer(
      repository,
      async (binding) => await this.#tagged(repository, { binding, tag, signal }),
    );
  }

  async manifestByDigest(
    repository: Repository,
    digest: Digest,
    { signal }: PullOptions,
  ): Promise<ServedManifest | Refusal> {
    return await this.#answer(repository, async (binding) => {
      const { pins } = this.#options;
      const vouched = await pins.vouched(repository, digest);
      if (vouched?.descriptor.kind === 'manifest') {
        const { size } = vouched.descriptor;
        const requireLength = (bytes: number): void => requireSize(bytes, size);
        return await this.#manifest(repository, digest, { binding, signal, requireLength });
      }
      if (await pins.wasPinned(repository, digest)) {
        return await this.#manifest(repository, digest, { binding, signal });
      }
      return await this.#signedByDigest(repository, digest, { binding, signal });
    });
  }

  async blob(
    repository: Repository,
    digest: Digest,
    options: PullOptions & { readonly wholeFirst?: boolean },
  ): Promise<ServedBlob | Refusal> {
    return await this.#answer(repository, async () => {
      const vouched = await this.#options.pins.vouched(repository, digest);
      if (vouched?.descriptor.kind !== 'blob') throw notVouched(digest);
      const content = await this.#options.blobs.open(repository, vouched.descriptor, options);
      return { verdict: 'pinned', digest, mediaType: vouched.descriptor.mediaType, content };
    });
  }

  async tags(repository: Repository, { signal }: PullOptions): Promise<ServedTags | Refusal> {
    return await this.#answer(repository, async (binding) => {
      const { value } = await binding.collection().tags(binding.signers, signal);
      return { verdict: 'pinned', tags: value.filter(isTag).sort(compareBytes) };
    });
  }

  /** The one place where errors of verification become answers. */
  async #answer<Answer>(
    repository: Repository,
    work: (binding: Verified) => Promise<Answer>,
  ): Promise<Answer | Refusal> {
    const binding = this.#bind(repository);
    const rule = binding.kind === 'no-rule' ? undefined : binding.rule.match;
    try {
      if (binding.kind !== 'verified') {
        throw new PullError('no_rule', 'no policy rule covers this repository');
      }
      await this.#options.clockGuard.require();
      return await work(binding);
    } catch (error) {
      // Anything else is a client that went away or a defect of ours: no verdict, and to be reported as what it is.
      if (!(error instanceof CodedError)) throw error;
      return this.#options.refusalOf(error, rule);
    }
  }

  #bind(repository: Repository): Binding {
    const known = this.#bindings.get(repository);
    if (known !== undefined) return known;
    const binding = this.#newBinding(repository);
    this.#bindings.set(repository, binding);
    return binding;
  }

  #newBinding(repository: Repository): Binding {
    const rule = this.#options.policy.match(repository);
    if (rule === undefined) return { kind: 'no-rule' };
    const { requirement } = rule;
    const callers = rule.clients === undefined ? undefined : new CallerList(rule.clients);
    if (requirement.kind === 'unverified') return { kind: 'unverified', rule, callers };
    const key = { source: requirement.source, gun: repositoryName(repository) };
    const { signers } = requirement;
    const collection = (): Collection => this.#options.collections.open(key);
    return { kind: 'verified', rule, callers, signers, collection };
  }

  /** A digest that no pull by tag has brought here yet may still be a signed one: engines also pull `name@digest` first. */
  async #signedByDigest(
    repository: Repository,
    digest: Digest,
    { binding, signal }: { readonly binding: Verified; readonly signal: AbortSignal | undefined },
  ): Promise<ServedManifest> {
    if (!digest.startsWith('sha256:')) throw notVouched(digest);
    const tag = await binding.collection().tagOf(digestHex(digest), binding.signers, signal);
    if (tag === undefined) throw notVouched(digest);
    const answer = await this.#tagged(repository, { binding, tag, signal });
    // The tag may have been signed anew while we looked.
    if (answer.digest !== digest) throw notVouched(digest);
    return answer;
  }

  async #tagged(repository: Repository, pull: TagPull): Promise<ServedManifest> {
    const { binding, tag, signal } = pull;
    const { answers, clock } = this.#options;
    for (let turn = 0; turn < MAX_TURNS; turn += 1) {
      const { value: pin, staleSeconds } = await binding
        .collection()
        .pin(tag, binding.signers, signal);
      const answer = answers.get(pin) ?? (await this.#pinnedManifest(repository, pull, pin));
      // Without this a slow registry could carry an answer past the moment until which it was signed.
      if (pin.freshUntil <= clock.now()) continue;
      return staleSeconds === undefined ? answer : { ...answer, staleSeconds };
    }
    throw new UpstreamError('upstream_unreachable', 'signed answers ran out while it was fetched');
  }

  async #pinnedManifest(
    repository: Repository,
    { binding, tag, signal }: TagPull,
    pin: Pin,
  ): Promise<ServedManifest> {
    const digest = parseDigest(`sha256:${pin.sha256}`);
    const requireLength = (bytes: number): void => requireSigned(bytes, pin);
    const answer = await this.#manifest(repository, digest, { binding, signal, requireLength });
    const { length, role } = pin;
    const verifiedAt = this.#options.clock.now();
    await this.#options.pins.recordPin({ repository, tag, digest, length, role, verifiedAt });
    this.#options.answers.set(pin, answer);
    return answer;
  }

  /** A manifest by digest, its bytes checked; what it refers to is remembered before it is given out. */
  async #manifest(
    repository: Repository,
    digest: Digest,
    { binding, signal, requireLength }: ManifestPull,
  ): Promise<ServedManifest> {
    const key = `${repositoryName(repository)}@${digest}`;
    const joinedBefore = this.#reads.joined;
    const reading = this.#reads.run(key, async () => await this.#read(repository, digest));
    if (this.#reads.joined > joinedBefore) this.#options.onJoinedManifest?.();
    const { answer, parts } = await abortable(reading, signal);
    const { mediaType, bytes } = answer;
    // Checked first: what is refused for its length now must not be vouched for when it is asked for again.
    requireLength?.(bytes.length);
    const manifest: Descriptor = { mediaType, digest, size: bytes.length, kind: 'manifest' };
    await this.#options.pins.recordClosure(repository, manifest, parts);
    return { ...answer, rule: binding.rule.match };
  }

  /** Shared by all who wait for the same manifest, so nobody's signal stops it; the upstream's time limits do. */
  async #read(repository: Repository, digest: Digest): Promise<ReadManifest> {
    const { manifests, upstream, maxManifestBytes = MAX_MANIFEST_BYTES } = this.#options;
    const stored = await manifests.read(digest);
    const fetched =
      stored ?? (await upstream.fetchManifest(repository, digest, { maxBytes: maxManifestBytes }));
    // Without this the registry, or whoever sits before it, could put any manifest behind a signed digest.
    if (!hasDigest(fetched.bytes, digest)) {
      throw new UpstreamError('digest_mismatch', 'the manifest does not have the signed digest');
    }
    const { mediaType, parts } = parse(fetched.bytes, fetched.mediaType);
    if (stored === undefined) await manifests.write(digest, { bytes: fetched.bytes, mediaType });
    return { answer: { verdict: 'pinned', digest, mediaType, bytes: fetched.bytes }, parts };
  }
}

interface TagPull {
  readonly binding: Verified;
  readonly tag: string;
  readonly signal: AbortSignal | undefined;
}

interface ManifestPull {
  readonly binding: Verified;
  readonly signal: AbortSignal | undefined;
  /** Throws when a manifest of this many bytes is not the one that was signed. */
  readonly requireLength?: (bytes: number) => void;
}

function parse(
  bytes: Uint8Array,
  contentType: string,
): { readonly mediaType: string; readonly parts: readonly Descriptor[] } {
  try {
    return parseManifest(bytes, contentType);
  } catch (cause) {
    if (!(cause instanceof OciError)) throw cause;
    throw new PullError('media_type_not_supported', cause.message, { detail: cause.detail, cause });
  }
}

/** @throws {UpstreamError} `digest_mismatch` */
function requireSize(actualBytes: number, expectedBytes: number): void {
  if (actualBytes === expectedBytes) return;
  const message = 'the manifest does not have the size its index states';
  throw new UpstreamError('digest_mismatch', message, { detail: { expectedBytes, actualBytes } });
}

/** @throws {TrustError} `length_mismatch` */
function requireSigned(actualBytes: number, { length, role }: Pin): void {
  if (actualBytes === length) return;
  throw new TrustError('length_mismatch', 'the manifest does not have the signed length', {
    detail: { role, expectedBytes: length, actualBytes },
  });
}

function notVouched(digest: Digest): PullError {
  return new PullError('digest_not_vouched', 'nothing verified refers to this digest', {
    detail: { digest },
  });
}

function compareBytes(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}
