import { type JsonValue, NonPlainNumber } from '../trust/strict-json.ts';

/** A JSON value as metadata has it, in the form that `JSON.stringify` writes. */
export function plainJson(value: JsonValue): unknown {
  if (value instanceof NonPlainNumber) return value.value;
  if (Array.isArray(value)) return value.map(plainJson);
  if (!(value instanceof Map)) return value;
  // Unlike an assignment this makes `__proto__` a member like any other.
  return Object.fromEntries([...value].map(([name, member]) => [name, plainJson(member)]));
}
