import type { Admission, Gate } from '../auth/gate.ts';
import { OciError } from '../oci/errors.ts';
import type { Repository } from '../oci/names.ts';
import { askForScope, isAmong, knock, turnAway } from './admission.ts';
import { askedOf } from './asked.ts';
import { refuseCaller } from './caller-refusal.ts';
import type { Exchange } from './exchange.ts';
import type { LocatedRoute } from './located-routes.ts';

/** What happens to a request that is let in. */
export type Proceed = (exchange: Exchange) => Promise<void> | undefined;

/** What the doorkeeper of a listener needs to know of it. */
export interface DoorkeeperOptions {
  readonly gate: Gate;
  /** @throws {OciError} for what is no request for a registry */
  readonly locate: (exchange: Exchange) => LocatedRoute;
  readonly proceed: Proceed;
  /** Answers `/v2/`. */
  readonly ping: (exchange: Exchange) => void;
}

/** Lets in who is known, before anything else about a request is looked at. */
export class Doorkeeper {
  readonly #options: DoorkeeperOptions;

  constructor(options: DoorkeeperOptions) {
    this.#options = options;
  }

  /** Goes on with a request, or answers it: at once when it is known who is asking. */
  meet(exchange: Exchange): Promise<void> | undefined {
    const admission = knock(exchange, this.#options.gate);
    if (!(admission instanceof Promise)) return this.#judge(exchange, admission);
    return admission.then(async (found) => await this.#judge(exchange, found));
  }

  #judge(exchange: Exchange, admission: Admission): Promise<void> | undefined {
    const { gate, proceed, ping } = this.#options;
    count(exchange, gate, outcomeOf(admission));
    if (admission.verdict === 'admitted') {
      exchange.admit(admission);
      return proceed(exchange);
    }
    const located = this.#locateAnyway(exchange);
    exchange.leaveBody();
    const cannotAsk = gate.challenge({ origin: undefined }) === undefined;
    // An engine whose mirror refuses its first request asks the registry for all that follows.
    if (cannotAsk && located?.route.kind === 'ping') ping(exchange);
    else turnAway(exchange, located, { gate, rejected: admission });
    return undefined;
  }

  /** What a request is about that will not be answered; what is wrong with it is for callers only. */
  #locateAnyway(exchange: Exchange): LocatedRoute | undefined {
    try {
      const located = this.#options.locate(exchange);
      exchange.ask(askedOf(located));
      return located;
    } catch (error) {
      if (error instanceof OciError) return undefined;
      throw error;
    }
  }
}

/**
 * Refuses whom the policy or the caller's own token does not let pull from a repository, whatever is asked about it and
 * whether the answer is at hand.
 *
 * @returns whether the request has been answered
 */
export function refuseForbidden(
  exchange: Exchange,
  located: LocatedRoute,
  repository: Repository,
): boolean {
  const { admitted, listener, context } = exchange;
  const { gate } = listener;
  if (gate !== undefined && !isAmong(exchange, located, admitted?.repositories)) {
    count(exchange, gate, 'forbidden');
    askForScope(exchange, located, gate);
    return true;
  }
  const refusal = context.pulls.forbids(repository, admitted?.caller);
  if (refusal === undefined) return false;
  if (gate !== undefined) count(exchange, gate, 'forbidden');
  refuseCaller(exchange, located, { refusal, challenge: undefined, isFinal: true });
  return true;
}

type Outcome = 'admitted' | 'missing' | 'wrong' | 'limited' | 'unavailable' | 'forbidden';

function outcomeOf(admission: Admission): Outcome {
  if (admission.verdict === 'admitted') return 'admitted';
  if (admission.reason === 'client_rate_limited') return 'limited';
  if (admission.reason === 'client_check_unavailable') return 'unavailable';
  return admission.shown === 'missing' ? 'missing' : 'wrong';
}

function count(exchange: Exchange, gate: Gate, outcome: Outcome): void {
  const labels = { clients: gate.name, outcome };
  exchange.context.metrics.count('pinnace_client_logins_total', labels);
}
