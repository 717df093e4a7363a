import type { Digest } from '../oci/digest.ts';
import { type Repository, repositoryName } from '../oci/names.ts';
import {
  type DescribeOptions,
  describeRefusal,
  isCompanionTag,
} from '../refusal/describe-refusal.ts';
import { REASON_TABLE } from '../refusal/reason-table.ts';
import type { Refusal } from '../resolve/pull-service.ts';
import type { Exchange } from './exchange.ts';
import { API_VERSION_HEADERS } from './oci-answer.ts';

/** What a refusal is about. */
export interface RefusedSubject {
  readonly repository: Repository;
  /** The tag or digest; empty for the repository itself. */
  readonly reference: string;
}

/** Whether decoys may have been given out to engines of this listener. */
export function mayStopHard({
  listener,
  context,
}: Pick<Exchange, 'listener' | 'context'>): boolean {
  return listener.refusal === 'hard-stop' || context.hasHardStopRules;
}

/**
 * Tells the engine that it does not get what it asked for, in the form of the rule or else of its listener.
 *
 * @param challenge - the value of `WWW-Authenticate`, where a login may mend it
 */
export function answerRefusal(
  exchange: Exchange,
  subject: RefusedSubject,
  refusal: Refusal,
  challenge?: string,
): void {
  if (exchange.asked.kind === 'manifest_tag') {
    exchange.context.bypassWatch.noteRefusedTag(
      { client: exchange.client, repository: repositoryName(subject.repository) },
      { tag: subject.reference, reason: refusal.reason },
    );
    // Tools that look for signatures beside an image read manifests without pulling them: a decoy would mislead them.
    const form = refusal.form ?? exchange.listener.refusal;
    if (form === 'hard-stop' && !isCompanionTag(subject.reference)) {
      answerDecoy(exchange, subject, refusal);
      return;
    }
  }
  answerDenial(exchange, subject, refusal, { challenge });
}

/** Whether a digest is refused for no other reason than that nothing verified leads to it. */
export function isUnknown(outcome: { readonly verdict: string } | Refusal): boolean {
  return 'reason' in outcome && outcome.reason === 'digest_not_vouched';
}

/** How a denial is put. */
export interface DenialForm {
  /** The value of `WWW-Authenticate`, where a login may mend it. */
  readonly challenge?: string | undefined;
  /** Finds the words for a kind of client; default: those for engines. */
  readonly describe?: typeof describeRefusal;
}

/** Tells a refusal as it is, whatever the listener. */
export function answerDenial(
  exchange: Exchange,
  subject: RefusedSubject,
  refusal: Refusal,
  form: DenialForm = {},
): void {
  recordRefusal(exchange, subject, { refusal, ...sendDenial(exchange, subject, refusal, form) });
}

/** Sends a denial, of which nothing is recorded. @returns what was said, and in how many bytes */
export function sendDenial(
  exchange: Exchange,
  subject: RefusedSubject,
  refusal: Refusal,
  { challenge, describe = describeRefusal }: DenialForm = {},
): { readonly sentence: string; readonly bytes: number } {
  const description = describe(refusal, subject, {
    ...describeOptions(exchange),
    ...(challenge === undefined ? {} : { challenge }),
  });
  const headers: string[] = [...API_VERSION_HEADERS];
  for (const [name, value] of Object.entries(description.headers)) headers.push(name, value);
  exchange.response.writeHead(description.status, headers);
  exchange.response.end(exchange.isHead ? undefined : description.body);
  const bytes = exchange.isHead ? 0 : Buffer.byteLength(description.body);
  return { sentence: description.sentence, bytes };
}

/**
 * The hard stop: the tag is answered, with a manifest that nobody can complete, so that the engine does not ask the
 * origin what the tag means.
 *
 * @source reference: clients.md section 8
 */
function answerDecoy(exchange: Exchange, subject: RefusedSubject, refusal: Refusal): void {
  const { decoys, metrics } = exchange.context;
  const { sentence, warning } = describeRefusal(refusal, subject, describeOptions(exchange));
  const decoy = decoys.issue(subject.repository, { reason: refusal.reason, sentence });
  metrics.count('pinnace_decoys_issued_total', {});
  sendDecoy(exchange, decoy, [
    'Warning',
    warning,
    'X-Pinnace-Reason',
    refusal.reason,
    'X-Pinnace-Decision',
    exchange.requestId,
  ]);
  const bytes = exchange.isHead ? 0 : decoy.bytes.length;
  recordRefusal(exchange, subject, { refusal, sentence, bytes, digest: decoy.digest });
}

/** Sends a decoy's manifest. */
export function sendDecoy(
  exchange: Exchange,
  decoy: { readonly digest: Digest; readonly mediaType: string; readonly bytes: Uint8Array },
  headers: readonly string[],
): void {
  exchange.response.writeHead(200, [
    ...API_VERSION_HEADERS,
    'Content-Type',
    decoy.mediaType,
    'Content-Length',
    String(decoy.bytes.length),
    'Docker-Content-Digest',
    decoy.digest,
    'ETag',
    `"${decoy.digest}"`,
    'Cache-Control',
    'no-store',
    ...headers,
  ]);
  exchange.response.end(exchange.isHead ? undefined : decoy.bytes);
}

function describeOptions(exchange: Exchange): DescribeOptions {
  const { docsUrl } = exchange.context;
  return { decision: exchange.requestId, ...(docsUrl === undefined ? {} : { docsUrl }) };
}

function recordRefusal(
  exchange: Exchange,
  subject: RefusedSubject,
  told: {
    readonly refusal: Refusal;
    readonly sentence: string;
    readonly bytes: number;
    readonly digest?: string;
  },
): void {
  const { refusal } = told;
  exchange.countRefusal(refusal.reason, refusal.rule);
  exchange.context.refusals.add(repositoryName(subject.repository), {
    at: exchange.context.clock.now(),
    reference: subject.reference,
    reason: refusal.reason,
    message: told.sentence,
    decision: exchange.requestId,
  });
  exchange.end({
    verdict: refusal.reason === 'internal' ? 'failed' : refusal.verdict,
    code: refusal.reason,
    cause: refusal.cause,
    rule: refusal.rule,
    bytes: told.bytes,
    digest: told.digest,
    level: REASON_TABLE[refusal.reason].logLevel,
  });
}
