import type { Repository, Tag } from '../oci/names.ts';
import type { ClockWitness } from '../resolve/ports.ts';
import type { ServedManifest } from '../resolve/pull-service.ts';
import type { Keepable } from '../resolve/verified-pulls.ts';
import type { FileKeep } from '../server/peer.ts';
import type { AnswerKeeper } from '../server/registry-context.ts';
import { KEEP, writeMark } from './kept-mark.ts';

/** What a `FrontKeeper` goes by. */
export interface FrontKeeperOptions {
  /** Whether an answer that was given for a tag is the one that would be given now, and for how long. */
  readonly keepable: (
    repository: Repository,
    tag: Tag,
    answer: ServedManifest,
  ) => Keepable | undefined;
  /** Whether each answer for a tag has to be looked into here: it depends on more than trust. */
  readonly isExempt: (repository: Repository, tag: Tag) => boolean;
  /** Whether a blob that was served stays one to be served, until there is another configuration or the clock goes back. */
  readonly isBlobKeepable: (repository: Repository) => boolean;
  readonly epoch: () => number;
  readonly witness: () => ClockWitness;
}

/** So long at most does a front answer by itself: the core has to see what is in use, to keep it fresh. Milliseconds. */
const LONGEST_MS = 60_000;
/** The same for stored blobs: the core has to see which are in use, to evict others. Milliseconds. */
const FILE_MS = 10_000;

/** Says what scope an answer has that rests on this metadata. */
export function scopeOf({ source, gun }: Keepable['metadata']): string {
  return JSON.stringify([source, gun]);
}

/** Tells fronts, beside the answers of one configuration, which of them they may give again. */
export class FrontKeeper implements AnswerKeeper {
  readonly #options: FrontKeeperOptions;
  #isRetired = false;

  constructor(options: FrontKeeperOptions) {
    this.#options = options;
  }

  retire(): void {
    this.#isRetired = true;
  }

  ofFile(...[listener, repository]: Parameters<AnswerKeeper['ofFile']>): FileKeep | undefined {
    if (this.#isRetired || listener.gate !== undefined) return undefined;
    const { isBlobKeepable, epoch, witness } = this.#options;
    if (!isBlobKeepable(repository)) return undefined;
    return { epoch: epoch(), forMs: FILE_MS, ...witness() };
  }

  mark(...[answer, { repository, tag }, manifest]: Parameters<AnswerKeeper['mark']>): void {
    // Where somebody is asked who is calling, the answer is for that caller.
    if (this.#isRetired || answer.listener.gate !== undefined) return;
    const { keepable, isExempt, epoch, witness } = this.#options;
    if (isExempt(repository, tag)) return;
    const found = keepable(repository, tag, manifest);
    if (found === undefined) return;
    const { digest, mediaType, bytes, rule } = manifest;
    const mark = writeMark({
      epoch: epoch(),
      forMs: Math.min(found.forMs, LONGEST_MS),
      freshUntil: found.freshUntil,
      scope: scopeOf(found.metadata),
      ...witness(),
      ...{ repository, tag, digest, mediaType, size: bytes.length },
      ...(rule === undefined ? {} : { rule }),
    });
    answer.response.setHeader(KEEP, mark);
  }
}
