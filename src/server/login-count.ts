import type { Admission } from '../auth/admission.ts';
import type { Gate } from '../auth/gate.ts';
import type { Exchange } from './exchange.ts';

/** What came of a login, for metrics. */
export type LoginOutcome =
  | 'admitted'
  | 'missing'
  | 'wrong'
  | 'limited'
  | 'unavailable'
  | 'forbidden';

/** What an admission is counted as. */
export function outcomeOf(admission: Admission): LoginOutcome {
  if (admission.verdict === 'admitted') return 'admitted';
  if (admission.reason === 'client_rate_limited') return 'limited';
  if (admission.reason === 'client_check_unavailable') return 'unavailable';
  return admission.shown === 'missing' ? 'missing' : 'wrong';
}

/** Counts a login at a gate. */
export function countLogin(exchange: Exchange, gate: Gate, outcome: LoginOutcome): void {
  const labels = { clients: gate.name, outcome };
  exchange.context.metrics.count('pinnace_client_logins_total', labels);
}
