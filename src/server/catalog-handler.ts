import { OciError } from '../oci/errors.ts';
import { type ListenerNaming, locateRepository } from '../oci/image-name.ts';
import { type Repository, repositoryName } from '../oci/names.ts';
import type { CatalogRoute } from '../oci/route.ts';
import { isAmong } from './admission.ts';
import type { Exchange } from './exchange.ts';
import type { LocatedRoute } from './located-routes.ts';
import { API_VERSION_HEADERS } from './oci-answer.ts';

/** The most names in one answer. */
const PAGE = 1000;

/**
 * Answers `_catalog` with the repositories that this caller may pull through this listener, by the names under which the
 * listener has them.
 *
 * @source distribution: docs/content/spec/api.md (Catalog); OCI distribution 1.1 (#listing-tags, paging)
 */
export async function handleCatalog(
  exchange: Exchange,
  route: CatalogRoute,
  located: LocatedRoute,
): Promise<void> {
  const known = await exchange.context.catalog.repositories();
  if (!exchange.isOpen) {
    exchange.end({ verdict: 'cut', cause: 'the client went away' });
    return;
  }
  const names = new Set<string>();
  for (const repository of known) {
    const name = nameFor(exchange, { repository, route, naming: located.naming });
    if (name !== undefined && mayPull(exchange, { ...located, repository }, repository)) {
      names.add(name);
    }
  }
  send(exchange, route, [...names].sort(compareBytes));
}

function send(exchange: Exchange, route: CatalogRoute, names: readonly string[]): void {
  const { n = PAGE, last, ns } = route;
  const rest = last === undefined ? names : names.filter((name) => name > last);
  const page = rest.slice(0, Math.min(n, PAGE));
  const end = page.at(-1);
  const body = Buffer.from(JSON.stringify({ repositories: page }));
  const headers = [
    ...API_VERSION_HEADERS,
    'Content-Type',
    'application/json',
    'Content-Length',
    String(body.length),
  ];
  if (page.length < rest.length && end !== undefined) {
    const query = new URLSearchParams({ n: String(n), last: end });
    if (ns !== undefined) query.set('ns', ns);
    headers.push('Link', `</v2/_catalog?${query}>; rel="next"`);
  }
  exchange.response.writeHead(200, headers);
  exchange.response.end(exchange.isHead ? undefined : body);
  exchange.end({ verdict: 'answered', bytes: exchange.isHead ? 0 : body.length });
}

/** The name by which a client of the listener gets exactly this repository; undefined if there is none. */
function nameFor(
  { context }: Exchange,
  asked: {
    readonly repository: Repository;
    readonly route: CatalogRoute;
    readonly naming: ListenerNaming;
  },
): string | undefined {
  const { repository, route, naming } = asked;
  const full = repositoryName(repository);
  return [repository.path, full].find((name) => {
    try {
      const found = locateRepository(name, route.ns, naming, context.upstreams);
      return repositoryName(found) === full;
    } catch (error) {
      if (error instanceof OciError) return false;
      throw error;
    }
  });
}

function mayPull(exchange: Exchange, located: LocatedRoute, repository: Repository): boolean {
  const { admitted, context } = exchange;
  return (
    isAmong(exchange, located, admitted?.repositories) &&
    context.pulls.forbids(repository, admitted?.caller) === undefined
  );
}

function compareBytes(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}
