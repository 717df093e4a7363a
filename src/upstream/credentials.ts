import { ExchangeError } from './errors.ts';

/** What a login is made with, as it was at one moment. */
export type Secret =
  | { readonly kind: 'password'; readonly username: string; readonly password: string }
  /** Exchanged at the token service for access tokens and shown to nobody else: what Docker calls an identity token. */
  | { readonly kind: 'refresh-token'; readonly token: string }
  /** Sent to the upstream itself, as it is. */
  | { readonly kind: 'access-token'; readonly token: string };

/** Where the secret for one upstream comes from. */
export interface Credentials {
  /**
   * The secret to use now.
   *
   * @param host - the upstream's, for messages
   * @throws {ExchangeError} `denied` when there is none; what went wrong is not chained, since it may quote the secret
   */
  read(host: string): Promise<Secret>;
  /** Tells that the upstream or its token service refused a secret that `read` gave: it is not kept any longer. */
  refused(secret: Secret): void;
}

/** A user name, and a password that is read anew at every login. */
export function passwordCredentials(
  username: string,
  password: () => Promise<string>,
): Credentials {
  return readAnew(password, (text) => ({ kind: 'password', username, password: text }));
}

/** A refresh token that is read anew at every login. */
export function refreshTokenCredentials(token: () => Promise<string>): Credentials {
  return readAnew(token, (text) => ({ kind: 'refresh-token', token: text }));
}

/** An access token that is read anew at every request. */
export function accessTokenCredentials(token: () => Promise<string>): Credentials {
  return readAnew(token, (text) => ({ kind: 'access-token', token: text }));
}

/** The value of an `Authorization` header for Basic. @source RFC 7617 §2 */
export function basicAuthorization({
  username,
  password,
}: Extract<Secret, { kind: 'password' }>): string {
  return `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
}

/** Whether two secrets are the same one, so that nothing is gained by trying the second. */
export function isSameSecret(one: Secret, other: Secret): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}

function readAnew(read: () => Promise<string>, toSecret: (text: string) => Secret): Credentials {
  return {
    async read(host) {
      try {
        return toSecret(await read());
      } catch {
        const message = `the credentials configured for ${host} cannot be read`;
        throw new ExchangeError('denied', message, { detail: { host } });
      }
    },
    refused: () => undefined,
  };
}
