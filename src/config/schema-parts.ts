import { z } from 'zod';
import { file, parsed } from './schema-leaves.ts';
import { EXAMPLE_MEMBER } from './schema-members.ts';

/** A certificate and its key, as file names. */
export interface KeyPairEntry {
  readonly cert: string;
  readonly key: string;
}

/** A user name and where its password is, as written; exactly one of the two places is given. */
export interface CredentialsEntry {
  readonly username: string;
  readonly passwordFile?: string;
  readonly passwordEnv?: string;
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

/** User name and password for a server; the password itself never stands in the configuration. */
export function credentialsSchema(text: string): z.ZodType<CredentialsEntry> {
  return z
    .strictObject({
      username: z
        .string()
        .min(1, 'is empty')
        .max(255, 'is longer than 255 characters')
        .refine((name) => !name.includes(':'), 'has a colon, which HTTP does not allow')
        .meta({ description: 'User name.', [EXAMPLE_MEMBER]: 'ci' }),
      passwordFile: z.exactOptional(
        file('password', {
          text: 'File whose only line is the password or access token. Read again at every use.',
          example: '/run/secrets/registry',
        }),
      ),
      passwordEnv: z.exactOptional(
        parsed(
          'variable',
          {
            text: 'Environment variable that holds the password, instead of passwordFile.',
            example: 'REGISTRY_PASSWORD',
            pattern: '^[A-Za-z_][A-Za-z0-9_]*$',
          },
          (name) =>
            /^[A-Za-z_][A-Za-z0-9_]{0,254}$/.test(name)
              ? { ok: true, value: name }
              : {
                  ok: false,
                  problem: 'is not the name of an environment variable',
                  fix: 'write the name without $, as in REGISTRY_PASSWORD',
                },
        ),
      ),
    })
    .meta({ description: text, ...exactlyOneOf(['passwordFile', 'passwordEnv']) });
}
