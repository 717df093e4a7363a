import type { Admission, Rejected } from '../auth/admission.ts';
import type { ChallengeFor, Gate } from '../auth/gate.ts';
import { OciError } from '../oci/errors.ts';
import { locateRepository } from '../oci/image-name.ts';
import { repositoryName } from '../oci/names.ts';
import { REASON_TABLE } from '../refusal/reason-table.ts';
import type { Refusal } from '../resolve/pull-service.ts';
import { refuseCaller } from './caller-refusal.ts';
import type { Exchange } from './exchange.ts';
import type { LocatedRoute } from './located-routes.ts';

/** Asks the gate who the client of this exchange is. */
export function knock(exchange: Exchange, gate: Gate): Admission | Promise<Admission> {
  const { request, client, peer } = exchange;
  const { authorization } = request.headers;
  return gate.admit({ authorization, address: client, certificate: peer.certificate() });
}

/** Tells a client that it is not let in: with a challenge as long as a login may follow, else for good. */
export function turnAway(
  exchange: Exchange,
  located: LocatedRoute | undefined,
  turned: { readonly gate: Gate; readonly rejected: Rejected },
): void {
  const { gate, rejected } = turned;
  const { reason, sentence, cause, retryAfterSeconds, shown } = rejected;
  const refusal: Refusal = {
    verdict: REASON_TABLE[reason].verdict,
    reason,
    cause,
    facts: { login: sentence },
    ...(retryAfterSeconds === undefined ? {} : { retryAfterSeconds }),
  };
  const about = challengeFor(exchange, located);
  const error = shown === 'token' ? ({ error: 'invalid_token' } as const) : {};
  const isLogin = reason === 'client_unauthorized';
  const challenge = isLogin ? gate.challenge({ ...about, ...error }) : undefined;
  const isFinal = challenge === undefined || shown === 'wrong';
  refuseCaller(exchange, located, { refusal, challenge, isFinal });
}

/** Tells a caller that its token is not for this repository, so that the engine may fetch one that is. */
export function askForScope(exchange: Exchange, located: LocatedRoute, gate: Gate): void {
  const refusal: Refusal = {
    verdict: 'refused',
    reason: 'client_unauthorized',
    cause: 'the token is not for this repository',
    facts: { login: 'the token it came with is not for this repository' },
  };
  const about = challengeFor(exchange, located);
  const challenge = gate.challenge({ ...about, error: 'insufficient_scope' });
  refuseCaller(exchange, located, { refusal, challenge, isFinal: false });
}

/**
 * Says whether one of the names that a token is for means the repository asked for. They are read as the listener reads
 * names in paths, never in the light of `?ns=`: what a token opens must not depend on the request that carries it.
 */
export function isAmong(
  exchange: Exchange,
  located: LocatedRoute,
  names: readonly string[] | undefined,
): boolean {
  if (names === undefined || located.repository === undefined) return true;
  const wanted = repositoryName(located.repository);
  return names.some((name) => meaningOf(exchange, name) === wanted);
}

function challengeFor(exchange: Exchange, located: LocatedRoute | undefined): ChallengeFor {
  const origin = originOf(exchange);
  if (located?.repository === undefined || !('name' in located.route)) return { origin };
  const wanted = repositoryName(located.repository);
  const { name } = located.route;
  // By the name the engine knows, unless that would open something else without the rest of the request.
  const named = meaningOf(exchange, name) === wanted ? name : wanted;
  return { origin, scope: `repository:${named}:pull` };
}

/** The repository that a name alone means on this listener, by its full name. */
function meaningOf(exchange: Exchange, name: string): string | undefined {
  const { listener, context } = exchange;
  try {
    const found = locateRepository(name, undefined, listener.naming, context.upstreams);
    return repositoryName(found);
  } catch (error) {
    if (error instanceof OciError) return undefined;
    throw error;
  }
}

const HOST = /^(?:[A-Za-z0-9.-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?$/;

function originOf({ request, peer }: Exchange): string | undefined {
  const host = request.headers.host ?? '';
  const scheme = peer.isTls ? 'https' : 'http';
  return HOST.test(host) ? `${scheme}://${host}` : undefined;
}
