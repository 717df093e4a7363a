import { abortable } from '../base/abortable.ts';
import type { Caller } from '../base/caller.ts';
import type { Clock } from '../base/clock.ts';
import type { ReasonCode } from '../base/reason-code.ts';
import { SingleFlight } from '../base/single-flight.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';
import { type Repository, repositoryName, type Tag } from '../oci/names.ts';
import type { Platform } from '../oci/platform.ts';
import { ImageListing } from './image-listing.ts';
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
import { WholeImages } from './whole-images.ts';

/** The content that is on disk, as far as completing an image has to know it. */
export interface HeldContent {
  /** The most bytes that are kept. */
  readonly capacityBytes: number;
  /** Whether the content is thought to be there, without looking. */
  has(digest: Digest): boolean;
  /** Resolves when no download of the content is under way, stored or not. */
  settled(digest: Digest): Promise<void>;
}

/** One image that was to be whole before its tag was answered. */
export interface Completion {
  readonly repository: string;
  readonly digest: Digest;
  /** Blobs of the image. */
  readonly parts: number;
  /** Bytes of all its blobs. */
  readonly bytes: number;
  readonly durationMs: number;
  /** Why the tag is refused; absent when the image is whole. */
  readonly reason?: ReasonCode;
}

/** Who is told of completions; every callback must return at once and not throw. */
export interface CompletionEvents {
  /** How many images are being completed now. */
  inFlight(count: number): void;
  ended(completion: Completion): void;
  /** A tag was refused because its image was not whole in time; fetching goes on. */
  late(image: { readonly repository: string; readonly digest: Digest }, withinMs: number): void;
}

/** What a `CompletePulls` works with. */
export interface CompletePullsOptions {
  readonly pulls: VerifiedPullService;
  readonly held: HeldContent;
  readonly clock: Clock;
  readonly events: CompletionEvents;
  /** Which tags are answered only when the image is whole; default: all. */
  readonly appliesTo?: (repository: Repository, tag: Tag) => boolean;
  /** The children of an index that are completed; none named: all. */
  readonly platforms: readonly Platform[];
  /** How long an engine is kept waiting for the rest of an image, in milliseconds. */
  readonly withinMs: number;
}

/** How many blobs of one image are fetched at a time. */
const BLOBS_AT_ONCE = 4;
/** How often an image is completed for one answer, should its tag be signed anew or parts be dropped meanwhile. */
const MAX_TURNS = 3;

/**
 * Answers a tag only when every part of its image has been fetched, verified and stored, so that altered or missing
 * content is a refusal of the tag, the only refusal that engines with a second endpoint obey. Everything else passes
 * through.
 */
export class CompletePulls implements VerifiedPullService {
  readonly #options: CompletePullsOptions;
  readonly #flights = new SingleFlight<string, Refusal | undefined>();
  readonly #whole = new WholeImages();
  #inFlight = 0;

  constructor(options: CompletePullsOptions) {
    this.#options = options;
  }

  forbids(repository: Repository, caller: Caller | undefined, tag?: Tag): Refusal | undefined {
    return this.#options.pulls.forbids(repository, caller, tag);
  }

  treatment(repository: Repository, tag?: Tag): Treatment {
    return this.#options.pulls.treatment(repository, tag);
  }

  manifestByTagNow(repository: Repository, tag: Tag): ServedManifest | undefined {
    const answer = this.#options.pulls.manifestByTagNow(repository, tag);
    return answer !== undefined && this.#maySend({ repository, tag }, answer) ? answer : undefined;
  }

