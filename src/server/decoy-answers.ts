import { type Digest, isDigest } from '../oci/digest.ts';
import { type Repository, repositoryName } from '../oci/names.ts';
import { describeRefusal } from '../refusal/describe-refusal.ts';
import { REASON_TABLE } from '../refusal/reason-table.ts';
import type { Refusal } from '../resolve/pull-service.ts';
import type { Exchange } from './exchange.ts';
import { sendOciAnswer } from './oci-answer.ts';
import { mayStopHard, type RefusedSubject, sendDecoy } from './refusal-answer.ts';

/**
 * Answers a request for a refused blob if it is part of a decoy: always 403, since it will never exist and no engine
 * is to try again, with the sentence for which the decoy stands in.
 *
 * @returns whether it was one, and is answered
 * @source reference: clients.md section 8
 */
export function answerDecoyBlob(
  exchange: Exchange,
  subject: RefusedSubject,
  refusal: Refusal,
): boolean {
  const { repository, reference } = subject;
  const { decoys, refusals } = exchange.context;
  if (!mayStopHard(exchange) || !isDigest(reference)) return false;
  // Asked only now: it costs hundreds of hashes, and content that is served is never a decoy's.
  const reason = decoys.reasonOfBlob(repository, reference);
  if (reason === undefined) return false;
  const decision = exchange.requestId;
  const told = refusals
    .of(repositoryName(repository))
    .find((past) => past.reason === reason && !isDigest(past.reference));
  // Another replica may have issued the decoy: then only the repository and the reason are known.
  const sentence =
    told?.message ??
    describeRefusal({ ...refusal, reason, facts: {} }, { repository, reference: '' }, { decision })
      .sentence;
  const { remedy } = REASON_TABLE[reason];
  const bytes = sendOciAnswer(exchange, {
    status: 403,
    code: 'DENIED',
    message: `${sentence}. ${remedy} (reason ${reason}, decision ${told?.decision ?? decision})`,
    detail: { code: reason, repository: repositoryName(repository), remedy, sentence, decision },
    headers: ['X-Pinnace-Reason', reason, 'X-Pinnace-Decision', decision],
  });
  exchange.end({
    verdict: 'refused',
    code: reason,
    cause: 'part of a decoy',
    bytes,
    level: 'info',
  });
  return true;
}

/**
 * Answers a request for a manifest by digest if it is a decoy that was given out, on listeners that do.
 *
 * @returns whether it was one, and is answered
 */
export function answerDecoyManifest(
  exchange: Exchange,
  repository: Repository,
  digest: Digest,
): boolean {
  if (!mayStopHard(exchange)) return false;
  const decoy = exchange.context.decoys.manifest(repository, digest);
  if (decoy === undefined) return false;
  sendDecoy(exchange, decoy, []);
  const bytes = exchange.isHead ? 0 : decoy.bytes.length;
  exchange.end({ verdict: 'refused', code: 'decoy', digest, bytes, level: 'info' });
  return true;
}
