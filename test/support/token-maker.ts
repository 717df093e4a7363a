import { createHmac, type KeyObject, randomUUID, sign } from 'node:crypto';
import { makeKeyPair } from './x509.ts';

/** A key that signs tokens, with its public half as a token service publishes it. */
export interface TokenKey {
  readonly keyId: string;
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
  readonly algorithm: 'RS256' | 'ES256';
  readonly jwk: Readonly<Record<string, unknown>>;
}

/** Makes a key of a token service. */
export function makeTokenKey(
  algorithm: 'RS256' | 'ES256' = 'RS256',
  keyId: string = randomUUID(),
): TokenKey {
  const { publicKey, privateKey } = makeKeyPair(algorithm === 'RS256' ? 'rsa2048' : 'p256');
  const jwk = { ...publicKey.export({ format: 'jwk' }), kid: keyId, alg: algorithm, use: 'sig' };
  return { keyId, privateKey, publicKey, algorithm, jwk };
}

/** A key set with these keys, as JSON. */
export function keySetOf(...keys: readonly TokenKey[]): string {
  return JSON.stringify({ keys: keys.map(({ jwk }) => jwk) });
}

/** What of a token is not as usual; undefined members are left out. */
export interface TokenParts {
  readonly header?: Readonly<Record<string, unknown>>;
  readonly claims?: Readonly<Record<string, unknown>>;
}

/** Signs a token with exactly this header and these claims, whatever they say. */
export function signToken(key: TokenKey, { header = {}, claims = {} }: TokenParts): string {
  const { algorithm, privateKey, keyId } = key;
  const input = tokenInput({ alg: algorithm, typ: 'JWT', kid: keyId, ...header }, claims);
  const isRsa = algorithm === 'RS256';
  const signer = isRsa ? privateKey : ({ key: privateKey, dsaEncoding: 'ieee-p1363' } as const);
  return `${input}.${sign('sha256', Buffer.from(input), signer).toString('base64url')}`;
}

/** A token that claims to be signed with a shared secret. */
export function hmacToken(
  secret: string | Buffer,
  { header = {}, claims = {} }: TokenParts,
): string {
  const input = tokenInput({ alg: 'HS256', typ: 'JWT', ...header }, claims);
  return `${input}.${createHmac('sha256', secret).update(input).digest('base64url')}`;
}

/** A token that nobody signed. */
export function unsignedToken({ header = {}, claims = {} }: TokenParts): string {
  return `${tokenInput({ alg: 'none', ...header }, claims)}.`;
}

function tokenInput(header: object, claims: object): string {
  return [header, claims]
    .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
    .join('.');
}
