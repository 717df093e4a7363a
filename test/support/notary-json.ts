import { createHash } from 'node:crypto';

/** A JSON value; a `Map` stands for an object whose names come from outside. */
export type Json =
  | null
  | boolean
  | number
  | string
  | readonly Json[]
  | JsonObject
  | ReadonlyMap<string, Json>;

/** A JSON object. */
export type JsonObject = { readonly [name: string]: Json };

/**
 * Encodes the bytes that Notary v1 signs. Written independently of `src/`, so that each checks the other.
 *
 * @throws {RangeError} for numbers that are no safe integers
 * @source notary: docker/go canonical/json
 */
export function encodeCanonicalJson(value: Json): Buffer {
  return Buffer.from(encode(value, canonicalString), 'utf8');
}

/** Encodes `value` with the canonical order and spacing, but with strings that any JSON parser reads back. */
export function encodeWireJson(value: Json): Buffer {
  return Buffer.from(encode(value, JSON.stringify), 'utf8');
}

/** What a file that names another one says of it. */
export function fileMeta(bytes: Uint8Array): JsonObject {
  const hash = (algorithm: string): string => createHash(algorithm).update(bytes).digest('base64');
  return { hashes: { sha256: hash('sha256'), sha512: hash('sha512') }, length: bytes.length };
}

function canonicalString(text: string): string {
  return `"${text.replace(/["\\]/g, '\\$&')}"`;
}

function encode(value: Json, encodeString: (text: string) => string): string {
  if (value === null || typeof value === 'boolean') return String(value);
  if (typeof value === 'string') return encodeString(value);
  if (typeof value === 'number') {
    if (!Number.isSafeInteger(value)) throw new RangeError(`not a safe integer: ${value}`);
    return String(value === 0 ? 0 : value);
  }
  if (isList(value)) return `[${value.map((item) => encode(item, encodeString)).join(',')}]`;
  const members = value instanceof Map ? [...value] : Object.entries(value);
  const sorted = members
    .map(([name, member]) => ({ key: Buffer.from(name, 'utf8'), name, member }))
    .sort((a, b) => Buffer.compare(a.key, b.key))
    .map(({ name, member }) => `${encodeString(name)}:${encode(member, encodeString)}`);
  return `{${sorted.join(',')}}`;
}

function isList(value: Json): value is readonly Json[] {
  return Array.isArray(value);
}
