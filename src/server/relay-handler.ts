import type { Repository } from '../oci/names.ts';
import type { Route } from '../oci/route.ts';
import { refusalOfError } from '../refusal/refusal-of-error.ts';
import type { Exchange } from './exchange.ts';
import { answerDenial } from './refusal-answer.ts';

/** The routes that can be relayed. */
export type RelayableRoute = Extract<
  Route,
  { readonly kind: 'manifest' | 'blob' | 'tags' | 'referrers' }
>;

/** Relays a request for a repository that a rule explicitly leaves unverified. */
export async function handleUnverified(
  exchange: Exchange,
  repository: Repository,
  route: RelayableRoute,
): Promise<void> {
  const { relay, metrics, log } = exchange.context;
  const { signal } = exchange;
  const target = { repository, rest: restOf(route), clientName: route.name, signal };
  try {
    const outcome = await relay.relay(exchange.request, exchange.response, target);
    metrics.count('pinnace_relayed_requests_total', {
      outcome: outcome.isComplete ? 'ok' : 'failed',
    });
    const verdict = outcome.isComplete ? 'passed_through' : 'cut';
    exchange.end({ verdict, bytes: exchange.isHead ? 0 : outcome.bytes });
  } catch (error) {
    metrics.count('pinnace_relayed_requests_total', { outcome: 'failed' });
    if (!exchange.isOpen) {
      exchange.end({ verdict: 'cut', cause: 'the client went away' });
      return;
    }
    log.failure('relay.failed', error, { requestId: exchange.requestId });
    const subject = { repository, reference: exchange.asked.reference ?? '' };
    answerDenial(exchange, subject, refusalOfError(error));
  }
}

/** The path is written anew from the parsed route: nothing else of the client's request target reaches the upstream. */
function restOf(route: RelayableRoute): string {
  switch (route.kind) {
    case 'manifest':
      return `manifests/${route.reference.kind === 'tag' ? route.reference.tag : route.reference.digest}`;
    case 'blob':
      return `blobs/${route.digest}`;
    case 'referrers': {
      const query = new URLSearchParams();
      if (route.artifactType !== undefined) query.set('artifactType', route.artifactType);
      return query.size === 0 ? `referrers/${route.digest}` : `referrers/${route.digest}?${query}`;
    }
    case 'tags': {
      const query = new URLSearchParams();
      if (route.n !== undefined) query.set('n', String(route.n));
      if (route.last !== undefined) query.set('last', route.last);
      return query.size === 0 ? 'tags/list' : `tags/list?${query}`;
    }
  }
}