  async manifestByTag(
    repository: Repository,
    tag: Tag,
    options: PullOptions,
  ): Promise<ServedManifest | Refusal> {
    const deadline = this.#options.clock.monotonicMs() + this.#options.withinMs;
    for (let turn = 0; turn < MAX_TURNS; turn += 1) {
      // Asked anew after completing: a signed answer must not be given out past the moment until which it was signed.
      const answer = await this.#options.pulls.manifestByTag(repository, tag, options);
      if (answer.verdict !== 'pinned' || this.#maySend({ repository, tag }, answer)) return answer;
      const refusal = await this.#completed(repository, answer, { ...options, deadline });
      if (refusal !== undefined) return refusal;
    }
    return notHeld(undefined, 'parts of the image were dropped while others were fetched', {});
  }

  manifestByDigest(
    repository: Repository,
    digest: Digest,
    options: PullOptions,
  ): Promise<ServedManifest | Refusal> {
    return this.#options.pulls.manifestByDigest(repository, digest, options);
  }

  blob(
    repository: Repository,
    digest: Digest,
    options: BlobOptions,
  ): Promise<ServedBlob | Refusal> {
    return this.#options.pulls.blob(repository, digest, options);
  }

  tags(repository: Repository, options: PullOptions): Promise<ServedTags | Refusal> {
    return this.#options.pulls.tags(repository, options);
  }

  #maySend(
    { repository, tag }: { readonly repository: Repository; readonly tag: Tag },
    { digest }: ServedManifest,
  ): boolean {
    if (this.#options.appliesTo?.(repository, tag) === false) return true;
    const parts = this.#whole.partsOf(repository, digest);
    return parts?.every((part) => this.#options.held.has(part)) ?? false;
  }

  /** Waits for the image, but not longer than the engine can; fetching goes on for the next try. */
  async #completed(
    repository: Repository,
    answer: ServedManifest,
    { signal, deadline }: PullOptions & { readonly deadline: number },
  ): Promise<Refusal | undefined> {
    const { clock, events, withinMs } = this.#options;
    const key = keyOf(repository, answer.digest);
    const work = this.#flights.run(key, () => this.#complete(repository, answer));
    const { promise, resolve } = Promise.withResolvers<Refusal>();
    const timer = clock.after(Math.max(0, deadline - clock.monotonicMs()), () => {
      events.late({ repository: repositoryName(repository), digest: answer.digest }, withinMs);
      resolve(notReady(answer, withinMs));
    });
    try {
      return await abortable(Promise.race([work, promise]), signal);
    } finally {
      timer.cancel();
    }
  }

  /** Shared by all who wait for the same image, so nobody's signal stops it; the upstream's time limits do. */
  async #complete(repository: Repository, answer: ServedManifest): Promise<Refusal | undefined> {
    const { clock, events, pulls, platforms } = this.#options;
    const startedAt = clock.monotonicMs();
    this.#count(1);
    let blobs: readonly Descriptor[] = [];
    let refusal: Refusal | undefined;
    try {
      const listed = await new ImageListing(pulls, repository, platforms).list(answer);
      if (listed.verdict !== 'listed') refusal = listed;
      else {
        blobs = listed.blobs;
        refusal = await this.#fetch(repository, answer, blobs);
      }
      return refusal;
    } finally {
      this.#count(-1);
      events.ended({
        repository: repositoryName(repository),
        digest: answer.digest,
        parts: blobs.length,
        bytes: totalBytes(blobs),
        durationMs: clock.monotonicMs() - startedAt,
        ...(refusal === undefined ? {} : { reason: refusal.reason }),
      });
    }
  }

  #count(change: number): void {
    this.#inFlight += change;
    this.#options.events.inFlight(this.#inFlight);
  }

  async #fetch(
    repository: Repository,
    { digest, rule }: ServedManifest,
    blobs: readonly Descriptor[],
  ): Promise<Refusal | undefined> {
    const { held } = this.#options;
    const neededBytes = totalBytes(blobs);
    if (neededBytes > held.capacityBytes) {
      const facts = { neededBytes, capacityBytes: held.capacityBytes };
      return notHeld(rule, 'the image is larger than the cache', facts);
    }
    const parts = blobs.map((blob) => blob.digest);
    const refusal = await this.#fetchAll(repository, parts);
    if (refusal !== undefined) return refusal;
    const missing = parts.find((part) => !held.has(part));
    if (missing !== undefined) {
      return notHeld(rule, 'a part of the image could not be stored', { digest: missing });
    }
    this.#whole.note(repository, digest, parts);
    return undefined;
  }

  async #fetchAll(repository: Repository, parts: readonly Digest[]): Promise<Refusal | undefined> {
    const waiting = parts.values();
    let refusal: Refusal | undefined;
    const work = async (): Promise<void> => {
      for (const part of waiting) {
        if (refusal !== undefined) return;
        const failed = await this.#fetchOne(repository, part);
        refusal ??= failed;
      }
    };
    await Promise.all(Array.from({ length: Math.min(BLOBS_AT_ONCE, parts.length) }, work));
    return refusal;
  }

  /** Opening it whole is verifying it, from the disk or from the upstream. */
  async #fetchOne(repository: Repository, digest: Digest): Promise<Refusal | undefined> {
    const { pulls, held } = this.#options;
    const outcome = await pulls.blob(repository, digest, { wholeFirst: true });
    if (outcome.verdict !== 'pinned') return outcome;
    try {
      // Verified is not stored yet. What can be neither stored nor held is not waited for: it would wait for a reader.
      if (outcome.content.isVerified) await held.settled(digest);
    } finally {
      outcome.content.close();
    }
    return undefined;
  }
}

function keyOf(repository: Repository, digest: Digest): string {
  return `${repositoryName(repository)}@${digest}`;
}

function totalBytes(blobs: readonly Descriptor[]): number {
  return blobs.reduce((sum, { size }) => sum + size, 0);
}

function notReady({ rule }: ServedManifest, withinMs: number): Refusal {
  return {
    verdict: 'inconclusive',
    reason: 'image_not_ready',
    cause: 'the image was not whole in time; fetching goes on',
    facts: { withinMs },
    ...(rule === undefined ? {} : { rule }),
  };
}

function notHeld(rule: string | undefined, cause: string, facts: Refusal['facts']): Refusal {
  return {
    verdict: 'inconclusive',
    reason: 'image_incomplete',
    cause,
    facts,
    ...(rule === undefined ? {} : { rule }),
  };
}
