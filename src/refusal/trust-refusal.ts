import type { Refusal } from '../resolve/pull-service.ts';
import {
  type DescribeOptions,
  describeRefusal,
  type RefusalDescription,
} from './describe-refusal.ts';
import { plainText, type Subject } from './plain-text.ts';
import { REASON_TABLE } from './reason-table.ts';

/** The code of a Notary server for a collection or file it does not have. @source notary: server/errors/errors.go */
export const METADATA_NOT_FOUND = 'METADATA_NOT_FOUND';

/** Clients read the first 1024 bytes of an error; half of that is for the text they show. */
const MAX_TEXT = 430;

/**
 * Writes a refusal for a client of Notary v1. It shows words with 400 alone, and only in this form; after any other status
 * but 404 it takes the server for unreachable and falls back on what it has itself. That is right for what could not be
 * found out, and wrong for what was proved bad.
 *
 * @source notary: storage/httpstore.go (translateStatusToError, tryUnmarshalError), tuf/validation/errors.go
 */
export function describeTrustRefusal(
  refusal: Refusal,
  subject: Subject,
  options: DescribeOptions,
): RefusalDescription {
  const usual = describeRefusal(refusal, subject, options);
  const { status, code } = answerCode(refusal);
  const pointers = ` (reason ${refusal.reason}, decision ${plainText(options.decision, 60)})`;
  const text = `${usual.sentence.slice(0, MAX_TEXT - pointers.length)}${pointers}`;
  // Two names for one text: the first is for people and other tools.
  const detail = { code: refusal.reason, Name: 'ErrValidation', Error: { Msg: text } };
  const body = JSON.stringify({ errors: [{ code, message: text, detail }] });
  const length = String(Buffer.byteLength(body));
  return { ...usual, status, body, headers: { ...usual.headers, 'content-length': length } };
}

function answerCode({ reason }: Refusal): { readonly status: number; readonly code: string } {
  const { status, ociCode, verdict } = REASON_TABLE[reason];
  if (reason === 'no_trust_data') return { status: 404, code: METADATA_NOT_FOUND };
  return { status: verdict === 'refused' ? 400 : status, code: ociCode };
}
