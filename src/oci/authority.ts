import { OciError } from './errors.ts';

/** The host and port that a request was sent to, in the one spelling that equal hosts share. */
export interface Authority {
  /** Lower case, without a trailing dot; an IPv6 address in brackets and in its shortest form. */
  readonly host: string;
  /** As written; absent where none is. */
  readonly port?: string;
}

const NAME = /^([A-Za-z0-9._~-]{1,254})(?::([0-9]{1,5}))?$/;
const IPV6 = /^(\[[0-9A-Fa-f:.]{2,45}\])(?::([0-9]{1,5}))?$/;

/**
 * Parses what a request says about the host it was sent to: the value of `Host` or of `:authority`.
 *
 * @throws {OciError} `NAME_INVALID` what is no host with an optional port: user names, lists, escapes, nothing at all
 * @source RFC 3986 §3.2, RFC 9110 §7.2
 */
export function parseAuthority(text: string): Authority {
  const parts = NAME.exec(text) ?? IPV6.exec(text);
  const host = parts?.[1] === undefined ? undefined : normalHost(parts[1]);
  const port = parts?.[2];
  if (host === undefined || Number(port ?? 0) > 65_535) {
    throw new OciError('NAME_INVALID', 'the request does not say which host it is for');
  }
  return port === undefined ? { host } : { host, port: String(Number(port)) };
}

/** Writes an authority as `parseAuthority` reads it. */
export function formatAuthority({ host, port }: Authority): string {
  return port === undefined ? host : `${host}:${port}`;
}

function normalHost(host: string): string | undefined {
  if (host.startsWith('[')) {
    return URL.canParse(`http://${host}/`) ? new URL(`http://${host}/`).hostname : undefined;
  }
  const name = host.endsWith('.') ? host.slice(0, -1) : host;
  return name.split('.').includes('') ? undefined : name.toLowerCase();
}
