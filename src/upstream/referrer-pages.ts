import type { FetchedReferrers } from '../resolve/ports.ts';
import type { Work } from './attempt.ts';

const INDEX = 'application/vnd.oci.image.index.v1+json';
const MAX_QUERY_LENGTH = 1024;
const NEXT = /^\s*<([^>]{1,4096})>\s*;\s*rel="?next"?/;

/** Reads one page of a registry's list of referrers whole. @source OCI distribution 1.1 (#listing-referrers) */
export function readReferrers(
  path: string,
  options: { readonly page?: string; readonly maxBytes: number; readonly scope: string },
): Work<FetchedReferrers> {
  const { page, maxBytes, scope } = options;
  const request = { path: page === undefined ? path : `${path}?${page}`, scope, accept: INDEX };
  return async (server, { lease, signal }) => {
    const reply = await server.get({ ...request, signal });
    const next = nextQuery(reply.header('link'), path);
    const bytes = await reply.read(maxBytes);
    lease.succeeded();
    lease.leave();
    return next === undefined ? { bytes } : { bytes, next };
  };
}

/** The query of the next page's address. Nothing else of it is used: it must not lead anywhere but on in the same list. */
function nextQuery(link: string | undefined, path: string): string | undefined {
  const [, written] = NEXT.exec(link ?? '') ?? [];
  if (written === undefined || !URL.canParse(written, 'http://upstream.invalid')) return undefined;
  const { pathname, search } = new URL(written, 'http://upstream.invalid');
  const isSameList = decodedColon(pathname).endsWith(`/v2/${path}`);
  if (!isSameList || search.length < 2 || search.length > MAX_QUERY_LENGTH) return undefined;
  return search.slice(1);
}

function decodedColon(path: string): string {
  return path.replace(/%3a/i, ':');
}
