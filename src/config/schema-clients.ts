import { z } from 'zod';
import { TOKEN_ALGORITHMS, type TokenAlgorithm } from '../auth/key-set.ts';
import { duration, file, parsed } from './schema-leaves.ts';
import { EXAMPLE_MEMBER } from './schema-members.ts';
import { exactlyOneOf } from './schema-parts.ts';
import { parseServerUrl } from './values.ts';

/** Which part of a certificate is the caller's name. */
export type CertificateNameForm = 'common-name' | 'dns-name' | 'uri';

/** What tokens have to be, as written, the defaults filled in. */
export interface TokenCheckEntry {
  readonly audience?: string;
  readonly jwks?: string;
  readonly jwksUrl?: URL;
  readonly ca?: string;
  readonly algorithms: readonly TokenAlgorithm[];
  /** Milliseconds. */
  readonly clockSkew: number;
}

/** An OpenID provider whose ID tokens are taken for passwords, as written. */
export interface OidcEntry extends TokenCheckEntry {
  readonly issuer: string;
  readonly audience: string;
  readonly usernameClaim: string;
  readonly groupsClaim?: string;
}

/** An entry of `clients` as written, its defaults filled in. */
export interface ClientsEntry extends TokenCheckEntry {
  readonly kind: 'basic' | 'mtls' | 'token' | 'token-endpoint';
  readonly htpasswd?: string;
  readonly clientCa?: string;
  readonly nameFrom: CertificateNameForm;
  readonly realm?: URL;
  readonly service?: string;
  readonly issuer?: string;
  readonly oidc?: OidcEntry;
  /** Milliseconds. */
  readonly lifetime: number;
  readonly refreshLifetime?: number;
}

const TOKEN_CHECK_KEYS = ['audience', 'jwks', 'jwksUrl', 'ca', 'algorithms', 'clockSkew'];

/** The keys that each kind needs and may have, beside `kind`. */
export const CLIENT_KEYS: Readonly<
  Record<
    ClientsEntry['kind'],
    { readonly needs: readonly string[]; readonly may: readonly string[] }
  >
> = {
  basic: { needs: ['htpasswd'], may: [] },
  mtls: { needs: ['clientCa'], may: ['nameFrom'] },
  token: { needs: ['realm', 'service', 'issuer'], may: TOKEN_CHECK_KEYS },
  'token-endpoint': {
    needs: ['service'],
    may: ['realm', 'htpasswd', 'oidc', 'lifetime', 'refreshLifetime'],
  },
};

const MINUTE = 60_000;
const DAY = 86_400_000;

/** Names of services, issuers and claims travel in headers and tokens: printable ASCII without quotes. */
function plainName(text: string, example: string): z.ZodType<string> {
  return z
    .string()
    .regex(
      /^[\x21\x23-\x5b\x5d-\x7e]{1,255}$/,
      'is not a name (1 to 255 characters of ASCII, no blanks or quotes)',
    )
    .meta({ description: text, [EXAMPLE_MEMBER]: example });
}

function serverUrl(text: string, example: string): z.ZodType<URL, string> {
  return parsed('URL', { text, example }, parseServerUrl);
}

const tokenCheck = {
  jwks: z.exactOptional(
    file('key-set', {
      text: 'File with the public keys that tokens are signed with, as a JSON Web Key Set.',
      example: '/etc/pinnace/jwks.json',
    }),
  ),
  jwksUrl: z.exactOptional(
    serverUrl(
      'URL of that key set instead of a file. It is asked for anew every five minutes, and when a token names another key.',
      'https://auth.example.com/jwks.json',
    ),
  ),
  ca: z.exactOptional(
    file('certificates', {
      text: 'CA certificates in PEM that the server of jwksUrl may be verified against, beside the ones of the system.',
      example: '/etc/pinnace/corp-ca.pem',
    }),
  ),
  algorithms: z
    .array(z.enum(TOKEN_ALGORITHMS).meta({ description: 'Algorithm.' }))
    .min(1, 'is an empty list')
    .prefault(['RS256', 'ES256'])
    .meta({ description: 'Signature algorithms that are accepted.' }),
  clockSkew: duration({
    text: 'How far the clocks of Pinnace and of the token service may be apart.',
    min: 0,
    max: 5 * MINUTE,
  }).prefault('30s'),
};

