import { TrustError } from './errors.ts';

/**
 * A parsed JSON value that keeps what a signature check must not lose: objects are `Map`s (so `__proto__` is an ordinary
 * member), and a number that was not written as a plain integer is a `NonPlainNumber`.
 */
export type JsonValue =
  | null
  | boolean
  | string
  | number
  | NonPlainNumber
  | readonly JsonValue[]
  | JsonObject;

/** A JSON object; member order is that of the text. */
export type JsonObject = ReadonlyMap<string, JsonValue>;

/** An integer value that was written in another way (`1.0`, `1e3`): it counts for the signed bytes, not as a version. */
export class NonPlainNumber {
  readonly value: number;

  constructor(value: number) {
    this.value = value;
  }
}

/** How deeply objects and arrays may nest; real metadata needs fewer than ten levels. */
const MAX_DEPTH = 64;

// biome-ignore lint/suspicious/noControlCharactersInRegex: JSON forbids exactly these inside strings
const STRING_PIECE = /[^"\\\u0000-\u001f]*/y;
const NUMBER = /-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?/y;
const WHITE_SPACE = /[ \t\n\r]*/y;
const SPACE = 0x20;
const HEX4 = /^[0-9a-fA-F]{4}$/;
const ESCAPES = new Map([
  ['"', '"'],
  ['\\', '\\'],
  ['/', '/'],
  ['b', '\b'],
  ['f', '\f'],
  ['n', '\n'],
  ['r', '\r'],
  ['t', '\t'],
]);

/**
 * Parses metadata as JSON, strictly: one object, valid UTF-8, no byte order mark, no duplicate member, no lone surrogate,
 * no number that is not a safe integer, nothing behind the value.
 *
 * Two readers that disagree on any of these could see different content under one signature.
 *
 * @throws {TrustError} `malformed`
 * @source RFC 8259; notary: tuf/data/serializer.go
 */
export function parseStrictJson(bytes: Uint8Array): JsonObject {
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (cause) {
    throw new TrustError('malformed', 'not valid UTF-8', { cause });
  }
  return new Parser(text).parseDocument();
}

class Parser {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  parseDocument(): JsonObject {
    const value = this.#value(0);
    this.#skipWhiteSpace();
    if (this.#at !== this.#text.length) this.#fail('something follows the JSON value');
    if (!(value instanceof Map)) this.#fail('the document is not a JSON object');
    return value;
  }

  #value(depth: number): JsonValue {
    if (depth > MAX_DEPTH) this.#fail(`nested deeper than ${MAX_DEPTH} levels`);
    this.#skipWhiteSpace();
    switch (this.#text[this.#at]) {
      case '{':
        return this.#object(depth);
      case '[':
        return this.#array(depth);
      case '"':
        return this.#string();
      case 't':
        return this.#literal('true', true);
      case 'f':
        return this.#literal('false', false);
      case 'n':
        return this.#literal('null', null);
      default:
        return this.#number();
    }
  }

  #object(depth: number): JsonObject {
    const members = new Map<string, JsonValue>();
    this.#at += 1;
    this.#skipWhiteSpace();
    if (this.#take('}')) return members;
    for (;;) {
      this.#skipWhiteSpace();
      if (this.#text[this.#at] !== '"') this.#fail('a member name is missing');
      const name = this.#string();
      // With two members of one name the signature could be checked on one and the content read from the other.
      if (members.has(name)) this.#fail('a member name occurs twice');
      this.#skipWhiteSpace();
      if (!this.#take(':')) this.#fail('a colon is missing');
      members.set(name, this.#value(depth + 1));
      this.#skipWhiteSpace();
      if (this.#take('}')) return members;
      if (!this.#take(',')) this.#fail('a comma or closing brace is missing');
    }
  }

  #array(depth: number): readonly JsonValue[] {
    const items: JsonValue[] = [];
    this.#at += 1;
    this.#skipWhiteSpace();
    if (this.#take(']')) return items;
    for (;;) {
      items.push(this.#value(depth + 1));
      this.#skipWhiteSpace();
      if (this.#take(']')) return items;
      if (!this.#take(',')) this.#fail('a comma or closing bracket is missing');
    }
  }

  #string(): string {
    this.#at += 1;
    let result = '';
    for (;;) {
      result += this.#match(STRING_PIECE);
      const next = this.#text[this.#at];
      this.#at += 1;
      if (next === '"') break;
      if (next !== '\\') this.#fail('a string is not closed, or holds a raw control character');
      result += this.#escape();
    }
    if (!result.isWellFormed()) this.#fail('a string holds a lone surrogate');
    return result;
  }

  #escape(): string {
    const letter = this.#text[this.#at] ?? '';
    this.#at += 1;
    if (letter === 'u') {
      const hex = this.#text.slice(this.#at, this.#at + 4);
      if (!HEX4.test(hex)) this.#fail('a \\u escape lacks four hex digits');
      this.#at += 4;
      return String.fromCharCode(Number.parseInt(hex, 16));
    }
    const character = ESCAPES.get(letter);
    if (character === undefined) this.#fail('an unknown escape in a string');
    return character;
  }

  #number(): number | NonPlainNumber {
    NUMBER.lastIndex = this.#at;
    const match = NUMBER.exec(this.#text);
    if (match === null) this.#fail('a value is missing');
    this.#at = NUMBER.lastIndex;
    const value = Number(match[0]);
    if (!Number.isSafeInteger(value)) this.#fail('a number is not a safe integer');
    const isPlain = match[1] === undefined && match[2] === undefined && !Object.is(value, -0);
    return isPlain ? value : new NonPlainNumber(value === 0 ? 0 : value);
  }

  #literal<Value extends JsonValue>(word: string, value: Value): Value {
    if (!this.#text.startsWith(word, this.#at)) this.#fail('a value is missing');
    this.#at += word.length;
    return value;
  }

  #skipWhiteSpace(): void {
    // Most files have none, and a look costs less than a search; behind the end there is nothing to skip either.
    if (!(this.#text.charCodeAt(this.#at) <= SPACE)) return;
    WHITE_SPACE.lastIndex = this.#at;
    WHITE_SPACE.exec(this.#text);
    this.#at = WHITE_SPACE.lastIndex;
  }

  #take(character: string): boolean {
    if (this.#text[this.#at] !== character) return false;
    this.#at += 1;
    return true;
  }

  #match(pattern: RegExp): string {
    const start = this.#at;
    pattern.lastIndex = start;
    pattern.test(this.#text);
    this.#at = pattern.lastIndex;
    return this.#text.slice(start, this.#at);
  }

  #fail(what: string): never {
    throw new TrustError('malformed', `not acceptable JSON: ${what}`, {
      detail: { offset: this.#at },
    });
  }
}
