import { abortable } from '../base/abortable.ts';
import type { Caller } from '../base/caller.ts';
import type { Clock } from '../base/clock.ts';
import { CodedError } from '../base/coded-error.ts';
import { SingleFlight } from '../base/single-flight.ts';
import type { Pin } from '../metadata/collection.ts';
import type { Collections } from '../metadata/collections.ts';
import type { CollectionKey } from '../metadata/ports.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import { type Digest, hasDigest, parseDigest } from '../oci/digest.ts';
import { MAX_MANIFEST_BYTES } from '../oci/manifest.ts';
import { isTag, type Repository, repositoryName, type Tag } from '../oci/names.ts';
import type { Policy } from '../policy/policy.ts';
import { type Rule, ruleName } from '../policy/rule.ts';
import { TrustError } from '../trust/errors.ts';
import { type Binding, Bindings, type BoundRepository, type VerifiedBinding } from './bindings.ts';
import type { ClockGuard } from './clock-guard.ts';
import { requireDigestsAllowed, requireSignersAllowed, requireTagAllowed } from './denials.ts';
import { PullError, UpstreamError } from './errors.ts';
import { parseServable } from './parse-servable.ts';
import type { BlobProvider, ManifestStore, PinStore, UpstreamContent } from './ports.ts';
import type {
  BlobOptions,
  PullOptions,
  Refusal,
  ServedBlob,
  ServedManifest,
  ServedTags,
  Treatment,
  VerifiedPullService,
} from './pull-service.ts';
import {
  countsForEver,
  isOpenByDigest,
  tagNowSigned,
  Vouching,
  type VouchingQuestion,
} from './vouching.ts';

/** Answers ready to be sent, kept while memory allows. */
export interface AnswerCache {
  get(pin: Pin): ServedManifest | undefined;
  set(pin: Pin, answer: ServedManifest): void;
  /** Whether `get` would give one; does not count as a use. */
  has(pin: Pin): boolean;
}

/** For how long an answer may be given again without asking, by whoever is told when it is superseded. */
export interface Keepable {
  /** Milliseconds from now, more than 0. */
  readonly forMs: number;
  /** Milliseconds since the epoch: the earliest signed expiry it rests on. */
  readonly freshUntil: number;
  /** Whose metadata it rests on. */
  readonly metadata: CollectionKey;
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
  /** Makes a refusal of an error; the rule is its name. */
  readonly refusalOf: (error: unknown, rule: string | undefined) => Refusal;
  /** The largest manifest accepted, in bytes; default and upper bound 4 MiB. */
  readonly maxManifestBytes?: number;
  /** Called for every request that shared a manifest read under way. */
  readonly onJoinedManifest?: () => void;
}

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
export class VerifiedPulls implements VerifiedPullService {
  readonly #options: VerifiedPullsOptions;
  readonly #bindings: Bindings;
  readonly #vouching: Vouching;
  readonly #reads = new SingleFlight<string, ReadManifest>();

  constructor(options: VerifiedPullsOptions) {
    this.#options = options;
    this.#bindings = new Bindings(options.policy, options.collections);
    this.#vouching = new Vouching(options.pins, options.clock);
  }

  treatment(repository: Repository, tag?: Tag): Treatment {
    return this.#bindings.treatment(repository, tag);
  }

  forbids(repository: Repository, caller: Caller | undefined, tag?: Tag): Refusal | undefined {
    const binding = this.#bindings.forbidding(repository, caller, tag);
    if (binding === undefined) return undefined;
    const error = new PullError('client_forbidden', 'the rule does not name this caller', {
      detail: { caller: caller === undefined ? 'nobody' : `${caller.source}/${caller.name}` },
    });
    return this.#refusal(error, binding.rule);
  }

