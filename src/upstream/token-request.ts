import { membersOf } from '../base/json-members.ts';
import type { BearerChallenge } from '../oci/challenge.ts';
import { basicAuthorization, type Secret } from './credentials.ts';
import { ExchangeError } from './errors.ts';
import type { HttpClient, HttpRequest } from './http-client.ts';
import type { HttpReply } from './http-reply.ts';
import { mayReceiveCredentials, parseRealm, type RealmPolicy } from './realm.ts';
import { statusError, type TransientStatuses } from './status.ts';

/** What to ask a token service for. */
export interface TokenQuestion {
  readonly challenge: Pick<BearerChallenge, 'realm' | 'service'>;
  readonly scope: string;
  /** Who asks; undefined: nobody by name. */
  readonly secret: Exclude<Secret, { kind: 'access-token' }> | undefined;
  readonly policy: RealmPolicy;
  readonly signal: AbortSignal;
}

/** An access token and how long it may be used. */
export interface Token {
  readonly value: string;
  readonly lifetimeSeconds: number;
}

const MAX_REPLY_BYTES = 256 * 1024;
const MAX_TOKEN_LENGTH = 64 * 1024;
const DEFAULT_LIFETIME_SECONDS = 60;
const MAX_LIFETIME_SECONDS = 3600;
/** The form of a token that can stand in a header. */
export const TOKEN: RegExp = /^[\x21-\x7e]+$/;
const TRANSIENT: TransientStatuses = new Set([500, 502, 503, 504]);

/**
 * Asks a token service once.
 *
 * @throws {ExchangeError} `denied` when it refuses or its address must not be used, `rate_limited`, `server_error`,
 * `unexpected` for any other status or a reply that makes no sense, and what `HttpClient` throws
 * @source distribution: docs/content/spec/auth/token.md, docs/content/spec/auth/oauth.md
 */
export async function requestToken(http: HttpClient, question: TokenQuestion): Promise<Token> {
  const realm = parseRealm(question.challenge.realm, question.policy.base);
  const reply = await http.request(tokenRequest(realm, question));
  if (reply.status !== 200) throw refusal(reply);
  try {
    return parseToken(await reply.read(MAX_REPLY_BYTES), realm.host);
  } catch (error) {
    // For the caller `too_long` would be about the document it wants.
    const isTooLong = error instanceof ExchangeError && error.code === 'too_long';
    throw isTooLong ? new ExchangeError('unexpected', error.message) : error;
  }
}

function tokenRequest(realm: URL, question: TokenQuestion): HttpRequest {
  const { challenge, scope, signal, policy } = question;
  const secret = mayReceiveCredentials(realm, policy) ? question.secret : undefined;
  if (secret?.kind === 'refresh-token') {
    const form = new URLSearchParams({ client_id: 'pinnace', grant_type: 'refresh_token' });
    form.set('refresh_token', secret.token);
    form.set('scope', scope);
    if (challenge.service !== undefined) form.set('service', challenge.service);
    return { url: realm, form, signal };
  }
  const url = new URL(realm);
  url.searchParams.set('scope', scope);
  if (challenge.service !== undefined) url.searchParams.set('service', challenge.service);
  if (secret === undefined) return { url, signal };
  url.searchParams.set('account', secret.username);
  return { url, headers: { authorization: basicAuthorization(secret) }, signal };
}

function refusal(reply: HttpReply): ExchangeError {
  const error = statusError(reply, TRANSIENT);
  const { status, host } = reply;
  const options = {
    detail: error.detail,
    isTransient: error.isTransient,
    ...(error.retryAfterSeconds === undefined
      ? {}
      : { retryAfterSeconds: error.retryAfterSeconds }),
  };
  const message = `the token service ${host} answered with status ${status}`;
  // 400 is how OAuth2 services say that the credentials are wrong (RFC 6749 §5.2).
  if (error.code === 'denied' || status === 400)
    return new ExchangeError('denied', message, options);
  const isOwnCode = error.code === 'rate_limited' || error.code === 'server_error';
  return new ExchangeError(isOwnCode ? error.code : 'unexpected', message, options);
}

function parseToken(bytes: Uint8Array, host: string): Token {
  const reply = membersOf(parseReply(bytes));
  const value = reply.get('access_token') || reply.get('token');
  if (typeof value !== 'string' || value.length > MAX_TOKEN_LENGTH || !TOKEN.test(value)) {
    const message = `the token service ${host} sent no usable token`;
    throw new ExchangeError('unexpected', message, { detail: { host } });
  }
  const announced = reply.get('expires_in');
  const seconds = typeof announced === 'number' ? announced : DEFAULT_LIFETIME_SECONDS;
  const lifetimeSeconds = Math.min(
    Math.max(seconds, DEFAULT_LIFETIME_SECONDS),
    MAX_LIFETIME_SECONDS,
  );
  return { value, lifetimeSeconds };
}

function parseReply(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    return undefined; // The parser's message would quote what may be a token.
  }
}
