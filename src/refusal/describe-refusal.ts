import type { ReasonCode } from '../base/reason-code.ts';
import { repositoryName } from '../oci/names.ts';
import type { Refusal } from '../resolve/pull-service.ts';
import { factText, plainText, type Subject } from './plain-text.ts';
import { REASON_TABLE } from './reason-table.ts';

/** What belongs to one refusal and not to its reason. */
export interface DescribeOptions {
  /** The id under which logs and receipts have this decision. */
  readonly decision: string;
  /** Where `docs/errors.md` can be read; the reason code is added as its fragment. */
  readonly docsUrl?: string;
  /** What `client_unauthorized` asks for, as the value of `WWW-Authenticate`; without it, it is 403 `DENIED`. */
  readonly challenge?: string;
}

/** A refusal as an HTTP answer. */
export interface RefusalDescription {
  readonly status: number;
  readonly retryAfterSeconds?: number;
  /** An OCI error document, printable ASCII. */
  readonly body: string;
  /** What was asked and what happened, in one line. */
  readonly sentence: string;
  /** The value of the `Warning` header: on an answer to HEAD, the only place for words. */
  readonly warning: string;
  /** All headers of the answer, names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
}

const COMPANION_TAG = /^sha(?:256-[0-9a-f]{64}|512-[0-9a-f]{128})(?:\.(?:sig|att|sbom))?$/;
const LONGEST_RETRY_SECONDS = 86_400;

/**
 * Says whether a tag is one that signing tools and engines look for beside an image (`sha256-<hex>.sig`, the referrers
 * tag `sha256-<hex>`). Such tags are never in trust metadata; "not found" is the proper answer, and a decoy is not.
 *
 * @source OCI distribution 1.1 (#referrers-tag-schema)
 */
export function isCompanionTag(reference: string): boolean {
  return reference.length <= 150 && COMPANION_TAG.test(reference);
}

/** Writes a refusal for the person at the terminal: engines show `message` alone, so it holds the whole story. */
export function describeRefusal(
  refusal: Refusal,
  subject: Subject,
  options: DescribeOptions,
): RefusalDescription {
  const row = REASON_TABLE[refusal.reason];
  const sentence = row.sentence(subject, refusal.facts);
  const { status, ociCode } = answerCode(refusal.reason, subject, options);
  const retryAfterSeconds = retryAfter(refusal);
  const detail = detailOf(refusal, subject, { sentence, decision: options.decision });
  const message = `${sentence}. ${row.remedy} (${pointers(refusal.reason, options)})`;
  const body = JSON.stringify({ errors: [{ code: ociCode, message, detail }] });
  const warning = `299 - "${sentence}"`;
  return {
    status,
    body,
    sentence,
    warning,
    ...(retryAfterSeconds === undefined ? {} : { retryAfterSeconds }),
    headers: {
      'content-type': 'application/json',
      'content-length': String(Buffer.byteLength(body)),
      // A cache between engine and Pinnace must not make a refusal outlive its reason.
      'cache-control': 'no-store',
      warning,
      'x-pinnace-reason': refusal.reason,
      'x-pinnace-decision': plainText(options.decision, 100),
      ...(retryAfterSeconds === undefined ? {} : { 'retry-after': String(retryAfterSeconds) }),
      ...(status === 401 && options.challenge !== undefined
        ? { 'www-authenticate': options.challenge }
        : {}),
      ...(status === 405 ? { allow: 'GET, HEAD' } : {}),
    },
  };
}

function answerCode(
  reason: ReasonCode,
  subject: Subject,
  options: DescribeOptions,
): { readonly status: number; readonly ociCode: string } {
  // RFC 9110 §15.5.2: 401 has a challenge. Without one engines would ask a person for a password that helps nobody.
  if (reason === 'client_unauthorized' && options.challenge === undefined) {
    return { status: 403, ociCode: 'DENIED' };
  }
  // For these, 403 would make engines fail that merely ask whether there is a signature beside the image.
  if (reason === 'tag_not_signed' && isCompanionTag(subject.reference)) {
    return { status: 404, ociCode: 'MANIFEST_UNKNOWN' };
  }
  return REASON_TABLE[reason];
}

function retryAfter(refusal: Refusal): number | undefined {
  const usual = REASON_TABLE[refusal.reason].retryAfterSeconds;
  const asked = refusal.retryAfterSeconds;
  // What is proved bad does not get better by waiting, whatever an upstream said.
  if (usual === undefined || asked === undefined || !Number.isFinite(asked)) return usual;
  return Math.min(Math.max(Math.ceil(asked), 1), LONGEST_RETRY_SECONDS);
}

function pointers(reason: ReasonCode, options: DescribeOptions): string {
  const see = options.docsUrl === undefined ? '' : `, see ${options.docsUrl}#${reason}`;
  return plainText(`reason ${reason}, decision ${options.decision}${see}`, 600);
}

function detailOf(
  refusal: Refusal,
  subject: Subject,
  given: { readonly sentence: string; readonly decision: string },
): Readonly<Record<string, string>> {
  const role = factText(refusal.facts, 'role');
  const expiresAt = factText(refusal.facts, 'expiresAt');
  return {
    code: refusal.reason,
    repository: repositoryName(subject.repository),
    reference: plainText(subject.reference, 200),
    ...(role === undefined ? {} : { role }),
    ...(expiresAt === undefined ? {} : { expiresAt }),
    remedy: REASON_TABLE[refusal.reason].remedy,
    decision: plainText(given.decision, 100),
    sentence: given.sentence,
  };
}