  manifestByTagNow(repository: Repository, tag: Tag): ServedManifest | undefined {
    const binding = this.#bindings.ofTag(repository, tag);
    if (binding.kind !== 'verified' || !this.#options.clockGuard.isTrue()) return undefined;
    const pin = binding.collection().pinNow(tag, binding.signers);
    return pin === undefined ? undefined : this.#options.answers.get(pin);
  }

  /** Whether an answer that was given for a tag is the one that would be given now, and for how long. */
  keepable(repository: Repository, tag: Tag, answer: ServedManifest): Keepable | undefined {
    const binding = this.#bindings.ofTag(repository, tag);
    const { clockGuard, answers } = this.#options;
    if (binding.kind !== 'verified' || !clockGuard.isTrue()) return undefined;
    const collection = binding.collection();
    const pin = collection.pinNow(tag, binding.signers);
    const forMs = collection.metadata.freshForMs;
    // What policy says of a pin has been looked at when its answer was put at hand, and only then.
    if (pin === undefined || !answers.has(pin) || forMs <= 0) return undefined;
    // One that stands in while the trust server cannot be asked is to be asked for each time.
    if (answer.digest !== `sha256:${pin.sha256}` || answer.staleSeconds !== undefined)
      return undefined;
    return { forMs, freshUntil: pin.freshUntil, metadata: collection.metadata.key };
  }

  /** Whether a blob that was served stays one to be served, until there are other rules or the clock goes back. */
  isBlobKeepable(repository: Repository): boolean {
    return this.#options.clockGuard.isTrue() && countsForEver(this.#bindings.of(repository));
  }

  async manifestByTag(
    repository: Repository,
    tag: Tag,
    { signal }: PullOptions,
  ): Promise<ServedManifest | Refusal> {
    const binding = this.#bindings.ofTag(repository, tag);
    return await this.#answer(
      binding,
      async (verified) => await this.#tagged(repository, { binding: verified, tag, signal }),
    );
  }

