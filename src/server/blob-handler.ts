import { ifNoneMatchHits, ifRangeAllows } from '../oci/conditional.ts';
import type { Digest } from '../oci/digest.ts';
import type { Repository } from '../oci/names.ts';
import { parseRange } from '../oci/range.ts';
import { refusalOfError } from '../refusal/refusal-of-error.ts';
import type { ByteRange } from '../resolve/ports.ts';
import type {
  LetThroughBlob,
  Passage,
  Referral,
  Refusal,
  ServedBlob,
} from '../resolve/pull-service.ts';
import { cutAnswer } from './cut-answer.ts';
import { answerDecoyBlob } from './decoy-answers.ts';
import type { Ending, Exchange } from './exchange.ts';
import { marksOf } from './let-through.ts';
import { API_VERSION_HEADERS } from './oci-answer.ts';
import { answerDenial, isUnknown, type RefusedSubject } from './refusal-answer.ts';

/** Less is sent along sooner than a file is opened. */
const MIN_HANDED_BYTES = 64 * 1024;

type AnyBlob = ServedBlob | LetThroughBlob<Passage | Referral>;

/** What of a blob is to be sent. */
type Selection =
  | { readonly status: 200 | 206; readonly range: ByteRange }
  | { readonly status: 304 | 416 };

/** Answers `blobs/<digest>`: GET, HEAD, ranges. */
export async function handleBlob(
  exchange: Exchange,
  repository: Repository,
  digest: Digest,
): Promise<void> {
  const etag = `"${digest}"`;
  const range = askedRange(exchange, etag);
  const { pulls, referrers } = exchange.context;
  const options = {
    signal: exchange.signal,
    // A part of content that is not verified yet cannot be checked by anybody; from 0 to the end is all of it.
    wholeFirst: range !== undefined && range !== 'bytes=0-',
  };
  const answer = await pulls.blob(repository, digest, options);
  const referrer = isUnknown(answer)
    ? await referrers.blob(repository, digest, options)
    : undefined;
  const outcome = referrer ?? answer;
  if (outcome.verdict !== 'pinned' && outcome.verdict !== 'let-through') {
    refuse(exchange, { repository, reference: digest }, outcome);
    return;
  }
  try {
    await sendBlob(exchange, outcome, { etag, range, repository });
  } finally {
    outcome.content.close();
  }
}

function refuse(exchange: Exchange, subject: RefusedSubject, refusal: Refusal): void {
  if (!exchange.isOpen) {
    exchange.end({ verdict: 'cut', cause: 'the client went away' });
    return;
  }
  if (answerDecoyBlob(exchange, subject, refusal)) return;
  answerDenial(exchange, subject, refusal);
}

async function sendBlob(
  exchange: Exchange,
  blob: AnyBlob,
  asked: {
    readonly etag: string;
    readonly range: string | undefined;
    readonly repository: Repository;
  },
): Promise<void> {
  const { response } = exchange;
  const { digest, content } = blob;
  const selection = select(exchange, blob, asked);
  if (!exchange.isOpen) {
    exchange.end({ verdict: 'cut', digest, cause: 'the client went away' });
    return;
  }
  const subject = { repository: asked.repository, reference: digest };
  setHeaders(exchange, { ...selection, digest, size: content.size });
  const ending = endingOf(exchange, subject, blob);
  if (!('range' in selection) || exchange.isHead) {
    response.end();
    exchange.end({ ...ending, digest });
    return;
  }
  const { range } = selection;
  if (handsOver(exchange, blob, { range, repository: asked.repository })) return;
  try {
    // The headers go out with the first byte: a failure before it can still become an answer with a status.
    if (range.end > range.start) await content.send(response, range, exchange.signal);
  } catch (error) {
    cutOrRefuse(exchange, subject, error);
    return;
  }
  response.end();
  exchange.end({ ...ending, digest, bytes: range.end - range.start });
}

/** Has a process that can read the store itself send what is worth opening a file for. */
function handsOver(
  exchange: Exchange,
  { verdict, content }: AnyBlob,
  { range, repository }: { readonly range: ByteRange; readonly repository: Repository },
): boolean {
  const { handOver, response, admitted, context, listener } = exchange;
  const { file } = content;
  if (handOver === undefined || file === undefined || verdict !== 'pinned') return false;
  if (range.end - range.start < MIN_HANDED_BYTES) return false;
  const { requestId } = exchange;
  const caller = admitted?.caller;
  const keep = context.keeper?.ofFile(listener, repository);
  handOver(response, { file, range, requestId, repository, caller, keep });
  exchange.leave();
  return true;
}

/** How the request is to be told to have ended; marks what nothing has verified. */
function endingOf(exchange: Exchange, subject: RefusedSubject, blob: AnyBlob): Ending {
  if (blob.verdict === 'pinned') return { verdict: 'pinned' };
  const { headers, ending } = marksOf(exchange, subject, blob.passage);
  for (let index = 0; index < headers.length; index += 2) {
    exchange.response.setHeader(headers[index] ?? '', headers[index + 1] ?? '');
  }
  return { ...ending, rule: blob.rule };
}

/** @source RFC 9110 §13.2.2 (order of preconditions), §14.2 */
function select(
  exchange: Exchange,
  { content }: AnyBlob,
  asked: { readonly etag: string; readonly range: string | undefined },
): Selection {
  if (ifNoneMatchHits(exchange.request.headers['if-none-match'], asked.etag)) {
    return { status: 304 };
  }
  const whole: Selection = { status: 200, range: { start: 0, end: content.size } };
  const range = parseRange(asked.range, content.size);
  if (range === 'whole') return whole;
  if (range === 'unsatisfiable') return { status: 416 };
  // Content that is still arriving can only be sent whole; ignoring a range is always allowed.
  return content.isVerified ? { status: 206, range } : whole;
}

/** The range asked for, if it may be obeyed; HEAD has none. */
function askedRange(exchange: Exchange, etag: string): string | undefined {
  const { headers, method } = exchange.request;
  if (method !== 'GET' || headers.range === undefined) return undefined;
  const ifRange = headers['if-range'];
  return ifRangeAllows(typeof ifRange === 'string' ? ifRange : undefined, etag)
    ? headers.range.trim().toLowerCase()
    : undefined;
}

function setHeaders(
  exchange: Exchange,
  answer: Selection & { readonly digest: Digest; readonly size: number },
): void {
  const { response } = exchange;
  const { status, digest, size } = answer;
  response.statusCode = status;
  response.setHeader(...API_VERSION_HEADERS);
  response.setHeader('Docker-Content-Digest', digest);
  response.setHeader('ETag', `"${digest}"`);
  response.setHeader('Accept-Ranges', 'bytes');
  if (status === 304) return;
  response.setHeader('Content-Type', 'application/octet-stream');
  if (status === 416) {
    response.setHeader('Content-Range', `bytes */${size}`);
    response.setHeader('Content-Length', 0);
    return;
  }
  const { start, end } = 'range' in answer ? answer.range : { start: 0, end: size };
  response.setHeader('Content-Length', end - start);
  if (status === 206) response.setHeader('Content-Range', `bytes ${start}-${end - 1}/${size}`);
}

function cutOrRefuse(exchange: Exchange, subject: RefusedSubject, error: unknown): void {
  const { response } = exchange;
  const refusal = refusalOfError(error);
  if (exchange.isOpen) {
    for (const name of response.getHeaderNames()) response.removeHeader(name);
    answerDenial(exchange, subject, refusal);
    return;
  }
  cutAnswer(exchange, subject.reference, error);
}
