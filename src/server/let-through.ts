import { describeRefusal } from '../refusal/describe-refusal.ts';
import { plainText } from '../refusal/plain-text.ts';
import type { Passage, Referral, Refusal } from '../resolve/pull-service.ts';
import type { Ending, Exchange } from './exchange.ts';
import type { RefusedSubject } from './refusal-answer.ts';
import { REFERRER_WARNING, RELAYED_WARNING } from './warning.ts';

/** What marks an answer that nothing has verified, for the engine, its caches and the log. */
export interface LetThroughMarks {
  /** Header fields, alternately names and values. */
  readonly headers: readonly string[];
  readonly ending: Pick<Ending, 'verdict' | 'code' | 'cause' | 'level'>;
}

/** The longest text of a `Warning`, in characters. */
const MAX_WARNING = 400;
/** It must not outlive the word by which it went out. */
const NOT_KEPT = ['Cache-Control', 'no-store'] as const;

/** How an answer that went out by an operator's word is marked. */
export function marksOf(
  exchange: Exchange,
  subject: RefusedSubject,
  passage: Passage | Referral,
): LetThroughMarks {
  switch (passage.by) {
    case 'rule':
      return passed(RELAYED_WARNING);
    case 'referrer':
      return passed(REFERRER_WARNING);
    case 'audit': {
      const { lifted } = passage;
      const { sentence } = describeRefusal(lifted, subject, { decision: exchange.requestId });
      const text = `served unverified in audit, enforced it would say: ${sentence}`;
      return marks('audit', text, lifted, lifted.cause);
    }
    case 'break-glass': {
      const { lifted, entry } = passage;
      const until = new Date(entry.until).toISOString();
      const approval = `approved by ${entry.approvedBy} until ${until}: ${entry.reason}`;
      const text = `served unverified by break-glass, ${approval}`;
      return marks('break_glass', text, lifted, approval);
    }
  }
}

/** Counts a manifest that went out by an operator's word; its parts are not counted again. */
export function countLetThrough(
  exchange: Exchange,
  passage: Passage | Referral,
  rule: string | undefined,
): void {
  const { metrics } = exchange.context;
  if (passage.by === 'rule' || passage.by === 'referrer') return;
  const { reason } = passage.lifted;
  if (passage.by === 'break-glass') metrics.count('pinnace_break_glass_answers_total', { reason });
  else metrics.count('pinnace_audited_refusals_total', { reason, rule: rule ?? 'none' });
}

function passed(warning: string): LetThroughMarks {
  return { headers: [...NOT_KEPT, 'Warning', warning], ending: { verdict: 'passed_through' } };
}

function marks(
  verdict: 'audit' | 'break_glass',
  text: string,
  { reason }: Refusal,
  cause: string,
): LetThroughMarks {
  return {
    headers: [
      ...NOT_KEPT,
      'Warning',
      `299 - "${plainText(text, MAX_WARNING)}"`,
      'X-Pinnace-Reason',
      reason,
    ],
    ending: { verdict, code: reason, cause, level: 'warn' },
  };
}
