import { randomUUID } from 'node:crypto';
import { type JWTPayload, SignJWT } from 'jose';
import type { Caller } from '../base/caller.ts';
import type { Clock } from '../base/clock.ts';
import { type Rejected, unauthorized } from './admission.ts';
import { callerNameIn, groupsIn } from './claims.ts';
import type { Login } from './htpasswd-login.ts';
import type { OwnTokenKeys } from './token-keys.ts';
import { TokenVerifier } from './token-verifier.ts';

/** What the tokens of an entry of `clients` are like. */
export interface TokenIssuerOptions {
  /** The name under `clients`. */
  readonly source: string;
  readonly service: string;
  readonly keys: OwnTokenKeys;
  /** Who knows whether a caller is still what it was. */
  readonly login: Login;
  readonly lifetimeMs: number;
  /** Absent: engines get no refresh tokens, and keep the password. */
  readonly refreshLifetimeMs?: number;
  readonly clock: Clock;
}

/** A token that was given out. */
export interface IssuedToken {
  readonly token: string;
  /** RFC 3339. */
  readonly issuedAt: string;
  readonly expiresInSeconds: number;
}

const GROUPS = 'groups';
const STAMP = 'stamp';

/** Makes Pinnace's own tokens, and knows them again. */
export class TokenIssuer {
  readonly #options: TokenIssuerOptions;
  readonly #refreshes: TokenVerifier;

  constructor(options: TokenIssuerOptions) {
    this.#options = options;
    this.#refreshes = this.#verifierFor(this.#refreshAudience);
  }

  /** Whether engines may have refresh tokens. */
  get givesRefreshTokens(): boolean {
    return this.#options.refreshLifetimeMs !== undefined;
  }

  /** Verifies access tokens; their groups are in the claim `groups`. */
  accessVerifier(): TokenVerifier {
    return this.#verifierFor(this.#options.service);
  }

  /** Whether the caller of a verified token still is what it was when the token was made. */
  isCurrent(claims: JWTPayload): boolean {
    const { login } = this.#options;
    const { sub = '' } = claims;
    return login.stampOf(sub) === claims[STAMP];
  }

  /** A token that lets `caller` pull from `repositories`, by their full names. */
  async access(caller: Caller, repositories: readonly string[]): Promise<IssuedToken> {
    const { service, lifetimeMs } = this.#options;
    const access = repositories.map((name) => ({ type: 'repository', name, actions: ['pull'] }));
    return await this.#sign(caller, { audience: service, lifetimeMs, claims: { access } });
  }

  /** A token in place of the password, for as long as the caller is what it is now. */
  async refresh(caller: Caller): Promise<IssuedToken | undefined> {
    const { refreshLifetimeMs: lifetimeMs } = this.#options;
    if (lifetimeMs === undefined) return undefined;
    return await this.#sign(caller, { audience: this.#refreshAudience, lifetimeMs, claims: {} });
  }

  /** The caller whom a refresh token was given to. */
  async callerOf(refreshToken: string): Promise<Caller | Rejected> {
    const verified = await this.#refreshes.verify(refreshToken);
    if (verified.verdict === 'rejected') return verified;
    const { claims } = verified;
    const name = callerNameIn(claims, 'sub');
    if (name === undefined || !this.givesRefreshTokens || !this.isCurrent(claims)) {
      return unauthorized('wrong', 'the login it was given for is no longer good: log in again');
    }
    return { source: this.#options.source, name, groups: groupsIn(claims, GROUPS) };
  }

  /** Another audience than that of access tokens: neither kind can stand in for the other. */
  get #refreshAudience(): string {
    return `${this.#options.service} refresh`;
  }

  get #issuer(): string {
    return `pinnace ${this.#options.source}`;
  }

  #verifierFor(audience: string): TokenVerifier {
    const { keys, clock } = this.#options;
    const issuer = this.#issuer;
    return new TokenVerifier({
      ...{ issuer, audience, algorithms: ['EdDSA'], clockSkewMs: 0, keys, clock },
    });
  }

  async #sign(
    caller: Caller,
    token: {
      readonly audience: string;
      readonly lifetimeMs: number;
      readonly claims: JWTPayload;
    },
  ): Promise<IssuedToken> {
    const { keys, clock, login } = this.#options;
    const { privateKey, keyId } = await keys.signing();
    const issuedAt = Math.floor(clock.now() / 1000);
    const expiresInSeconds = Math.floor(token.lifetimeMs / 1000);
    const stamp = login.stampOf(caller.name);
    const groups = caller.groups.size === 0 ? {} : { [GROUPS]: [...caller.groups] };
    const signed = await new SignJWT({
      ...token.claims,
      ...groups,
      ...(stamp === undefined ? {} : { [STAMP]: stamp }),
    })
      .setProtectedHeader({ alg: 'EdDSA', kid: keyId, typ: 'JWT' })
      .setIssuer(this.#issuer)
      .setSubject(caller.name)
      .setAudience(token.audience)
      .setIssuedAt(issuedAt)
      .setNotBefore(issuedAt)
      .setExpirationTime(issuedAt + expiresInSeconds)
      .setJti(randomUUID())
      .sign(privateKey);
    const at = new Date(issuedAt * 1000).toISOString();
    return { token: signed, issuedAt: at, expiresInSeconds };
  }
}
