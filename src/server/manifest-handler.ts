import type { Digest } from '../oci/digest.ts';
import { type Repository, repositoryName, type Tag } from '../oci/names.ts';
import { isCompanionTag } from '../refusal/describe-refusal.ts';
import type {
  LetThroughManifest,
  Passage,
  Referral,
  Refusal,
  ServedManifest,
} from '../resolve/pull-service.ts';
import { AcceptMatcher } from './accept.ts';
import { answerDecoyManifest } from './decoy-answers.ts';
import type { Exchange } from './exchange.ts';
import { countLetThrough, marksOf } from './let-through.ts';
import { type PreparedManifest, prepareManifest, sendManifest } from './manifest-answer.ts';
import { API_VERSION_HEADERS, sendOciAnswer } from './oci-answer.ts';
import { answerRefusal, isUnknown, type RefusedSubject } from './refusal-answer.ts';

type UnverifiedAnswer = LetThroughManifest<Passage | Referral>;

/** Answers manifest requests by tag and by digest; HEAD and GET take the same decisions and give the same headers. */
export class ManifestHandler {
  readonly #accept = new AcceptMatcher();
  readonly #prepared = new WeakMap<ServedManifest, PreparedManifest>();

  /** Answers `manifests/<tag>`: at once if the verified answer is at hand, else with a promise. */
  byTag(exchange: Exchange, repository: Repository, tag: Tag): Promise<void> | undefined {
    const atHand = exchange.context.pulls.manifestByTagNow(repository, tag);
    if (atHand !== undefined) {
      this.#answer(exchange, { repository, reference: tag, tag }, atHand);
      return undefined;
    }
    return this.#verifyTag(exchange, repository, tag);
  }

  /** Answers `manifests/<digest>`. */
  async byDigest(exchange: Exchange, repository: Repository, digest: Digest): Promise<void> {
    if (answerDecoyManifest(exchange, repository, digest)) return;
    noteSuspicion(exchange, repository, digest);
    const { signal } = exchange;
    const { pulls, referrers } = exchange.context;
    const outcome = await pulls.manifestByDigest(repository, digest, { signal });
    const referrer = isUnknown(outcome)
      ? await referrers.manifest(repository, digest, { signal })
      : undefined;
    this.#answer(exchange, { repository, reference: digest }, referrer ?? outcome);
  }

  async #verifyTag(exchange: Exchange, repository: Repository, tag: Tag): Promise<void> {
    const { pulls } = exchange.context;
    if (isCompanionTag(tag) && pulls.treatment(repository, tag) === 'verified') {
      await this.#answerCompanion(exchange, repository, tag);
      return;
    }
    const outcome = await pulls.manifestByTag(repository, tag, { signal: exchange.signal });
    this.#answer(exchange, { repository, reference: tag, tag }, outcome);
  }

  /** What is attached to a verified image, if there is anything: asked for by name, it is never an image itself. */
  async #answerCompanion(exchange: Exchange, repository: Repository, tag: Tag): Promise<void> {
    const { referrers } = exchange.context;
    const found = await referrers.companion(repository, tag, { signal: exchange.signal });
    if (found !== undefined) {
      this.#answer(exchange, { repository, reference: tag }, found);
      return;
    }
    if (!exchange.isOpen) {
      exchange.end({ verdict: 'cut', cause: 'the client went away' });
      return;
    }
    const bytes = sendOciAnswer(exchange, NO_COMPANION);
    exchange.end({ verdict: 'answered', code: NO_COMPANION.code, bytes });
  }

  #answer(
    exchange: Exchange,
    subject: RefusedSubject & { readonly tag?: Tag },
    outcome: ServedManifest | UnverifiedAnswer | Refusal,
  ): void {
    if (!exchange.isOpen) {
      exchange.end({ verdict: 'cut', cause: 'the client went away' });
      return;
    }
    if (outcome.verdict !== 'pinned' && outcome.verdict !== 'let-through') {
      answerRefusal(exchange, subject, outcome);
      return;
    }
    if (!this.#accept.accepts(exchange.request.headers.accept, outcome.mediaType)) {
      answerRefusal(exchange, subject, notAcceptable(outcome));
      return;
    }
    if (outcome.verdict === 'pinned') this.#send(exchange, subject, outcome);
    else sendLetThrough(exchange, subject, outcome);
    const { bypassWatch } = exchange.context;
    if (bypassWatch.isIdle) return;
    const suspect = { client: exchange.client, repository: repositoryName(subject.repository) };
    bypassWatch.noteServed(suspect, outcome.digest, outcome.bytes);
  }

  #send(
    exchange: Exchange,
    { repository, tag }: { readonly repository: Repository; readonly tag?: Tag },
    manifest: ServedManifest,
  ): void {
    const { keeper } = exchange.context;
    if (tag !== undefined) keeper?.mark(exchange, { repository, tag }, manifest);
    sendManifest(exchange, this.#prepare(manifest), manifest);
  }

  #prepare(manifest: ServedManifest): PreparedManifest {
    const known = this.#prepared.get(manifest);
    if (known !== undefined) return known;
    const prepared = prepareManifest({ ...manifest, size: manifest.bytes.length }, manifest.bytes);
    this.#prepared.set(manifest, prepared);
    return prepared;
  }
}

const NO_COMPANION = {
  status: 404,
  code: 'MANIFEST_UNKNOWN',
  message: 'there is no signature, attestation or bill of materials under this tag',
} as const;

/** Sent as it is, and made anew each time: nothing of it is prepared or kept. */
function sendLetThrough(
  exchange: Exchange,
  subject: RefusedSubject,
  { digest, mediaType, bytes, passage, rule }: UnverifiedAnswer,
): void {
  const { response, isHead } = exchange;
  const { headers, ending } = marksOf(exchange, subject, passage);
  response.writeHead(200, [
    ...API_VERSION_HEADERS,
    'Content-Type',
    mediaType,
    'Content-Length',
    String(bytes.length),
    'Docker-Content-Digest',
    digest,
    'X-Content-Type-Options',
    'nosniff',
    ...headers,
  ]);
  response.end(isHead ? undefined : bytes);
  countLetThrough(exchange, passage, rule);
  exchange.end({ ...ending, digest, rule, bytes: isHead ? 0 : bytes.length });
}

function notAcceptable(manifest: ServedManifest | UnverifiedAnswer): Refusal {
  return {
    verdict: 'refused',
    reason: 'media_type_not_supported',
    cause: 'the Accept header excludes the media type of the signed manifest',
    facts: { mediaType: manifest.mediaType },
    ...(manifest.rule === undefined ? {} : { rule: manifest.rule }),
  };
}

/** An engine that was refused a tag and now knows a digest must have asked somebody else what the tag means. */
function noteSuspicion(exchange: Exchange, repository: Repository, digest: Digest): void {
  const { bypassWatch, metrics, log } = exchange.context;
  if (bypassWatch.isIdle) return;
  const name = repositoryName(repository);
  const listener = exchange.listener.name;
  const suspect = { client: exchange.client, repository: name };
  const found = bypassWatch.suspect(suspect, { digest, listener });
  if (found === undefined) return;
  metrics.count('pinnace_bypass_suspected_total', {});
  const { refusedTag, reason } = found;
  log.event('bypass.suspected', {
    requestId: exchange.requestId,
    listener,
    ...suspect,
    refusedTag,
    reason,
    digest,
  });
}
