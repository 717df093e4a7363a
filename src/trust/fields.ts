import { ownBytes } from '../base/own-bytes.ts';
import { TrustError } from './errors.ts';
import type { JsonObject, JsonValue } from './strict-json.ts';

const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;
const RFC3339 =
  /^\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d{1,9})?(?:Z|[+-](?:[01]\d|2[0-3]):[0-5]\d)$/;

/** Raises `malformed` with the place and what is wrong there. */
export function malformed(where: string, what: string): never {
  throw new TrustError('malformed', `${where} ${what}`, { detail: { field: where } });
}

/** The value as an object. @throws {TrustError} `malformed` */
export function asObject(value: JsonValue | undefined, where: string): JsonObject {
  return value instanceof Map ? value : malformed(where, 'is not an object');
}

/** The value as an array. @throws {TrustError} `malformed` */
export function asArray(value: JsonValue | undefined, where: string): readonly JsonValue[] {
  return Array.isArray(value) ? value : malformed(where, 'is not an array');
}

/** The value as a string. @throws {TrustError} `malformed` */
export function asString(value: JsonValue | undefined, where: string): string {
  return typeof value === 'string' ? value : malformed(where, 'is not a string');
}

/** The value as a plainly written integer of at least `minimum`. @throws {TrustError} `malformed` */
export function asInteger(value: JsonValue | undefined, where: string, minimum: number): number {
  if (typeof value !== 'number' || value < minimum) {
    malformed(where, `is not an integer of at least ${minimum}`);
  }
  return value;
}

/**
 * Decodes standard, padded base64; line breaks inside are skipped as Go does.
 *
 * @throws {TrustError} `malformed`
 * @source RFC 4648 §4
 */
export function asBase64(value: JsonValue | undefined, where: string): Uint8Array {
  const text = asString(value, where).replaceAll(/[\r\n]/g, '');
  // Buffer.from alone would take URL-safe, unpadded and garbage text.
  if (!BASE64.test(text)) malformed(where, 'is not padded standard base64');
  return ownBytes(Buffer.from(text, 'base64'));
}

/**
 * Parses an RFC 3339 time to milliseconds since the epoch; fractions finer than that are rounded down.
 *
 * @throws {TrustError} `malformed`
 * @source RFC 3339 §5.6
 */
export function asTime(value: JsonValue | undefined, where: string): number {
  const text = asString(value, where);
  const match = RFC3339.exec(text);
  if (match === null) malformed(where, 'is not an RFC 3339 time');
  const fraction = match[1];
  const trimmed = fraction === undefined ? text : text.replace(fraction, fraction.slice(0, 4));
  const day = text.slice(0, 10);
  // Date.parse alone would take 30 February for 2 March.
  if (new Date(day).toISOString().slice(0, 10) !== day) malformed(where, 'is not a date');
  return Date.parse(trimmed);
}
