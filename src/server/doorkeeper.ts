import type { Admission } from '../auth/admission.ts';
import type { Gate } from '../auth/gate.ts';
import { OciError } from '../oci/errors.ts';
import { type Repository, repositoryName } from '../oci/names.ts';
import { askForScope, isAmong, knock, turnAway } from './admission.ts';
import { refuseCaller } from './caller-refusal.ts';
import type { Exchange } from './exchange.ts';
import type { LocatedRoute } from './located-routes.ts';
import { countLogin, outcomeOf } from './login-count.ts';
import { handleToken, isTokenRequest } from './token-handler.ts';

/** What happens to a request that is let in. */
export type Proceed = (exchange: Exchange) => Promise<void> | undefined;

/** What the doorkeeper of a listener needs to know of it. */
export interface DoorkeeperOptions {
  readonly gate: Gate;
  /** @throws {OciError} for what is no request for a registry */
  readonly locate: (exchange: Exchange) => LocatedRoute;
  readonly proceed: Proceed;
  /** The repository that a name means in a request like this. @throws {OciError} */
  readonly locateName: (exchange: Exchange, name: string) => Repository | undefined;
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
    const { gate } = this.#options;
    if (isTokenRequest(exchange)) {
      return handleToken(exchange, gate, (name) => this.#fullName(exchange, name));
    }
    const admission = knock(exchange, gate);
    if (!(admission instanceof Promise)) return this.#judge(exchange, admission);
    return admission.then(async (found) => await this.#judge(exchange, found));
  }

  #judge(exchange: Exchange, admission: Admission): Promise<void> | undefined {
    const { gate, proceed, ping } = this.#options;
    countLogin(exchange, gate, outcomeOf(admission));
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

  #fullName(exchange: Exchange, name: string): string | undefined {
    try {
      const found = this.#options.locateName(exchange, name);
      return found === undefined ? undefined : repositoryName(found);
    } catch (error) {
      if (error instanceof OciError) return undefined;
      throw error;
    }
  }

  /** What a request is about that will not be answered; what is wrong with it is for callers only. */
  #locateAnyway(exchange: Exchange): LocatedRoute | undefined {
    try {
      const located = this.#options.locate(exchange);
      exchange.ask(located.asked);
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
    countLogin(exchange, gate, 'forbidden');
    askForScope(exchange, located, gate);
    return true;
  }
  const refusal = context.pulls.forbids(repository, admitted?.caller, located.tag);
  if (refusal === undefined) return false;
  if (gate !== undefined) countLogin(exchange, gate, 'forbidden');
  refuseCaller(exchange, located, { refusal, challenge: undefined, isFinal: true });
  return true;
}
