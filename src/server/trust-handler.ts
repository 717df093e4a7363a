import { type Repository, repositoryName } from '../oci/names.ts';
import type { Route } from '../oci/route.ts';
import { describeTrustRefusal, METADATA_NOT_FOUND } from '../refusal/trust-refusal.ts';
import type { ServedTrustFile } from '../resolve/pull-service.ts';
import type { Exchange } from './exchange.ts';
import { API_VERSION_HEADERS, type OciAnswer, sendOciAnswer } from './oci-answer.ts';
import { answerDenial } from './refusal-answer.ts';
import { staleWarning } from './warning.ts';

const NOT_FOUND: OciAnswer = {
  status: 404,
  code: METADATA_NOT_FOUND,
  message: 'Pinnace has no such metadata of a collection of exactly this name',
};

/**
 * Answers `/v2/<gun>/_trust/tuf/<file>` with verified metadata. The name has to be the collection's own: its root
 * certificates carry it, and under any other name clients would find nothing they can believe.
 *
 * @source notary: server/server.go
 */
export async function handleTrust(
  exchange: Exchange,
  repository: Repository,
  { name, file }: Extract<Route, { readonly kind: 'trust-metadata' }>,
): Promise<void> {
  const { trustFiles } = exchange.context;
  const { signal } = exchange;
  const isOwnName = repositoryName(repository) === name;
  const outcome = isOwnName ? await trustFiles.trustFile(repository, file, { signal }) : undefined;
  if (!exchange.isOpen) {
    exchange.end({ verdict: 'cut', cause: 'the client went away' });
  } else if (outcome === undefined) {
    const bytes = sendOciAnswer(exchange, NOT_FOUND);
    exchange.end({ verdict: 'answered', code: NOT_FOUND.code, bytes });
  } else if (outcome.verdict === 'pinned') {
    send(exchange, outcome);
  } else {
    const subject = { repository, reference: '' };
    answerDenial(exchange, subject, outcome, { describe: describeTrustRefusal });
  }
}

function send(exchange: Exchange, { bytes, sha256, staleSeconds, rule }: ServedTrustFile): void {
  exchange.response.writeHead(200, [
    ...API_VERSION_HEADERS,
    'Content-Type',
    'application/json',
    'Content-Length',
    String(bytes.length),
    'ETag',
    `"${sha256}"`,
    // The newest file of a role changes without notice, and one by checksum is gone with it.
    'Cache-Control',
    'no-cache',
    'X-Content-Type-Options',
    'nosniff',
    ...(staleSeconds === undefined ? [] : ['Warning', staleWarning(staleSeconds)]),
  ]);
  exchange.response.end(exchange.isHead ? undefined : bytes);
  const sent = exchange.isHead ? 0 : bytes.length;
  exchange.end({ verdict: 'pinned', bytes: sent, rule, staleSeconds });
}
