import { ExchangeError } from './errors.ts';
import type { HttpReply } from './http-reply.ts';

/** How many redirects in a row are followed. */
export const MAX_REDIRECTS = 5;

const MAX_LOCATION_LENGTH = 16 * 1024;
const STATUSES: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);

/** Says whether a status sends the client elsewhere for the same content. */
export function isRedirect(status: number): boolean {
  return STATUSES.has(status);
}

/**
 * The URL a redirect leads to; the reply's body is let go of.
 *
 * @param from - the URL that was asked, against which a relative `Location` is resolved
 * @throws {ExchangeError} `redirected` when there is no usable `Location`, or it is no http(s) URL, carries user
 * information, or leaves https for http, where anyone on the path could read and change what follows
 * @source RFC 9110 §15.4
 */
export function redirectTarget(reply: HttpReply, from: URL): URL {
  reply.discard();
  const location = reply.header('location');
  const isUsable =
    location !== undefined &&
    location.length <= MAX_LOCATION_LENGTH &&
    URL.canParse(location, from.href);
  const target = isUsable ? new URL(location, from) : undefined;
  if (target === undefined) throw refused(from, 'without a usable location');
  if (target.protocol !== 'https:' && target.protocol !== 'http:') {
    throw refused(from, 'to something that is not HTTP');
  }
  if (from.protocol === 'https:' && target.protocol === 'http:') {
    throw refused(from, 'from https to http');
  }
  if (target.username !== '' || target.password !== '') {
    throw refused(from, 'to an address with user information');
  }
  target.hash = '';
  return target;
}

/** The error for a chain of redirects that does not end. */
export function tooManyRedirects(from: URL): ExchangeError {
  return refused(from, `more than ${MAX_REDIRECTS} times`);
}

function refused(from: URL, how: string): ExchangeError {
  const message = `${from.host} redirected ${how}`;
  return new ExchangeError('redirected', message, { detail: { host: from.host } });
}
