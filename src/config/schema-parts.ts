import { z } from 'zod';
import { file } from './schema-leaves.ts';

/** A certificate and its key, as file names. */
export interface KeyPairEntry {
  readonly cert: string;
  readonly key: string;
}

/** Restricts an object to exactly one of `keys`, in the words of JSON Schema. */
export function exactlyOneOf(keys: readonly string[]): { readonly oneOf: readonly object[] } {
  return { oneOf: keys.map((key) => ({ required: [key] })) };
}

/** A certificate with its key; `use` completes the texts. */
export function keyPairSchema(text: string, folder: string): z.ZodType<KeyPairEntry> {
  return z
    .strictObject({
      cert: file('certificates', {
        text: 'Certificate in PEM, followed by its intermediates.',
        example: `${folder}.crt`,
      }),
      key: file('private-key', {
        text: 'Private key in PEM, not encrypted.',
        example: `${folder}.key`,
      }),
    })
    .meta({ description: text });
}
