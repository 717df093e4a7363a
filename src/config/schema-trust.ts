import { z } from 'zod';
import { parsePattern } from './patterns.ts';
import { type CredentialsEntry, credentialsSchema } from './schema-credentials.ts';
import { duration, file, flag, parsed } from './schema-leaves.ts';
import { EXAMPLE_MEMBER } from './schema-members.ts';
import { exactlyOneOf } from './schema-parts.ts';
import { parseTargetTemplate, type TargetTemplate } from './target-template.ts';
import { parseTrustUrl, type TrustLocation } from './trust-url.ts';
import { parseHostName } from './values.ts';

/** An anchor as written; exactly one of the members beside `gun` is given. */
export interface AnchorEntry {
  readonly gun: string;
  readonly rootKeys?: readonly string[];
  readonly rootCertificates?: readonly string[];
  readonly ca?: string;
  readonly trustOnFirstUse?: true;
}

/** A trust source as written, its defaults filled in; durations in milliseconds. */
export interface TrustEntry {
  readonly kind: 'notary' | 'tuf';
  readonly url: TrustLocation;
  readonly ca?: string;
  readonly credentials?: CredentialsEntry;
  readonly realmHosts: readonly string[];
  readonly root?: string;
  readonly target: TargetTemplate;
  readonly anchors: readonly AnchorEntry[];
  readonly trustOnFirstUse: boolean;
  readonly maxAge: number;
  readonly outageGrace: number;
  readonly clockSkew: number;
  readonly rsaPkcs1v15: boolean;
  readonly p224: boolean;
  readonly codeSigningChains: boolean;
}

/** The members of an anchor of which exactly one is written. */
export const ANCHOR_FORMS = ['rootKeys', 'rootCertificates', 'ca', 'trustOnFirstUse'] as const;

/** Keys that have no meaning in a trust source of this kind. */
export const FOREIGN_KEYS: Readonly<Record<TrustEntry['kind'], readonly string[]>> = {
  notary: ['root', 'target'],
  tuf: ['anchors', 'trustOnFirstUse', 'rsaPkcs1v15', 'p224', 'codeSigningChains'],
};

const DAY = 86_400_000;

const anchorSchema: z.ZodType<AnchorEntry> = z
  .strictObject({
    gun: parsed(
      'pattern',
      {
        text: 'Collections this anchor is for. The most specific pattern applies.',
        example: 'registry.example.com/**',
      },
      parsePattern,
    ),
    rootKeys: z.exactOptional(
      z
        .array(
          parsed('key id', { text: 'Key id.', pattern: '^[0-9a-f]{64}$' }, (text) =>
            /^[0-9a-f]{64}$/.test(text)
              ? { ok: true, value: text }
              : {
                  ok: false,
                  problem: 'is not a key id',
                  fix: 'write the 64 lower-case hex digits in quotes',
                },
          ),
        )
        .min(1, 'is an empty list')
        .meta({
          description:
            'TUF key ids of root keys: the id of a root certificate (as the notary tools show it), or of the bare key in it, which outlives a reissued certificate.',
          [EXAMPLE_MEMBER]: ['a2489bcac7a79aa67b19b96c4a3bf0c675ffdf00c6d2fabe1a5df1115e80adce'],
        }),
    ),
    rootCertificates: z.exactOptional(
      z
        .array(file('certificates', { text: 'Root certificate in PEM.' }))
        .min(1, 'is an empty list')
        .meta({
          description: 'Files with the root certificates themselves, in PEM.',
          [EXAMPLE_MEMBER]: ['/etc/pinnace/team-root.pem'],
        }),
    ),
    ca: z.exactOptional(
      file('certificates', {
        text: 'CA certificates in PEM that root certificates must chain to.',
        example: '/etc/pinnace/signing-ca.pem',
      }),
    ),
    trustOnFirstUse: z.exactOptional(
      z.literal(true).meta({
        description:
          'Believe the first root seen for these collections and keep to it. Whoever controls the network or the trust server at that moment chooses the keys.',
      }),
    ),
  })
  .meta({
    description: 'Which root keys are believed for some collections.',
    ...exactlyOneOf(ANCHOR_FORMS),
  });

