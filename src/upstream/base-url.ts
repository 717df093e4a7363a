import { ExchangeError } from './errors.ts';

/**
 * Parses a base URL and strips the slashes at its end; query and fragment mean nothing there and go too.
 *
 * @throws {ExchangeError} `unexpected` when it is no http(s) URL or carries user information
 */
export function parseBase(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const isHttp = url?.protocol === 'https:' || url?.protocol === 'http:';
  if (url === undefined || !isHttp || url.username !== '' || url.password !== '') {
    throw new ExchangeError('unexpected', 'an upstream URL must be http or https without user');
  }
  url.pathname = url.pathname.replace(/\/+$/, '');
  url.search = '';
  url.hash = '';
  return url;
}