const oidcSchema: z.ZodType<OidcEntry> = z
  .strictObject({
    issuer: plainName('Issuer of the ID tokens (iss).', 'https://login.example.com'),
    audience: plainName('Client that the ID tokens have to be for (aud).', 'pinnace'),
    ...tokenCheck,
    usernameClaim: plainName(
      'Claim that names the caller. Take one that people cannot choose for themselves.',
      'sub',
    ).prefault('sub'),
    groupsClaim: z.exactOptional(plainName('Claim that holds the groups of the caller.', 'groups')),
  })
  .meta({
    description: 'OpenID provider whose ID tokens are taken for passwords, instead of htpasswd.',
    ...exactlyOneOf(['jwks', 'jwksUrl']),
  });

/** One way of finding out who is asking. */
export const clientsSchema: z.ZodType<ClientsEntry> = z
  .strictObject({
    kind: z.enum(['basic', 'mtls', 'token', 'token-endpoint']).meta({
      description:
        'basic asks for a user name and a password of an htpasswd file; mtls takes the name from a client certificate; token wants a token of an existing token service; token-endpoint gives out tokens itself, at /token of the listener.',
    }),
    htpasswd: z.exactOptional(
      file('htpasswd', {
        text: 'Users with bcrypt hashes, as htpasswd -B writes them.',
        example: '/etc/pinnace/htpasswd',
      }),
    ),
    clientCa: z.exactOptional(
      file('certificates', {
        text: 'CA certificates in PEM that client certificates must chain to.',
        example: '/etc/pinnace/clients-ca.pem',
      }),
    ),
    nameFrom: z.enum(['common-name', 'dns-name', 'uri']).prefault('common-name').meta({
      description:
        'Which part of the certificate is the name: the common name of its subject, or its only DNS name or URI. Organizational units of the subject are its groups.',
    }),
    realm: z.exactOptional(
      serverUrl(
        'Where engines get tokens. For token-endpoint only when something before Pinnace speaks TLS; else it is /token at the host that the engine asked.',
        'https://auth.example.com/token',
      ),
    ),
    service: z.exactOptional(
      plainName('Name of this service towards the token service.', 'pinnace.example.com'),
    ),
    issuer: z.exactOptional(plainName('Issuer of the tokens (iss).', 'auth.example.com')),
    audience: z.exactOptional(
      plainName(
        'What the tokens have to be for (aud); without it, service.',
        'pinnace.example.com',
      ),
    ),
    ...tokenCheck,
    oidc: z.exactOptional(oidcSchema),
    lifetime: duration({
      text: 'How long a token of the token endpoint is good.',
      min: MINUTE,
      max: DAY,
    }).prefault('5m'),
    refreshLifetime: z.exactOptional(
      duration({
        text: 'Give engines that ask for it a token in place of the password, good for this long; without it they keep the password.',
        example: '30d',
        min: MINUTE,
        max: 365 * DAY,
      }),
    ),
  })
  .meta({ description: 'One way of finding out who is asking.', allOf: dependingOnKind() });

/** Says in the words of JSON Schema which keys go with which kind. */
function dependingOnKind(): readonly object[] {
  const all = new Set(Object.values(CLIENT_KEYS).flatMap(({ needs, may }) => [...needs, ...may]));
  return Object.entries(CLIENT_KEYS).map(([kind, { needs, may }]) => {
    const foreign = [...all].filter((key) => !needs.includes(key) && !may.includes(key));
    return {
      if: { properties: { kind: { const: kind } } },
      // biome-ignore lint/suspicious/noThenProperty: a keyword of JSON Schema, never awaited
      then: {
        required: needs,
        properties: Object.fromEntries(foreign.map((key) => [key, false])),
      },
    };
  });
}
