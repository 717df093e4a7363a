import { caAnchor, type RootAnchor } from '../../../src/trust/anchor.ts';
import type { Authority } from '../../../src/trust/authority.ts';
import { notaryV1 } from '../../../src/trust/dialect/notary-v1-dialect.ts';
import { type Key, parseKey, type WeakAlgorithms } from '../../../src/trust/keys.ts';
import {
  type JsonObject,
  type JsonValue,
  parseStrictJson,
} from '../../../src/trust/strict-json.ts';
import type { SignatureRules } from '../../../src/trust/threshold.ts';
import { encodeWireJson, type Json } from '../../support/notary-json.ts';
import type { RoleKey } from '../../support/notary-keys.ts';

/** The moment at which the tests of the trust core take place. */
export const NOW: number = Date.parse('2026-11-23T00:00:00Z');

/** A day in milliseconds. */
export const DAY_MS = 86_400_000;

/** Only the algorithms that are on without being named. */
export const STRONG_ONLY: WeakAlgorithms = { rsaPkcs1v15: false, p224: false };

/** How signatures of the Notary v1 dialect are verified. */
export const NOTARY_RULES: SignatureRules = { dialect: notaryV1, weak: STRONG_ONLY };

/** Trust in whatever root comes first. */
export const FIRST_USE: RootAnchor = { kind: 'first-use' };

/** Text as bytes. */
export function utf8(text: string): Uint8Array {
  return Buffer.from(text, 'utf8');
}

/** A plain value as the strict parser would give it. */
export function valueFrom(value: Json): JsonValue {
  return parseStrictJson(encodeWireJson({ value })).get('value') ?? null;
}

/** A plain object as the strict parser would give it. */
export function objectOf(value: Json): JsonObject {
  const parsed = valueFrom(value);
  if (!(parsed instanceof Map)) throw new Error('not an object');
  return parsed;
}

/** A role's key as the metadata parser would give it. */
export function keyOf(key: RoleKey): Key {
  return parseKey(objectOf(key.keyObject), 'key');
}

/** The right of some keys to speak for a role. */
export function authorityFor(
  role: string,
  keys: readonly RoleKey[],
  threshold: number = keys.length,
): Authority {
  return { role, threshold, keys: new Map(keys.map((key) => [key.keyId, keyOf(key)])) };
}

/** A CA anchor made from certificates in PEM. */
export function caOf(pem: string, acceptCodeSigning = false): RootAnchor {
  return caAnchor(utf8(pem), acceptCodeSigning);
}
