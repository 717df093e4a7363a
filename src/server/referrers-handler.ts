import type { Repository } from '../oci/names.ts';
import type { ReferrersRoute } from '../oci/route.ts';
import type { Exchange } from './exchange.ts';
import { marksOf } from './let-through.ts';
import { API_VERSION_HEADERS, type OciAnswer, sendOciAnswer } from './oci-answer.ts';
import { answerRefusal } from './refusal-answer.ts';

const NO_REFERRERS: OciAnswer = {
  status: 404,
  code: 'MANIFEST_UNKNOWN',
  message: 'nothing is known of what refers to this digest: no verified image has it',
};

/**
 * Answers `referrers/<digest>` with what refers to a vouched manifest, unverified and marked.
 *
 * @source OCI distribution 1.1 (#listing-referrers)
 */
export async function handleReferrers(
  exchange: Exchange,
  repository: Repository,
  { digest, artifactType }: ReferrersRoute,
): Promise<void> {
  const { signal, context } = exchange;
  const outcome = await context.referrers.referrers(repository, digest, {
    signal,
    ...(artifactType === undefined ? {} : { artifactType }),
  });
  const subject = { repository, reference: digest };
  if (!exchange.isOpen) {
    exchange.end({ verdict: 'cut', cause: 'the client went away' });
    return;
  }
  if (outcome === undefined) {
    const bytes = sendOciAnswer(exchange, NO_REFERRERS);
    exchange.end({ verdict: 'answered', code: NO_REFERRERS.code, bytes });
    return;
  }
  if (outcome.verdict !== 'let-through') {
    answerRefusal(exchange, subject, outcome);
    return;
  }
  const { headers, ending } = marksOf(exchange, subject, outcome.passage);
  const { bytes, rule } = outcome;
  exchange.response.writeHead(200, [
    ...API_VERSION_HEADERS,
    'Content-Type',
    'application/vnd.oci.image.index.v1+json',
    'Content-Length',
    String(bytes.length),
    ...(artifactType === undefined ? [] : ['OCI-Filters-Applied', 'artifactType']),
    ...headers,
    'X-Content-Type-Options',
    'nosniff',
  ]);
  exchange.response.end(exchange.isHead ? undefined : bytes);
  exchange.end({ ...ending, rule, bytes: exchange.isHead ? 0 : bytes.length });
}
