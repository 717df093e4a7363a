import { z } from 'zod';
import { parseCallerPattern } from '../policy/callers.ts';
import { parsePattern } from './patterns.ts';
import { type ClientsEntry, clientsSchema } from './schema-clients.ts';
import { type CollectionEntry, collectionSchema } from './schema-collections.ts';
import { duration, flag, parsed, size } from './schema-leaves.ts';
import { EXAMPLE_MEMBER, NOT_YET_MEMBER, TYPE_MEMBER } from './schema-members.ts';
import { adminSchema, type ListenerEntry, listenerSchema } from './schema-network.ts';
import { exactlyOneOf } from './schema-parts.ts';
import { type TrustEntry, trustSchema } from './schema-trust.ts';
import { type UpstreamEntry, upstreamSchema } from './schema-upstream.ts';
import { type HostPort, parseHostName } from './values.ts';

/** A policy rule as written; it has either `trust` or `allowUnverified` with `reason`. */
export interface RuleEntry {
  readonly match: string;
  readonly trust?: string;
  readonly signers?: readonly string[];
  readonly allowUnverified?: true;
  readonly reason?: string;
  readonly clients?: readonly string[];
}

/** How much is logged, from least to most. */
export type LogLevel = 'error' | 'warn' | 'info' | 'debug';

/** A configuration file whose every key is of the right form, its defaults filled in. */
export interface ConfigFile {
  readonly data: string;
  readonly listeners: Readonly<Record<string, ListenerEntry>>;
  readonly clients: Readonly<Record<string, ClientsEntry>>;
  readonly admin: { readonly address: HostPort };
  readonly upstreams: Readonly<Record<string, UpstreamEntry>>;
  readonly trust: Readonly<Record<string, TrustEntry>>;
  readonly collections: Readonly<Record<string, CollectionEntry>>;
  readonly policy: readonly RuleEntry[];
  readonly state: { readonly kind: 'sqlite' };
  /** Bytes. */
  readonly cache: { readonly maxBytes: number; readonly maxManifestBytes: number };
  readonly log: { readonly level: LogLevel };
  readonly limits: { readonly manifestBytes: number; readonly drainTimeout: number };
  readonly canaries: boolean;
}

const NAME = /^[a-z0-9][a-z0-9-]{0,62}$/;
const NAME_PROBLEM = 'is not a name (lower-case letters, digits and dashes, at most 63)';
const SIGNER = /^[^\s\p{C}]{1,200}$/u;

const nameSchema = z.string().regex(NAME, NAME_PROBLEM);

const ruleSchema: z.ZodType<RuleEntry> = z
  .strictObject({
    match: parsed(
      'pattern',
      {
        text: 'Repositories the rule is for: host and path, * within one part of the path, ** for any number of parts. The most specific pattern applies.',
        example: 'registry.example.com/team/**',
      },
      parsePattern,
    ),
    trust: z.exactOptional(
      z.string().meta({
        description: 'Trust source that says what tags mean.',
        [EXAMPLE_MEMBER]: 'corp',
      }),
    ),
    signers: z.exactOptional(
      z
        .array(
          parsed('signer', { text: 'Signer.' }, (text) =>
            SIGNER.test(text)
              ? { ok: true, value: text }
              : {
                  ok: false,
                  problem: 'is not the name of a signer',
                  fix: 'write the name as in docker trust signer add, or that of a delegated role',
                },
          ),
        )
        .min(1, 'is an empty list')
        .meta({
          description:
            'Signers that must each have signed the very same digest: names as in docker trust signer add, or for tuf those of delegated roles.',
          [EXAMPLE_MEMBER]: ['alice', 'bob'],
        }),
    ),
    allowUnverified: z.exactOptional(
      z.literal(true).meta({
        description: 'Relay these repositories without any verification, instead of trust.',
      }),
    ),
    reason: z.exactOptional(
      z
        .string()
        .regex(/\S/, 'is empty')
        .max(500, 'is longer than 500 characters')
        .meta({
          description: 'Why that is acceptable; shown in the status page.',
          [EXAMPLE_MEMBER]: 'throw-away builds',
        }),
    ),
    clients: z.exactOptional(
      z
        .array(
          parsed('caller', { text: 'Caller.' }, (text) =>
            parseCallerPattern(text) === undefined
              ? {
                  ok: false,
                  problem: 'names no caller',
                  fix: 'write CLIENTS/NAME, CLIENTS/@GROUP or CLIENTS/*, with the name of an entry under clients in front',
                }
              : { ok: true, value: text },
          ),
        )
        .min(1, 'is an empty list')
        .meta({
          description:
            'Who may pull these repositories; without it, whoever the listener lets in. CLIENTS/NAME is one caller, CLIENTS/@GROUP a group, CLIENTS/* everyone whom that entry of clients knows.',
          [EXAMPLE_MEMBER]: ['staff/alice', 'nodes/*'],
        }),
    ),
  })
  .meta({
    description: 'One rule.',
    ...exactlyOneOf(['trust', 'allowUnverified']),
    dependentRequired: {
      allowUnverified: ['reason'],
      signers: ['trust'],
      reason: ['allowUnverified'],
    },
  });

