import type { IncomingHttpHeaders } from 'node:http';
import { RELAYED_WARNING } from './warning.ts';

const TO_UPSTREAM = ['accept', 'range', 'if-range', 'if-match', 'if-none-match'] as const;
const TO_CLIENT = [
  'content-type',
  'content-length',
  'content-range',
  'content-encoding',
  'accept-ranges',
  'docker-content-digest',
  'etag',
  'last-modified',
  'retry-after',
  'oci-subject',
  'oci-filters-applied',
] as const;

/** The headers a relayed request carries: an allow-list, so that no credential, cookie or hop-by-hop header passes. */
export function relayedRequestHeaders(
  headers: IncomingHttpHeaders,
  authorization: string | undefined,
): NodeJS.Dict<string> {
  const allowed: NodeJS.Dict<string> = {
    'user-agent': 'pinnace',
    // Digests cover the bytes as they are stored, so nobody on the way may compress them.
    'accept-encoding': 'identity',
    connection: 'keep-alive',
  };
  for (const name of TO_UPSTREAM) {
    const value = headers[name];
    if (typeof value === 'string') allowed[name] = value;
  }
  if (authorization !== undefined) allowed['authorization'] = authorization;
  return allowed;
}

/** The headers of a relayed answer: an allow-list, with `Link` led back to Pinnace, and the mark that it is unverified. */
export function relayedResponseHeaders(
  headers: IncomingHttpHeaders,
  target: { readonly repository: { readonly path: string }; readonly clientName: string },
): Record<string, string | string[]> {
  const { warning } = headers;
  const allowed: Record<string, string | string[]> = {
    'docker-distribution-api-version': 'registry/2.0',
    'x-pinnace-verification': 'none',
    warning: typeof warning === 'string' ? [RELAYED_WARNING, warning] : [RELAYED_WARNING],
  };
  for (const name of TO_CLIENT) {
    const value = headers[name];
    if (typeof value === 'string') allowed[name] = value;
  }
  const link = nextLink(headers['link'], target);
  if (link !== undefined) allowed['link'] = link;
  return allowed;
}

/**
 * Rewrites the upstream's link to the next page so that it names the repository as the client does.
 *
 * @source OCI distribution 1.1 (#listing-tags)
 */
function nextLink(
  link: string | readonly string[] | undefined,
  target: { readonly repository: { readonly path: string }; readonly clientName: string },
): string | undefined {
  if (typeof link !== 'string' || link.length > 4096) return undefined;
  const [, written] = /^\s*<([^>]+)>\s*;\s*rel="?next"?/.exec(link) ?? [];
  if (written === undefined || !URL.canParse(written, 'http://upstream.invalid')) return undefined;
  const url = new URL(written, 'http://upstream.invalid');
  const marker = `/v2/${target.repository.path}/`;
  const start = url.pathname.indexOf(marker);
  if (start < 0) return undefined;
  const rest = url.pathname.slice(start + marker.length);
  return `</v2/${target.clientName}/${rest}${url.search}>; rel="next"`;
}
