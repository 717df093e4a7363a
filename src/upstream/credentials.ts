import { ExchangeError } from './errors.ts';

/** A user name, and a password that is read anew whenever it is needed. */
export interface PasswordCredentials {
  readonly username: string;
  readonly password: () => Promise<string>;
}

/** An identity token, exchanged at the token service for access tokens and shown to nobody else. */
export interface IdentityTokenCredentials {
  readonly refreshToken: () => Promise<string>;
}

/** How Pinnace logs in to one upstream. */
export type Credentials = PasswordCredentials | IdentityTokenCredentials;

/**
 * The value of an `Authorization` header for Basic.
 *
 * @throws {ExchangeError} `denied` when the password cannot be read
 * @source RFC 7617 §2
 */
export async function basicAuthorization(
  credentials: PasswordCredentials,
  host: string,
): Promise<string> {
  const password = await readSecret(credentials.password, host);
  return `Basic ${Buffer.from(`${credentials.username}:${password}`).toString('base64')}`;
}

/**
 * Reads a secret.
 *
 * @throws {ExchangeError} `denied`; what went wrong is not chained, since it may quote the secret
 */
export async function readSecret(read: () => Promise<string>, host: string): Promise<string> {
  try {
    return await read();
  } catch {
    const message = `the credentials configured for ${host} cannot be read`;
    throw new ExchangeError('denied', message, { detail: { host } });
  }
}