const stateSchema = z
  .strictObject({
    kind: z
      .enum(['sqlite'])
      .prefault('sqlite')
      .meta({
        description: 'Where trust state is kept: sqlite is a database in the data folder.',
        [NOT_YET_MEMBER]: {
          postgres: 'this version has no state of kind postgres yet, only sqlite',
        },
      }),
  })
  .prefault({})
  .meta({ description: 'Durable trust state.' });

const cacheSchema = z
  .strictObject({
    maxBytes: size({
      text: 'Most bytes of content kept on disk; beyond it, what was not used for longest goes.',
      min: 0,
      max: 2 ** 50,
    }).prefault('50GiB'),
    maxManifestBytes: size({
      text: 'Most bytes of verified manifests kept in memory, all together.',
      min: 2 ** 20,
      max: 2 ** 34,
    }).prefault('64MiB'),
  })
  .prefault({})
  .meta({ description: 'Verified content kept for reuse, in the data folder.' });

const limitsSchema = z
  .strictObject({
    manifestBytes: size({
      text: 'Largest single manifest accepted from an upstream.',
      min: 2 ** 10,
      max: 2 ** 26,
    }).prefault('4MiB'),
    drainTimeout: duration({
      text: 'How long running replies may take to finish after SIGTERM.',
      min: 0,
      max: 3_600_000,
    }).prefault('30s'),
  })
  .prefault({})
  .meta({ description: 'Limits that rarely need to be changed.' });

/**
 * The form of the configuration file: every key with its type, unit, range, default and text. What depends on more than
 * one key is checked by `loadConfig`.
 */
export const configSchema: z.ZodType<ConfigFile> = z
  .strictObject({
    data: z
      .string()
      .min(1, 'is empty')
      .meta({
        description: 'Folder for trust state and cached content; it has to survive restarts.',
        [TYPE_MEMBER]: 'folder',
        [EXAMPLE_MEMBER]: '/var/lib/pinnace',
      }),
    listeners: z
      .record(nameSchema, listenerSchema)
      .refine((entries) => Object.keys(entries).length > 0, 'has no listener')
      .meta({ description: 'Where engines connect, by a name of your choice.' }),
    clients: z.record(nameSchema, clientsSchema).prefault({}).meta({
      description: 'How listeners find out who is asking, by a name of your choice.',
    }),
    admin: adminSchema.prefault({}),
    upstreams: z
      .record(parsed('registry host', { text: 'Registry.' }, parseHostName), upstreamSchema)
      .prefault({})
      .meta({
        description:
          'Registries to fetch from, by the host that image names have (docker.io for Docker Hub).',
      }),
    trust: z
      .record(nameSchema, trustSchema)
      .prefault({})
      .meta({ description: 'Who says what tags mean, by a name of your choice.' }),
    collections: z.record(nameSchema, collectionSchema).prefault({}).meta({
      description:
        "The site's own collections whose timestamp and snapshot Pinnace renews, by a name of your choice.",
    }),
    policy: z.array(ruleSchema).prefault([]).meta({
      description: 'What is demanded of which repositories. What no rule is for is refused.',
    }),
    state: stateSchema,
    cache: cacheSchema,
    log: z
      .strictObject({
        level: z.enum(['error', 'warn', 'info', 'debug']).prefault('info').meta({
          description: 'How much is logged.',
        }),
      })
      .prefault({})
      .meta({ description: 'Log lines, as JSON on standard output.' }),
    limits: limitsSchema,
    canaries: flag({
      text: 'Answer the canaries of pinnace doctor: the names pinnace-canary/signed, /unsigned and /tampered of every registry.',
    }).prefault(true),
  })
  .meta({ title: 'Pinnace configuration' });