  async manifestByDigest(
    repository: Repository,
    digest: Digest,
    { signal }: PullOptions,
  ): Promise<ServedManifest | Refusal> {
    const bound = this.#bindings.of(repository);
    return await this.#answer(bindingByDigest(bound), async (binding) => {
      const { pins, policy } = this.#options;
      requireDigestsAllowed(policy, repository, [digest]);
      const question = { repository, digest, bound, signal };
      const vouched = await pins.vouched(repository, digest);
      if (vouched?.descriptor.kind === 'manifest') {
        await this.#requireStillVouched(question);
        const { size } = vouched.descriptor;
        const requireLength = (bytes: number): void => requireSize(bytes, size);
        return await this.#manifest(repository, digest, { binding, signal, requireLength });
      }
      if (await pins.wasPinned(repository, digest)) {
        await this.#requireStillVouched(question);
        return await this.#manifest(repository, digest, { binding, signal });
      }
      return await this.#signedByDigest(question);
    });
  }

  async blob(
    repository: Repository,
    digest: Digest,
    options: BlobOptions,
  ): Promise<ServedBlob | Refusal> {
    const bound = this.#bindings.of(repository);
    return await this.#answer(bindingByDigest(bound), async () => {
      const { pins, blobs, policy } = this.#options;
      requireDigestsAllowed(policy, repository, [digest]);
      const vouched = await pins.vouched(repository, digest);
      if (vouched?.descriptor.kind !== 'blob') throw notVouched(digest);
      await this.#requireStillVouched({ repository, digest, bound, signal: options.signal });
      const content = await blobs.open(repository, vouched.descriptor, options);
      return { verdict: 'pinned', digest, mediaType: vouched.descriptor.mediaType, content };
    });
  }

  async tags(repository: Repository, { signal }: PullOptions): Promise<ServedTags | Refusal> {
    const bound = this.#bindings.of(repository);
    return await this.#answer(bindingByDigest(bound), async () => {
      const lists = await Promise.all(
        bound.verified.map(async ({ rule, deny, collection, signers }) => {
          const { value } = await collection().tags(signers, signal);
          return value.filter(
            (tag) => bound.rules.forTag(tag) === rule && deny.deniedTag(tag) === undefined,
          );
        }),
      );
      return { verdict: 'pinned', tags: lists.flat().filter(isTag).sort(compareBytes) };
    });
  }

  async #answer<Answer>(
    binding: Binding,
    work: (binding: VerifiedBinding) => Promise<Answer>,
  ): Promise<Answer | Refusal> {
    try {
      if (binding.kind !== 'verified') {
        throw new PullError('no_rule', 'no policy rule covers this repository');
      }
      await this.#options.clockGuard.require();
      return await work(binding);
    } catch (error) {
      // Anything else is a client that went away or a defect of ours: no verdict, and to be reported as what it is.
      if (!(error instanceof CodedError)) throw error;
      return this.#refusal(error, binding.kind === 'no-rule' ? undefined : binding.rule);
    }
  }

  #refusal(error: CodedError<string>, rule: Rule | undefined): Refusal {
    const refusal = this.#options.refusalOf(error, rule && ruleName(rule));
    return rule?.refusal === undefined ? refusal : { ...refusal, form: rule.refusal };
  }

  /** @throws {PullError} `digest_not_vouched` when what vouched for it does not count any more */
  async #requireStillVouched(question: VouchingQuestion): Promise<void> {
    if (!(await this.#vouching.stillCounts(question))) throw notVouched(question.digest);
  }

  /** A digest that no pull by tag has brought here yet may still be a signed one: engines also pull `name@digest` first. */
  async #signedByDigest(question: VouchingQuestion): Promise<ServedManifest> {
    const { repository, digest, bound, signal } = question;
    // Where every digest may be had, none is worth a question to the trust server.
    if (isOpenByDigest(bound.rules)) throw notVouched(digest);
    for (const binding of bound.verified) {
      const tag = await tagNowSigned(question, binding, digest);
      if (tag === undefined) continue;
      const answer = await this.#tagged(repository, { binding, tag, signal });
      // The tag may have been signed anew while we looked.
      if (answer.digest === digest) return answer;
    }
    throw notVouched(digest);
  }

  async #tagged(repository: Repository, pull: TagPull): Promise<ServedManifest> {
    const { binding, tag, signal } = pull;
    const { answers, clock } = this.#options;
    requireTagAllowed(binding.deny, tag);
    for (let turn = 0; turn < MAX_TURNS; turn += 1) {
      const { value: pin, staleSeconds } = await binding
        .collection()
        .pin(tag, binding.signers, signal);
      requireSignersAllowed(pin);
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
    const digests = [digest, ...parts.map((part) => part.digest)];
    // An engine that is refused a part of an image may get the whole of it elsewhere: so the image itself is refused.
    requireDigestsAllowed(this.#options.policy, repository, digests);
    const manifest: Descriptor = { mediaType, digest, size: bytes.length, kind: 'manifest' };
    await this.#options.pins.recordClosure(repository, manifest, parts);
    return { ...answer, rule: ruleName(binding.rule) };
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
    const { mediaType, parts } = parseServable(fetched.bytes, fetched.mediaType);
    if (stored === undefined) await manifests.write(digest, { bytes: fetched.bytes, mediaType });
    return { answer: { verdict: 'pinned', digest, mediaType, bytes: fetched.bytes }, parts };
  }
}

interface TagPull {
  readonly binding: VerifiedBinding;
  readonly tag: string;
  readonly signal: AbortSignal | undefined;
}

interface ManifestPull {
  readonly binding: VerifiedBinding;
  readonly signal: AbortSignal | undefined;
  /** Throws when a manifest of this many bytes is not the one that was signed. */
  readonly requireLength?: (bytes: number) => void;
}

/** By which rule something is answered that was asked for without a tag. */
function bindingByDigest({ withoutTag, verified }: BoundRepository): Binding {
  return withoutTag.kind === 'verified' ? withoutTag : (verified[0] ?? withoutTag);
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
