import type { Repository } from '../oci/names.ts';
import type { Route } from '../oci/route.ts';
import { factText } from '../refusal/plain-text.ts';
import { REASON_TABLE } from '../refusal/reason-table.ts';
import type { Refusal } from '../resolve/pull-service.ts';
import { answerDecoyBlob, answerDecoyManifest } from './decoy-answers.ts';
import type { Exchange } from './exchange.ts';
import type { LocatedRoute } from './located-routes.ts';
import { sendOciAnswer } from './oci-answer.ts';
import { answerDenial, answerRefusal } from './refusal-answer.ts';

/** What a caller is told that may not have what it asked for. */
export interface CallerRefusal {
  readonly refusal: Refusal;
  /** The value of `WWW-Authenticate`, where a login may mend it. */
  readonly challenge: string | undefined;
  /** Whether a listener of the hard-stop form shall end the pull for good. */
  readonly isFinal: boolean;
}

/** Refuses a request on account of who makes it, in the form of the rule or else of its listener. */
export function refuseCaller(
  exchange: Exchange,
  located: LocatedRoute | undefined,
  told: CallerRefusal,
): void {
  const { refusal, challenge } = told;
  if (!exchange.isOpen) {
    exchange.end({ verdict: 'cut', cause: 'the client went away' });
    return;
  }
  if (located?.repository === undefined) {
    answerPlainly(exchange, refusal, challenge);
    return;
  }
  const { repository, route } = located;
  const subject = { repository, reference: exchange.asked.reference ?? '' };
  if (!told.isFinal || (refusal.form ?? exchange.listener.refusal) !== 'hard-stop') {
    answerDenial(exchange, subject, refusal, { challenge });
  } else if (!answerDecoy(exchange, { repository, route }, refusal)) {
    answerRefusal(exchange, subject, refusal, challenge);
  }
}

/** An engine that was given a decoy asks for its parts, as the same caller: they have to be what they were. */
function answerDecoy(
  exchange: Exchange,
  { repository, route }: { readonly repository: Repository; readonly route: Route },
  refusal: Refusal,
): boolean {
  if (route.kind === 'blob') {
    return answerDecoyBlob(exchange, { repository, reference: route.digest }, refusal);
  }
  if (route.kind !== 'manifest' || route.reference.kind !== 'digest') return false;
  return answerDecoyManifest(exchange, repository, route.reference.digest);
}

/** For requests that are about no repository. */
function answerPlainly(exchange: Exchange, refusal: Refusal, challenge: string | undefined): void {
  const { reason, retryAfterSeconds } = refusal;
  const row = REASON_TABLE[reason];
  const isLogin = reason === 'client_unauthorized' && challenge !== undefined;
  const retry = retryAfterSeconds ?? row.retryAfterSeconds;
  const why = factText(refusal.facts, 'login') ?? refusal.cause;
  const decision = exchange.requestId;
  const bytes = sendOciAnswer(exchange, {
    status: reason === 'client_unauthorized' && !isLogin ? 403 : row.status,
    code: reason === 'client_unauthorized' && !isLogin ? 'DENIED' : row.ociCode,
    message: `pinnace refused this request: ${why}. ${row.remedy} (reason ${reason}, decision ${decision})`,
    detail: { code: reason, remedy: row.remedy, decision },
    headers: [
      'X-Pinnace-Reason',
      reason,
      'X-Pinnace-Decision',
      decision,
      ...(challenge === undefined ? [] : ['WWW-Authenticate', challenge]),
      ...(retry === undefined ? [] : ['Retry-After', String(retry)]),
    ],
  });
  exchange.countRefusal(reason, undefined);
  exchange.end({
    verdict: refusal.verdict,
    code: reason,
    cause: refusal.cause,
    bytes,
    level: row.logLevel,
  });
}
