import type { Repository } from '../oci/names.ts';
import type { TagsRoute } from '../oci/route.ts';
import type { Exchange } from './exchange.ts';
import { API_VERSION_HEADERS } from './oci-answer.ts';
import { answerRefusal } from './refusal-answer.ts';
import { handleUnverified } from './relay-handler.ts';

/** One page of a list. */
interface Page {
  readonly tags: readonly string[];
  readonly hasMore: boolean;
}

/**
 * Answers `tags/list` with the tags that would verify, or, where an operator lets that through, as the registry does.
 *
 * @source OCI distribution 1.1 (#listing-tags)
 */
export async function handleTags(
  exchange: Exchange,
  repository: Repository,
  route: TagsRoute,
): Promise<void> {
  const { signal, response } = exchange;
  const outcome = await exchange.context.pulls.tags(repository, { signal });
  if (!exchange.isOpen) {
    exchange.end({ verdict: 'cut', cause: 'the client went away' });
    return;
  }
  if (outcome.verdict === 'let-through') {
    await handleUnverified(exchange, repository, route);
    return;
  }
  if (outcome.verdict !== 'pinned') {
    answerRefusal(exchange, { repository, reference: '' }, outcome);
    return;
  }
  const page = pageOf(outcome.tags, route);
  const body = Buffer.from(JSON.stringify({ name: route.name, tags: page.tags }));
  const headers: string[] = [
    ...API_VERSION_HEADERS,
    'Content-Type',
    'application/json',
    'Content-Length',
    String(body.length),
  ];
  const next = nextLink(page, route);
  if (next !== undefined) headers.push('Link', next);
  response.writeHead(200, headers);
  response.end(exchange.isHead ? undefined : body);
  exchange.end({ verdict: 'pinned', bytes: exchange.isHead ? 0 : body.length });
}

function pageOf(tags: readonly string[], route: TagsRoute): Page {
  const { n, last } = route;
  // `last` need not exist: a tag may have been withdrawn between two pages.
  const after = last === undefined ? 0 : tags.findIndex((tag) => tag > last);
  const rest = after < 0 ? [] : tags.slice(after);
  if (n === undefined || n >= rest.length) return { tags: rest, hasMore: false };
  return { tags: rest.slice(0, n), hasMore: true };
}

function nextLink(page: Page, route: TagsRoute): string | undefined {
  const last = page.tags.at(-1);
  if (!page.hasMore || last === undefined || route.n === undefined) return undefined;
  const ns = route.ns === undefined ? '' : `&ns=${encodeURIComponent(route.ns)}`;
  return `</v2/${route.name}/tags/list?n=${route.n}&last=${encodeURIComponent(last)}${ns}>; rel="next"`;
}