/** One source of trust: a Notary server and the roots believed. */
export const trustSchema: z.ZodType<TrustEntry> = z
  .strictObject({
    kind: z.enum(['notary', 'tuf']).meta({
      description:
        'Kind of source: notary is a Notary v1 server (Docker Content Trust), tuf is a TUF 1.0 repository.',
    }),
    url: parsed(
      'URL',
      {
        text: 'Where the metadata is. For notary the server, without /v2/; for tuf the URL that its files are below, or file:///folder, or oci://registry/repository:tag for an artifact in one of the upstreams. A server has to be https unless it is on this machine.',
        example: 'https://notary.example.com',
      },
      parseTrustUrl,
    ),
    root: z.exactOptional(
      file('tuf-root', {
        text: 'Root of the TUF repository from which trust begins; later roots are followed from it. Required for tuf.',
        example: '/etc/pinnace/vetted-root.json',
      }),
    ),
    target: parsed(
      'template',
      {
        text: 'For tuf: the name of the target that an image is, with {tag} and mostly {registry} and {repository} in it.',
      },
      parseTargetTemplate,
    ).prefault('{registry}/{repository}:{tag}'),
    ca: z.exactOptional(
      file('certificates', {
        text: 'CA certificates in PEM that the server may be verified against, beside the ones of the system.',
        example: '/etc/pinnace/corp-ca.pem',
      }),
    ),
    credentials: z.exactOptional(
      credentialsSchema('Who Pinnace logs in as; without it, requests are anonymous.'),
    ),
    realmHosts: z
      .array(
        parsed(
          'host',
          { text: 'Host name, with its port if it is not the usual one.' },
          parseHostName,
        ),
      )
      .prefault([])
      .meta({
        description:
          'Hosts of token services, beside the server itself, that may be sent the credentials when the server names them.',
        [EXAMPLE_MEMBER]: ['auth.example.com'],
      }),
    anchors: z.array(anchorSchema).prefault([]).meta({
      description: 'Which root keys are believed, by collection (GUN).',
    }),
    trustOnFirstUse: flag({
      text: 'Believe the first root seen for every collection that no anchor is for.',
    }).prefault(false),
    maxAge: duration({
      text: 'How long an answer is served before the server is asked again whether it is still current; 0s asks at every pull.',
      min: 0,
      max: 7 * DAY,
    }).prefault('60s'),
    outageGrace: duration({
      text: 'How long beyond maxAge verified answers are still served while the server cannot be reached, never past a signed expiry; 0s refuses at once.',
      min: 0,
      max: 14 * DAY,
    }).prefault('1h'),
    clockSkew: duration({
      text: 'How long after its expiry a timestamp is still accepted, for a clock that runs ahead of the server. No other expiry is stretched.',
      min: 0,
      max: 60_000,
    }).prefault('0s'),
    rsaPkcs1v15: flag({
      text: 'Accept the older RSA PKCS#1 v1.5 signatures too.',
    }).prefault(false),
    p224: flag({
      text: 'Accept ECDSA keys on the curve P-224 too.',
    }).prefault(false),
    codeSigningChains: flag({
      text: 'For anchors by ca, accept root certificates that are marked for code signing only.',
    }).prefault(false),
  })
  .meta({
    description: 'One source of trust.',
    ...dependingOnKind(),
  });

/** Says in the words of JSON Schema which keys go with which kind. */
function dependingOnKind(): Readonly<Record<string, unknown>> {
  const without = (kind: TrustEntry['kind']): object =>
    Object.fromEntries(FOREIGN_KEYS[kind].map((key) => [key, false]));
  return {
    if: { properties: { kind: { const: 'tuf' } } },
    // biome-ignore lint/suspicious/noThenProperty: a keyword of JSON Schema, never awaited
    then: { required: ['root'], properties: without('tuf') },
    else: { properties: without('notary') },
  };
}
