import { z } from 'zod';
import { isHelperName } from './docker-config.ts';
import { file, parsed } from './schema-leaves.ts';
import { EXAMPLE_MEMBER } from './schema-members.ts';

/** Who Pinnace logs in as, as written; exactly one of the `CREDENTIAL_FORMS` is given. */
export interface CredentialsEntry {
  readonly username?: string;
  readonly passwordFile?: string;
  readonly passwordEnv?: string;
  readonly dockerConfig?: string;
  readonly helper?: string;
  readonly tokenFile?: string;
  readonly refreshTokenFile?: string;
}

/** The keys of which a login has exactly one; the first two go with `username`. */
export const CREDENTIAL_FORMS = [
  'passwordFile',
  'passwordEnv',
  'dockerConfig',
  'helper',
  'tokenFile',
  'refreshTokenFile',
] as const;

/** Whether a form of login is a password, which a user name goes with. */
export function needsUsername(form: (typeof CREDENTIAL_FORMS)[number]): boolean {
  return form === 'passwordFile' || form === 'passwordEnv';
}

/** The login for a server; a secret itself never stands in the configuration. */
export function credentialsSchema(text: string): z.ZodType<CredentialsEntry> {
  return z
    .strictObject({
      username: z.exactOptional(
        z
          .string()
          .min(1, 'is empty')
          .max(255, 'is longer than 255 characters')
          .refine((name) => !name.includes(':'), 'has a colon, which HTTP does not allow')
          .meta({
            description: 'User name, with passwordFile or passwordEnv.',
            [EXAMPLE_MEMBER]: 'ci',
          }),
      ),
      passwordFile: z.exactOptional(
        file('password', {
          text: 'File whose only line is the password or access token. Read again at every use.',
          example: '/run/secrets/registry',
        }),
      ),
      passwordEnv: z.exactOptional(passwordVariable()),
      dockerConfig: z.exactOptional(
        file('docker-config', {
          text: 'config.json of docker login (or auth.json of podman login), with the login stored in it or in the helpers that it names. Looked up by the host of url, and read again at every use.',
          example: '/etc/pinnace/docker/config.json',
        }),
      ),
      helper: z.exactOptional(helperName()),
      tokenFile: z.exactOptional(
        file('token', {
          text: 'File whose only line is an access token that is sent as it is. Read again at every use.',
          example: '/run/secrets/registry-token',
        }),
      ),
      refreshTokenFile: z.exactOptional(
        file('token', {
          text: 'File whose only line is a refresh token (identity token), which the token service exchanges for access tokens. Read again at every use.',
          example: '/run/secrets/registry-identity',
        }),
      ),
    })
    .meta({ description: text, oneOf: CREDENTIAL_FORMS.map(required) });
}

function required(form: (typeof CREDENTIAL_FORMS)[number]): object {
  const withName = { required: ['username', form] };
  return needsUsername(form) ? withName : { required: [form], not: { required: ['username'] } };
}

function passwordVariable(): z.ZodType<string, string> {
  return parsed(
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
  );
}

function helperName(): z.ZodType<string, string> {
  return parsed(
    'helper',
    {
      text: 'Credential helper that has the login: ecr-login stands for the program docker-credential-ecr-login on the PATH of Pinnace.',
      example: 'ecr-login',
      pattern: '^[A-Za-z0-9._-]+$',
    },
    (name) =>
      isHelperName(name)
        ? { ok: true, value: name }
        : {
            ok: false,
            problem: 'is not the bare name of a credential helper',
            fix: 'write what follows docker-credential-, as in ecr-login; no path and no arguments',
          },
  );
}
