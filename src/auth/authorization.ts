/** A user name with its password, as an engine sent them. */
export interface UserPassword {
  readonly username: string;
  readonly password: string;
}

/** What an `Authorization` header holds. */
export type Authorization =
  | { readonly kind: 'missing' }
  | ({ readonly kind: 'basic' } & UserPassword)
  | { readonly kind: 'bearer'; readonly token: string }
  | { readonly kind: 'unreadable' };

/** The longest token or encoded password taken apart, in characters; the listener's own limit on headers is higher. */
const MAX_LENGTH = 16 * 1024;
const MAX_NAME_LENGTH = 255;
const MAX_PASSWORD_LENGTH = 8 * 1024;

const HEADER = /^(Basic|Bearer) +([A-Za-z0-9._~+/-]+=*) *$/i;

/**
 * Takes an `Authorization` header apart. Nothing in it is believed yet. An empty user name with an empty password, which
 * podman sends without a login, counts as nothing.
 *
 * @source RFC 7617 §2 (Basic), RFC 6750 §2.1 (Bearer)
 */
export function parseAuthorization(header: string | undefined): Authorization {
  if (header === undefined || header === '') return { kind: 'missing' };
  if (header.length > MAX_LENGTH) return { kind: 'unreadable' };
  const [, scheme = '', value = ''] = HEADER.exec(header) ?? [];
  if (scheme.toLowerCase() === 'bearer') return { kind: 'bearer', token: value };
  return scheme === '' ? { kind: 'unreadable' } : parseBasic(value);
}

function parseBasic(encoded: string): Authorization {
  const bytes = Buffer.from(encoded, 'base64');
  const text = bytes.toString('utf8');
  const colon = text.indexOf(':');
  const [username, password] = [text.slice(0, colon), text.slice(colon + 1)];
  if (colon < 0 || !isPlausible({ username, password })) return { kind: 'unreadable' };
  if (username === '' && password === '') return { kind: 'missing' };
  return { kind: 'basic', username, password };
}

/** Says whether a user name and a password are within the limits and without control characters. */
export function isPlausible({ username, password }: UserPassword): boolean {
  return (
    username.length <= MAX_NAME_LENGTH &&
    password.length <= MAX_PASSWORD_LENGTH &&
    // RFC 7617 forbids them; a NUL would also end the password for other readers of the same file.
    !/\p{Cc}/u.test(username) &&
    !/\p{Cc}/u.test(password)
  );
}
