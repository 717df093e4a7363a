import { createPublicKey, type JsonWebKey } from 'node:crypto';

/** The signature algorithms that can be allowed: those whose keys only the token service has. */
export const TOKEN_ALGORITHMS = [
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
] as const;

export type TokenAlgorithm = (typeof TOKEN_ALGORITHMS)[number];

/** Public keys of a token service, as JSON Web Keys. */
export interface KeySet {
  readonly keys: readonly JsonWebKey[];
}

/** A key set read from a text, or what is wrong with the text. */
export type ParsedKeySet =
  | { readonly ok: true; readonly value: KeySet }
  | { readonly ok: false; readonly problem: string; readonly fix?: string };

/** The largest key set accepted, in bytes. */
export const MAX_KEY_SET_BYTES: number = 256 * 1024;

const MAX_KEYS = 100;
const KINDS: ReadonlySet<unknown> = new Set(['RSA', 'EC', 'OKP']);
/** What a public key may say, so that nothing else of it is ever looked at. */
const MEMBERS = ['kty', 'kid', 'alg', 'crv', 'x', 'y', 'n', 'e'] as const;

/**
 * Reads a JSON Web Key Set. Keys that do not verify signatures, symmetric ones above all, are left out: with one of them in
 * the set, whoever may check tokens could make them.
 *
 * @source RFC 7517 §5
 */
export function parseKeySet(text: string): ParsedKeySet {
  const keys = memberOf(parseJson(text), 'keys');
  if (!Array.isArray(keys)) {
    return { ok: false, problem: 'is no JSON Web Key Set', fix: 'it should be {"keys": [...]}' };
  }
  if (keys.length > MAX_KEYS) return { ok: false, problem: `has more than ${MAX_KEYS} keys` };
  if (keys.some((key) => memberOf(key, 'd') !== undefined)) {
    return { ok: false, problem: 'holds a private key', fix: 'leave only the public keys in it' };
  }
  const usable = keys.map(publicKey).filter((key) => key !== undefined);
  if (usable.length === 0) {
    return { ok: false, problem: 'has no public key (RSA, EC or OKP) for signatures' };
  }
  return { ok: true, value: { keys: usable } };
}

function publicKey(key: unknown): JsonWebKey | undefined {
  const use = memberOf(key, 'use');
  if (!KINDS.has(memberOf(key, 'kty')) || (use !== undefined && use !== 'sig')) return undefined;
  const copy: Record<string, string> = {};
  for (const member of MEMBERS) {
    const value = memberOf(key, member);
    if (typeof value === 'string') copy[member] = value;
  }
  return isReadable(copy) ? copy : undefined;
}

function isReadable(key: JsonWebKey): boolean {
  try {
    const { asymmetricKeyDetails: details } = createPublicKey({ key, format: 'jwk' });
    return (details?.modulusLength ?? 2048) >= 2048;
  } catch {
    // A key of a kind that this machine does not know; the others may do.
    return false;
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function memberOf(value: unknown, name: string): unknown {
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return undefined;
  return Object.getOwnPropertyDescriptor(value, name)?.value;
}
