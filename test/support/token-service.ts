import { randomBytes } from 'node:crypto';
import type { Answer } from './http-faults.ts';
import type { SeenRequest } from './loopback-server.ts';

/** A user name and password. */
export interface Credentials {
  readonly username: string;
  readonly password: string;
}

/** How the embedded servers ask who is calling. */
export type AuthOptions =
  | (Credentials & { readonly kind: 'basic' })
  | {
      readonly kind: 'bearer';
      /** Who gets tokens; default: anyone, anonymously. */
      readonly credentials?: Credentials;
      /** The refresh token that is exchanged for access tokens, instead of user name and password. */
      readonly refreshToken?: string;
      /** Lifetime that the token answer states; default: none stated. */
      readonly expiresInSeconds?: number;
      /** Under which name the token is returned; default `token`. */
      readonly tokenField?: 'token' | 'access_token';
      /** Scopes that are never granted, to anyone. */
      readonly deniedScopes?: readonly string[];
      /** Value of `service`; default `pinnace-test`. */
      readonly service?: string;
      /** Where tokens are to be had; default: `/token` of the server itself. */
      readonly realm?: string;
    };

/**
 * The token service and the gate in front of a test server.
 *
 * @source Docker token authentication specification, with its OAuth2 form; RFC 7617
 */
export class TokenGate {
  readonly #auth: AuthOptions;
  readonly #granted = new Map<string, ReadonlySet<string>>();

  constructor(auth: AuthOptions) {
    this.#auth = auth;
  }

  /** Forgets every token given out, as a restarted service would. */
  revokeAll(): void {
    this.#granted.clear();
  }

  /** Answers a request to the token endpoint. */
  issue(request: SeenRequest): Answer {
    const auth = this.#auth;
    if (auth.kind !== 'bearer') return refusal(404, 'NOT_FOUND');
    if (auth.refreshToken !== undefined) return this.#exchange(request, auth.refreshToken);
    if (auth.credentials !== undefined && !hasBasic(request, auth.credentials)) {
      return refusal(401, 'UNAUTHORIZED');
    }
    return this.#grant(request.query);
  }

  #exchange(request: SeenRequest, refreshToken: string): Answer {
    const form = new URLSearchParams(request.body);
    const isRight =
      request.method === 'POST' &&
      form.get('grant_type') === 'refresh_token' &&
      form.get('refresh_token') === refreshToken &&
      form.get('client_id') !== null &&
      form.get('service') !== null;
    return isRight ? this.#grant(form) : json(400, { error: 'invalid_grant' });
  }

  #grant(asked: URLSearchParams): Answer {
    const auth = this.#auth;
    if (auth.kind !== 'bearer') return refusal(404, 'NOT_FOUND');
    const token = randomBytes(24).toString('hex');
    const denied = new Set(auth.deniedScopes);
    const scopes = asked.getAll('scope').flatMap((scope) => scope.split(' '));
    this.#granted.set(token, new Set(scopes.filter((scope) => !denied.has(scope))));
    const lifetime =
      auth.expiresInSeconds === undefined ? {} : { expires_in: auth.expiresInSeconds };
    return json(200, { [auth.tokenField ?? 'token']: token, ...lifetime });
  }

  /**
   * Lets a request pass (undefined) or answers it with a challenge.
   *
   * @param scope - what the request needs, for example `repository:team/app:pull`; undefined: every valid token will do
   * @param ownUrl - base URL of the server, for the realm
   */
  challenge(request: SeenRequest, scope: string | undefined, ownUrl: string): Answer | undefined {
    const auth = this.#auth;
    if (auth.kind === 'basic') {
      if (hasBasic(request, auth)) return undefined;
      return refusal(401, 'UNAUTHORIZED', { 'www-authenticate': 'Basic realm="pinnace-test"' });
    }
    const offered = /^Bearer (\w+)$/.exec(request.headers.authorization ?? '')?.[1];
    const granted = offered === undefined ? undefined : this.#granted.get(offered);
    if (granted !== undefined && (scope === undefined || granted.has(scope))) return undefined;
    const realm = auth.realm ?? `${ownUrl}/token`;
    const service = auth.service ?? 'pinnace-test';
    const because = granted === undefined ? 'invalid_token' : 'insufficient_scope';
    const error = offered === undefined ? '' : `,error="${because}"`;
    const wanted = scope === undefined ? '' : `,scope="${scope}"`;
    return refusal(401, 'UNAUTHORIZED', {
      'www-authenticate': `Bearer realm="${realm}",service="${service}"${wanted}${error}`,
    });
  }
}

/** A JSON answer. */
export function json(
  status: number,
  value: unknown,
  headers: Readonly<Record<string, string>> = {},
): Answer {
  return {
    status,
    headers: { 'content-type': 'application/json; charset=utf-8', ...headers },
    body: Buffer.from(JSON.stringify(value)),
  };
}

/** An error answer in the form that registries and Notary servers share. */
export function refusal(
  status: number,
  code: string,
  headers: Readonly<Record<string, string>> = {},
): Answer {
  const message = code.toLowerCase().replaceAll('_', ' ');
  return json(status, { errors: [{ code, message, detail: {} }] }, headers);
}

function hasBasic(request: SeenRequest, credentials: Credentials): boolean {
  const { username, password } = credentials;
  const expected = Buffer.from(`${username}:${password}`).toString('base64');
  return request.headers.authorization === `Basic ${expected}`;
}
