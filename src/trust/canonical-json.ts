import { ownBytes } from '../base/own-bytes.ts';
import { type JsonValue, NonPlainNumber } from './strict-json.ts';

const SURROGATE = /[\ud800-\udfff]/;
const TO_BE_ESCAPED = /["\\]/;

/**
 * Encodes a value as the canonical JSON that TUF signatures are made over: no white space, members sorted by the UTF-8
 * bytes of their names, only `"` and `\` escaped in strings, numbers as decimal integers.
 *
 * @source notary: vendor/github.com/docker/go/canonical/json; OLPC canonical JSON
 */
export function encodeCanonicalJson(value: JsonValue): Uint8Array {
  const pieces: string[] = [];
  encode(value, pieces);
  return ownBytes(Buffer.from(pieces.join(''), 'utf8'));
}

function encode(value: JsonValue, pieces: string[]): void {
  if (value === null || typeof value === 'boolean' || typeof value === 'number') {
    pieces.push(String(value));
  } else if (typeof value === 'string') {
    pieces.push(quote(value));
  } else if (value instanceof NonPlainNumber) {
    pieces.push(String(value.value));
  } else if (value instanceof Map) {
    encodeObject(value, pieces);
  } else {
    encodeArray(value as readonly JsonValue[], pieces);
  }
}

function encodeObject(members: ReadonlyMap<string, JsonValue>, pieces: string[]): void {
  let separator = '{';
  for (const name of inOrder([...members.keys()])) {
    pieces.push(separator, quote(name), ':');
    encode(members.get(name) ?? null, pieces);
    separator = ',';
  }
  pieces.push(members.size === 0 ? '{}' : '}');
}

function encodeArray(items: readonly JsonValue[], pieces: string[]): void {
  let separator = '[';
  for (const item of items) {
    pieces.push(separator);
    encode(item, pieces);
    separator = ',';
  }
  pieces.push(items.length === 0 ? '[]' : ']');
}

/** In the order of their UTF-8 bytes. */
function inOrder(names: string[]): readonly string[] {
  // Without surrogates that is the order of the UTF-16 units, in which the engine itself sorts several times as fast.
  return names.some((name) => SURROGATE.test(name)) ? names.sort(compareCodePoints) : names.sort();
}

function quote(text: string): string {
  if (!TO_BE_ESCAPED.test(text)) return `"${text}"`;
  return `"${text.replaceAll(/["\\]/g, (character) => `\\${character}`)}"`;
}

/** Orders strings as their UTF-8 bytes do; JavaScript's own order, by UTF-16 units, differs above U+FFFF. */
export function compareCodePoints(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let at = 0; at < length; at += 1) {
    const left = a.charCodeAt(at);
    const right = b.charCodeAt(at);
    if (left !== right) return surrogatesLast(left) - surrogatesLast(right);
  }
  return a.length - b.length;
}

/** Moves the surrogates, which stand for code points above U+FFFF, behind all other UTF-16 units. */
function surrogatesLast(unit: number): number {
  return unit >= 0xd800 && unit <= 0xdfff ? unit + 0x10000 : unit;
}
