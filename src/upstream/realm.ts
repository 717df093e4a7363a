import { ExchangeError } from './errors.ts';

/** Where a token may be asked for, and whether credentials may go there. */
export interface RealmPolicy {
  /** The upstream that named the realm. */
  readonly base: URL;
  /**
   * Hosts (`name` or `name:port`, the port only if it is not the scheme's own) that may receive the credentials beside the
   * upstream's own host; undefined allows any host that the upstream names.
   */
  readonly realmHosts: ReadonlySet<string> | undefined;
}

/** Brings host names of a configuration into the form in which they are compared. */
export function realmHostSet(hosts: Iterable<string>): ReadonlySet<string> {
  const parsed = [...hosts].map((host) => {
    const text = `https://${host}`;
    return URL.canParse(text) ? new URL(text).host : host;
  });
  return new Set(parsed);
}

/**
 * Parses the realm of a bearer challenge into the URL of the token service.
 *
 * @throws {ExchangeError} `denied` when it is no http(s) URL, carries user information, or is plain http although the
 * upstream itself is https (a token from there could be anyone's)
 */
export function parseRealm(realm: string, base: URL): URL {
  const url = URL.canParse(realm) ? new URL(realm) : undefined;
  const isAllowed =
    url !== undefined &&
    (url.protocol === 'https:' || (url.protocol === 'http:' && base.protocol === 'http:')) &&
    url.username === '' &&
    url.password === '';
  if (!isAllowed) {
    const message = `${base.host} names a token service that must not be used`;
    throw new ExchangeError('denied', message, { detail: { host: base.host } });
  }
  url.hash = '';
  return url;
}

/** Says whether the credentials of an upstream may be sent to a token service; hosts are compared whole. */
export function mayReceiveCredentials(realm: URL, policy: RealmPolicy): boolean {
  if (policy.realmHosts === undefined) return true;
  return realm.host === policy.base.host || policy.realmHosts.has(realm.host);
}
