import { createHmac, timingSafeEqual } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import type { Clock } from '../base/clock.ts';
import { REASON_CODES, type ReasonCode } from '../base/reason-code.ts';
import { type Digest, parseDigest, sha256Digest } from '../oci/digest.ts';
import { type Repository, repositoryName } from '../oci/names.ts';
import { plainText } from './plain-text.ts';
import { REASON_TABLE } from './reason-table.ts';

/** Settings of a `DecoyIssuer`. */
export interface DecoyOptions {
  /** At least 32 random bytes, the same on all replicas. */
  readonly secret: Uint8Array;
  readonly clock: Clock;
  /** How long the same refusal gets the same decoy; default 10 minutes. */
  readonly windowMs?: number;
  /** The most manifests remembered; default 10,000. */
  readonly maxRemembered?: number;
}

/** A manifest that nobody can complete. */
export interface Decoy {
  readonly digest: Digest;
  readonly mediaType: 'application/vnd.oci.image.manifest.v1+json';
  readonly bytes: Uint8Array;
}

/** Why a tag is refused, for the engine to print. */
export interface DecoyRefusal {
  readonly reason: ReasonCode;
  /** As `describeRefusal` gives it. */
  readonly sentence: string;
}

interface Issued {
  readonly decoy: Decoy;
  readonly window: number;
}

interface BlobScope {
  readonly repository: Repository;
  readonly reason: ReasonCode;
  readonly window: number;
}

interface KnownBlob {
  readonly reason: ReasonCode;
  readonly digest: Uint8Array;
}

type BlobKind = 'config' | 'layer';

const MEDIA_TYPE = 'application/vnd.oci.image.manifest.v1+json';
const CONFIG_MEDIA_TYPE = 'application/vnd.oci.image.config.v1+json';
const DEFAULT_WINDOW_MS = 10 * 60 * 1000;
const DEFAULT_REMEMBERED = 10_000;
const MIN_SECRET_BYTES = 32;
/** How many repositories' and windows' parts are kept at once; one takes about 20 kB. */
const KNOWN_TABLES = 192;
/** The longest text an engine is given to print, in characters. */
const MAX_TEXT = 500;

/**
 * Makes the answers of the hard stop: image manifests whose config and layer nobody has, and whose layer's media type
 * is the reason for the refusal, which engines print. An engine that has received one does not ask another registry
 * for the tag.
 *
 * The digests are a keyed hash of refusal and time window: no other registry can foresee them, and each replica that
 * shares the secret knows them again without shared state.
 *
 * @source reference: clients.md section 8
 */
export class DecoyIssuer {
  readonly #secret: Uint8Array;
  readonly #clock: Clock;
  readonly #windowMs: number;
  readonly #issued: LRUCache<string, Issued>;
  readonly #known: LRUCache<string, readonly KnownBlob[]> = new LRUCache({ max: KNOWN_TABLES });

  /** @throws {RangeError} a secret that is too short, or a window or count below 1 */
  constructor(options: DecoyOptions) {
    const { windowMs = DEFAULT_WINDOW_MS, maxRemembered = DEFAULT_REMEMBERED } = options;
    if (options.secret.length < MIN_SECRET_BYTES) {
      throw new RangeError(`the decoy secret needs ${MIN_SECRET_BYTES} bytes`);
    }
    if (!(windowMs >= 1) || !(maxRemembered >= 1)) {
      throw new RangeError('the decoy window and count must be positive');
    }
    this.#secret = options.secret;
    this.#clock = options.clock;
    this.#windowMs = windowMs;
    this.#issued = new LRUCache({ max: maxRemembered });
  }

  /** Gives the decoy for a refused tag; the same bytes for the same refusal until the window ends. */
  issue(repository: Repository, refusal: DecoyRefusal): Decoy {
    const window = this.#window();
    const scope = { repository, reason: refusal.reason, window };
    const bytes = Buffer.from(
      JSON.stringify({
        schemaVersion: 2,
        mediaType: MEDIA_TYPE,
        config: { mediaType: CONFIG_MEDIA_TYPE, ...this.#blob('config', scope) },
        layers: [{ mediaType: printedText(refusal), ...this.#blob('layer', scope) }],
      }),
    );
    const decoy: Decoy = { digest: sha256Digest(bytes), mediaType: MEDIA_TYPE, bytes };
    this.#issued.set(memoryKey(repository, decoy.digest), { decoy, window });
    return decoy;
  }

  /** The decoy that was issued here under this digest, in this window or the one before; undefined for others. */
  manifest(repository: Repository, digest: Digest): Decoy | undefined {
    const issued = this.#issued.get(memoryKey(repository, digest));
    return issued !== undefined && this.#window() - issued.window <= 1 ? issued.decoy : undefined;
  }

  /**
   * The reason for which a decoy with this config or layer was issued, by this or another replica, in this window or
   * the one before; undefined for digests of other content.
   */
  reasonOfBlob(repository: Repository, digest: Digest): ReasonCode | undefined {
    if (!digest.startsWith('sha256:')) return undefined;
    const asked = Buffer.from(digest);
    const now = this.#window();
    // The next one, too: another replica's clock may be a little ahead.
    for (const window of [now, now - 1, now + 1]) {
      for (const known of this.#blobsOf(repository, window)) {
        if (timingSafeEqual(known.digest, asked)) return known.reason;
      }
    }
    return undefined;
  }

  /** The parts of all decoys that a repository can have in a window. Kept, as computing them takes milliseconds. */
  #blobsOf(repository: Repository, window: number): readonly KnownBlob[] {
    const key = `${repositoryName(repository)} ${window}`;
    const kept = this.#known.get(key);
    if (kept !== undefined) return kept;
    const blobs = REASON_CODES.flatMap((reason) =>
      (['config', 'layer'] as const).map((kind) => ({
        reason,
        digest: Buffer.from(this.#blobDigest(kind, { repository, reason, window })),
      })),
    );
    this.#known.set(key, blobs);
    return blobs;
  }

  #window(): number {
    return Math.floor(this.#clock.now() / this.#windowMs);
  }

  #blob(kind: BlobKind, scope: BlobScope): { readonly digest: Digest; readonly size: number } {
    const digest = this.#blobDigest(kind, scope);
    // The sizes of a small image, but not the same for all: nobody should know a decoy by them.
    const variety = Number.parseInt(digest.slice(-5), 16);
    return { digest, size: kind === 'config' ? 900 + (variety % 8192) : 2_000_000 + variety };
  }

  #blobDigest(kind: BlobKind, scope: BlobScope): Digest {
    // As JSON, since joined with a separator two different scopes might read the same.
    const text = JSON.stringify([
      'pinnace decoy 1',
      kind,
      repositoryName(scope.repository),
      scope.reason,
      scope.window,
    ]);
    return parseDigest(`sha256:${createHmac('sha256', this.#secret).update(text).digest('hex')}`);
  }
}

function memoryKey(repository: Repository, digest: Digest): string {
  return `${repositoryName(repository)}@${digest}`;
}

/** Sentence, remedy and reason code as far as they fit; the code always does, since it is what one searches for. */
function printedText({ reason, sentence }: DecoyRefusal): string {
  const code = ` (${reason})`;
  const plain = plainText(sentence, MAX_TEXT - code.length);
  const text = plain.startsWith('pinnace refused') ? plain : `pinnace refused: ${plain}`;
  const whole = `${text}. ${REASON_TABLE[reason].remedy}`;
  const fits = whole.length + code.length <= MAX_TEXT;
  return `${plainText(fits ? whole : text, MAX_TEXT - code.length)}${code}`;
}
