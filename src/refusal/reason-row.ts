import type { Facts } from '../base/coded-error.ts';
import { roughDuration } from '../base/rough-duration.ts';
import { plainText, type Subject, subjectName } from './plain-text.ts';

/** Everything that follows from a reason code. */
export interface ReasonRow {
  /** `refused`: proved bad, unsigned or not allowed; `inconclusive`: could not be found out. */
  readonly verdict: 'refused' | 'inconclusive';
  /** HTTP status of a plain refusal. */
  readonly status: number;
  /** Code in the OCI error body. */
  readonly ociCode: string;
  /** `error`: an operator must act; `warn`: an attack, a fault or a lapse elsewhere; `info`: expected. */
  readonly logLevel: 'info' | 'warn' | 'error';
  /** What was asked and what happened: one sentence without full stop, one line of printable ASCII, at most 400 characters. */
  sentence(subject: Subject, facts: Facts): string;
  /** What to do next: one sentence with full stop. */
  readonly remedy: string;
  /** When to ask again, in whole seconds; set for the `inconclusive` ones. */
  readonly retryAfterSeconds?: number;
}

/** The parts of a row that differ from the default of its kind. */
export interface RowParts extends Partial<Omit<ReasonRow, 'verdict' | 'sentence'>> {
  readonly remedy: string;
  /** What happened, to follow "pinnace refused NAME: ". */
  happened(facts: Facts): string;
}

/** The longest sentence, in characters. */
const MAX_SENTENCE = 400;

/** A row for what was proved bad, is unsigned or is not allowed; 403 `DENIED`, logged as `warn`, by default. */
export function refused(parts: RowParts): ReasonRow {
  const { happened, ...rest } = parts;
  return {
    verdict: 'refused',
    status: 403,
    ociCode: 'DENIED',
    logLevel: 'warn',
    sentence: sentenceOf(happened),
    ...rest,
  };
}

/** A row for what could not be found out; 503 `UNAVAILABLE`, retry after 10 seconds, logged as `warn`, by default. */
export function inconclusive(parts: RowParts): ReasonRow {
  const { happened, ...rest } = parts;
  return {
    verdict: 'inconclusive',
    status: 503,
    ociCode: 'UNAVAILABLE',
    logLevel: 'warn',
    retryAfterSeconds: 10,
    sentence: sentenceOf(happened),
    ...rest,
  };
}

function sentenceOf(happened: RowParts['happened']): ReasonRow['sentence'] {
  return (subject, facts) =>
    plainText(
      `pinnace refused ${subjectName(subject)}: ${happened(facts)}${ageOf(facts)}`,
      MAX_SENTENCE,
    );
}

/** How old what it rests on is, where an earlier answer stands in: it may be otherwise by now. */
function ageOf(facts: Facts): string {
  const { staleSeconds } = facts;
  if (typeof staleSeconds !== 'number') return '';
  return `; that rests on what the trust server said ${roughDuration(staleSeconds * 1000)} ago, it cannot be asked at present`;
}
