import { LRUCache } from 'lru-cache';
import type { Clock } from '../base/clock.ts';
import { type Digest, hasDigest } from '../oci/digest.ts';
import type { Asked } from '../server/exchange.ts';
import { type PreparedManifest, prepareManifest } from '../server/manifest-answer.ts';
import type { KeptMark } from './kept-mark.ts';
import { SeenClock } from './seen-clock.ts';

/** An answer that a front may give by itself for now. */
export interface KeptAnswer {
  readonly digest: Digest;
  readonly mediaType: string;
  readonly rule?: string;
  readonly asked: Asked;
  /** Without a body as long as only its headers have been seen. */
  readonly prepared: PreparedManifest;
  /** Monotonic milliseconds. */
  readonly until: number;
  /** Milliseconds since the epoch. */
  readonly freshUntil: number;
  readonly scope: string;
}

/** An answer of the core with its mark, seen by the front that asked. */
export interface SeenAnswer {
  readonly mark: KeptMark;
  /** The manifest, if this answer had it. */
  readonly body: Uint8Array | undefined;
  /** Monotonic milliseconds: what remains of `maxAge` was reckoned later than this. */
  readonly askedAtMs: number;
}

/** Bytes of manifests kept by one front. */
const MAX_BYTES = 64 * 1024 * 1024;
const MAX_ANSWERS = 20_000;
/** What an answer costs beside its manifest, roughly. */
const ANSWER_OVERHEAD_BYTES = 2048;

/** The answers that one front keeps, by listener and request, until the core has it forget them. */
export class KeptAnswers {
  readonly #clock: Clock;
  readonly #answers = new LRUCache<string, KeptAnswer>({
    max: MAX_ANSWERS,
    maxSize: MAX_BYTES,
    sizeCalculation: ({ prepared }) =>
      ANSWER_OVERHEAD_BYTES + (prepared.body === undefined ? 0 : prepared.size),
  });
  readonly #seen = new SeenClock();
  #epoch: number;

  constructor(clock: Clock, epoch: number) {
    this.#clock = clock;
    this.#epoch = epoch;
  }

  /** An answer that may be given right now. */
  find(key: string): KeptAnswer | undefined {
    const kept = this.#answers.get(key);
    if (kept === undefined || kept.until <= this.#clock.monotonicMs()) return undefined;
    const now = this.#clock.now();
    // A clock that went back would bring what has expired to life again; the core says what to do about it.
    if (kept.freshUntil <= now || !this.#seen.isTrue(now)) return undefined;
    return kept;
  }

  /** Keeps an answer, unless something has been forgotten since the core marked it, or it is not what the mark says. */
  keep(key: string, { mark, body, askedAtMs }: SeenAnswer): void {
    if (mark.epoch !== this.#epoch) return;
    const before = this.#answers.get(key);
    const { digest, mediaType, rule, scope, freshUntil } = mark;
    const isSame = before?.digest === digest && before.mediaType === mediaType;
    if (body !== undefined && (body.length !== mark.size || !hasDigest(body, digest))) return;
    this.#seen.look(mark);
    const prepared =
      isSame && (body === undefined || before.prepared.body !== undefined)
        ? before.prepared
        : prepareManifest(mark, body);
    this.#answers.set(key, {
      ...{ digest, mediaType, prepared, scope, freshUntil },
      asked: { kind: 'manifest_tag', repository: mark.repository, reference: mark.tag },
      until: askedAtMs + mark.forMs,
      ...(rule === undefined ? {} : { rule }),
    });
  }

  /** Forgets what rests on this scope, or everything; what the core marked before is not kept any more either. */
  forget(epoch: number, scope: string | undefined): void {
    this.#epoch = epoch;
    if (scope === undefined) {
      this.#answers.clear();
      return;
    }
    for (const [key, kept] of this.#answers.entries()) {
      if (kept.scope === scope) this.#answers.delete(key);
    }
  }
}
