import { OciError } from '../oci/errors.ts';

/** What is read of a request: all of its headers, repeated ones too, and its target as it stands. */
export interface AddressedRequest {
  /** Alternately names and values; the pseudo-headers of HTTP/2 among them. */
  readonly rawHeaders: readonly string[];
  readonly url?: string | undefined;
}

/** Where a request was sent to. */
export interface Address {
  /** Host with its port, as received. */
  readonly authority: string;
  /** Path and query. */
  readonly target: string;
}

const SCHEME = /^https?:\/\//i;

/**
 * Reads what a request says about the host it was sent to, in every place where HTTP lets it say so. Two readers of the
 * same request must never see different hosts: what stands in two places has to be the same.
 *
 * @throws {OciError} `NAME_INVALID` no host, a repeated one, or two that differ
 * @source RFC 9112 §3.2 (Host, absolute form), RFC 9113 §8.3.1 (`:authority`)
 */
export function addressOf({ rawHeaders, url = '' }: AddressedRequest): Address {
  const stated = headerOf(rawHeaders, ':authority');
  const host = headerOf(rawHeaders, 'host') ?? stated;
  if (host === undefined) throw unclear('the request says no host');
  if (stated !== undefined && stated !== host) throw unclear('Host and :authority differ');
  const scheme = url.startsWith('/') ? undefined : SCHEME.exec(url)?.[0];
  if (scheme === undefined) return { authority: host, target: url };
  const slash = url.indexOf('/', scheme.length);
  const end = slash < 0 ? url.length : slash;
  if (url.slice(scheme.length, end) !== host) throw unclear('Host and the request target differ');
  return { authority: host, target: url.slice(end) };
}

/** The one value of a header. @throws {OciError} `NAME_INVALID` when there are more */
function headerOf(rawHeaders: readonly string[], name: string): string | undefined {
  let found: string | undefined;
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const key = rawHeaders[index];
    if (key?.length !== name.length || key.toLowerCase() !== name) continue;
    if (found !== undefined) throw unclear(`the header ${name} is given twice`);
    found = rawHeaders[index + 1];
  }
  return found;
}

function unclear(message: string): OciError {
  return new OciError('NAME_INVALID', message);
}
