import { type Admitted, unauthorized } from './admission.ts';
import { isPlausible, parseAuthorization } from './authorization.ts';
import type { Login } from './htpasswd-login.ts';
import type { IssuedToken, TokenIssuer } from './token-issuer.ts';
import type { TokenAnswer, TokenRequest, TokenService } from './token-service.ts';

const MAX_SCOPES = 64;
const MAX_SCOPE_LENGTH = 1024;

/**
 * Gives tokens to who logs in: GET with Basic, or POST with the OAuth grants `password` and `refresh_token`. A token is for
 * the repositories that are asked for, whatever the rules say: those are asked at every pull, and say no in words.
 *
 * @source distribution: docs/content/spec/auth/token.md, oauth.md
 */
export class TokenEndpoint implements TokenService {
  readonly #service: string;
  readonly #login: Login;
  readonly #issuer: TokenIssuer;

  constructor(options: {
    readonly service: string;
    readonly login: Login;
    readonly issuer: TokenIssuer;
  }) {
    this.#service = options.service;
    this.#login = options.login;
    this.#issuer = options.issuer;
  }

  async answer(request: TokenRequest): Promise<TokenAnswer> {
    const { fields, isForm } = request;
    const service = fields.get('service');
    if (service !== null && service !== this.#service) {
      return malformed('invalid_request', 'this is the token endpoint of another service');
    }
    const grant = isForm ? fields.get('grant_type') : 'basic';
    switch (grant) {
      case 'basic':
        return await this.#byBasic(request);
      case 'password':
        return await this.#byPassword(request);
      case 'refresh_token':
        return await this.#byRefreshToken(request);
      default:
        return malformed(
          grant === null ? 'invalid_request' : 'unsupported_grant_type',
          'grant_type has to be password or refresh_token',
        );
    }
  }

  async #byBasic(request: TokenRequest): Promise<TokenAnswer> {
    const given = parseAuthorization(request.authorization);
    if (given.kind !== 'basic') return { kind: 'rejected', rejected: MISSING };
    const wantsRefresh = request.fields.get('offline_token') === 'true';
    const { username, password } = given;
    return await this.#logIn({ username, password }, request, wantsRefresh);
  }

  async #byPassword(request: TokenRequest): Promise<TokenAnswer> {
    const { fields } = request;
    const given = {
      username: fields.get('username') ?? '',
      password: fields.get('password') ?? '',
    };
    if (!isPlausible(given)) {
      return malformed('invalid_request', 'the user name or the password cannot be read');
    }
    return await this.#logIn(given, request, fields.get('access_type') === 'offline');
  }

  async #byRefreshToken(request: TokenRequest): Promise<TokenAnswer> {
    const found = await this.#issuer.callerOf(request.fields.get('refresh_token') ?? '');
    if ('verdict' in found) return { kind: 'rejected', rejected: found };
    const names = scopedRepositories(request);
    const access = await this.#issuer.access(found, names);
    // The engine's own stays good: another one at each turn would let a stolen one live for ever.
    return granted(access, { names, refresh: undefined });
  }

  async #logIn(
    given: { readonly username: string; readonly password: string },
    request: TokenRequest,
    wantsRefresh: boolean,
  ): Promise<TokenAnswer> {
    const found = await this.#login.check(given, request.address);
    if (found.verdict === 'rejected') return { kind: 'rejected', rejected: found };
    return await this.#grant(found, request, wantsRefresh);
  }

  async #grant(
    { caller }: Admitted,
    request: TokenRequest,
    wantsRefresh: boolean,
  ): Promise<TokenAnswer> {
    const names = scopedRepositories(request);
    const access = await this.#issuer.access(caller, names);
    const refresh = wantsRefresh ? await this.#issuer.refresh(caller) : undefined;
    return granted(access, { names, refresh });
  }
}

const MISSING = unauthorized('missing', 'Pinnace does not know who is asking', 'no login was sent');

function malformed(
  error: 'invalid_request' | 'unsupported_grant_type',
  sentence: string,
): TokenAnswer {
  return { kind: 'malformed', error, sentence };
}

function granted(
  access: IssuedToken,
  more: { readonly names: readonly string[]; readonly refresh: IssuedToken | undefined },
): TokenAnswer {
  const { token, issuedAt, expiresInSeconds } = access;
  return {
    kind: 'granted',
    body: {
      // Engines know it by either name.
      token,
      access_token: token,
      token_type: 'Bearer',
      expires_in: expiresInSeconds,
      issued_at: issuedAt,
      scope: more.names.map((name) => `repository:${name}:pull`).join(' '),
      ...(more.refresh === undefined ? {} : { refresh_token: more.refresh.token }),
    },
  };
}

/** The repositories of the scopes that ask for pulling, by their full names; other scopes are not granted. */
function scopedRepositories({ fields, locate }: TokenRequest): readonly string[] {
  const scopes = fields.getAll('scope').flatMap((text) => text.split(' '));
  const names = new Set<string>();
  for (const scope of scopes.slice(0, MAX_SCOPES)) {
    const name = repositoryIn(scope);
    const found = name === undefined ? undefined : locate(name);
    if (found !== undefined) names.add(found);
  }
  return [...names];
}

/** A name may have a colon in it, before the port of its registry. */
function repositoryIn(scope: string): string | undefined {
  const prefix = 'repository:';
  const colon = scope.lastIndexOf(':');
  if (!scope.startsWith(prefix) || scope.length > MAX_SCOPE_LENGTH) return undefined;
  const actions = scope.slice(colon + 1).split(',');
  return actions.includes('pull') ? scope.slice(prefix.length, colon) : undefined;
}
