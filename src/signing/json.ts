import { type JsonObject, type JsonValue, NonPlainNumber } from '../trust/strict-json.ts';

/** JSON written as a literal; for members whose names the program knows. */
export type PlainJson =
  | null
  | boolean
  | string
  | number
  | readonly PlainJson[]
  | { readonly [name: string]: PlainJson };

/** The value as metadata code has it: objects are `Map`s. */
export function fromPlain(value: PlainJson): JsonValue {
  if (isList(value)) return value.map(fromPlain);
  return typeof value === 'object' && value !== null ? objectOf(value) : value;
}

/** An object as metadata code has it, from a literal. */
export function objectOf(members: { readonly [name: string]: PlainJson }): JsonObject {
  return new Map(Object.entries(members).map(([name, value]) => [name, fromPlain(value)]));
}

/** The object with one member set; where it is new it comes last. */
export function withMember(object: JsonObject, name: string, value: JsonValue): JsonObject {
  return new Map([...object, [name, value]]);
}

/** The object without one member. */
export function withoutMember(object: JsonObject, name: string): JsonObject {
  return new Map([...object].filter(([each]) => each !== name));
}

/** Writes a value as JSON that people can read and compare line by line, in UTF-8. */
export function formatJson(value: JsonValue): Uint8Array {
  return Buffer.from(`${format(value, '')}\n`, 'utf8');
}

function format(value: JsonValue, indent: string): string {
  const inner = `${indent} `;
  if (value instanceof NonPlainNumber) return String(value.value);
  if (value instanceof Map) {
    const members = [...value].map(
      ([name, member]) => `${inner}${JSON.stringify(name)}: ${format(member, inner)}`,
    );
    return members.length === 0 ? '{}' : `{\n${members.join(',\n')}\n${indent}}`;
  }
  if (Array.isArray(value)) {
    const items = value.map((item: JsonValue) => `${inner}${format(item, inner)}`);
    return items.length === 0 ? '[]' : `[\n${items.join(',\n')}\n${indent}]`;
  }
  return JSON.stringify(value);
}

function isList(value: PlainJson): value is readonly PlainJson[] {
  return Array.isArray(value);
}
