import { z } from 'zod';
import { type ClientsEntry, clientsSchema } from './schema-clients.ts';
import { type CollectionEntry, collectionSchema } from './schema-collections.ts';
import { flag, parsed, size } from './schema-leaves.ts';
import { type LimitsEntry, limitsSchema } from './schema-limits.ts';
import { EXAMPLE_MEMBER, NOT_YET_MEMBER, TYPE_MEMBER } from './schema-members.ts';
import { adminSchema, type ListenerEntry, listenerSchema } from './schema-network.ts';
import {
  type BreakGlassItem,
  breakGlassSchema,
  type DenyEntry,
  denySchema,
  type RuleEntry,
  ruleSchema,
} from './schema-policy.ts';
import { type TrustEntry, trustSchema } from './schema-trust.ts';
import { type UpstreamEntry, upstreamSchema } from './schema-upstream.ts';
import { type HostPort, parseHostName } from './values.ts';

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
  readonly deny: DenyEntry;
  readonly breakGlass: readonly BreakGlassItem[];
  readonly state: { readonly kind: 'sqlite' };
  /** Bytes. */
  readonly cache: { readonly maxBytes: number; readonly maxManifestBytes: number };
  readonly log: { readonly level: LogLevel };
  readonly limits: LimitsEntry;
  readonly canaries: boolean;
  readonly workers: number | 'auto';
}

const NAME = /^[a-z0-9][a-z0-9-]{0,62}$/;
const NAME_PROBLEM = 'is not a name (lower-case letters, digits and dashes, at most 63)';

/** More than the cores of any machine that is worth it. */
const MAX_WORKERS = 256;
const WORKERS_PROBLEM = `is neither auto nor a whole number from 1 to ${MAX_WORKERS}`;

const nameSchema = z.string().regex(NAME, NAME_PROBLEM);

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
    deny: denySchema(
      'What is never served, whatever rule is for it: also what allowUnverified relays, and what audit or breakGlass would let through.',
    ).prefault({}),
    breakGlass: z.array(breakGlassSchema).prefault([]).meta({
      description:
        'Exceptions for single images, each with a name, a reason and an end; they lift refusals, but no deny list.',
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
    limits: limitsSchema.prefault({}),
    workers: z
      .union([z.literal('auto'), z.int().min(1).max(MAX_WORKERS)], WORKERS_PROBLEM)
      .prefault(1)
      .meta({
        description:
          'Processes that serve engines: 1 is one process that does everything, more share the connections, auto is one for each core.',
      }),
    canaries: flag({
      text: 'Answer the canaries of pinnace doctor: the names pinnace-canary/signed, /unsigned and /tampered of every registry.',
    }).prefault(true),
  })
  .meta({ title: 'Pinnace configuration' });
