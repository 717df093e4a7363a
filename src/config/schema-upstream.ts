import { z } from 'zod';
import { type CredentialsEntry, credentialsSchema } from './schema-credentials.ts';
import { count, duration, file, parsed, size } from './schema-leaves.ts';
import { type KeyPairEntry, keyPairSchema } from './schema-parts.ts';
import { parseServerUrl } from './values.ts';

/** A server of an upstream as written. */
export interface ServerEntry {
  readonly url: URL;
  readonly credentials?: CredentialsEntry;
  readonly ca?: string;
  readonly clientCert?: KeyPairEntry;
  readonly proxy?: URL;
}

/** An upstream as written, its defaults filled in; durations in milliseconds. */
export interface UpstreamEntry extends ServerEntry {
  readonly fallbacks: readonly ServerEntry[];
  readonly timeouts: { readonly connect: number; readonly headers: number; readonly idle: number };
  readonly limits: {
    readonly connections: number;
    readonly requests: number;
    readonly queue: number;
    /** Bytes a second. */
    readonly minRate: number;
  };
  readonly breaker: { readonly failures: number; readonly open: number };
}

const HOUR = 3_600_000;
const MAX_REQUESTS = 100_000;
const MAX_FALLBACKS = 8;

const serverKeys = {
  url: parsed(
    'URL',
    { text: 'Server that holds the content.', example: 'https://registry.example.com' },
    parseServerUrl,
  ),
  credentials: z.exactOptional(
    credentialsSchema('Who Pinnace logs in as; without it, requests are anonymous.'),
  ),
  ca: z.exactOptional(
    file('certificates', {
      text: 'CA certificates in PEM that this server may be verified against, beside the ones of the system.',
      example: '/etc/pinnace/corp-ca.pem',
    }),
  ),
  clientCert: z.exactOptional(
    keyPairSchema('Certificate that Pinnace shows to this server.', '/etc/pinnace/client'),
  ),
  proxy: z.exactOptional(
    parsed(
      'URL',
      {
        text: 'HTTP proxy for this server; without it HTTPS_PROXY, HTTP_PROXY and NO_PROXY of the environment apply.',
        example: 'http://proxy.example.com:3128',
      },
      parseServerUrl,
    ),
  ),
};

const timeoutsSchema = z
  .strictObject({
    connect: duration({
      text: 'Longest wait for a connection, TLS included.',
      min: 1,
      max: HOUR,
    }).prefault('10s'),
    headers: duration({
      text: 'Longest wait from the request to the head of the answer.',
      min: 1,
      max: HOUR,
    }).prefault('30s'),
    idle: duration({
      text: 'Longest pause within a body.',
      min: 1,
      max: HOUR,
    }).prefault('30s'),
  })
  .prefault({})
  .meta({ description: 'Time limits of one request; for each fallback too.' });

const limitsSchema = z
  .strictObject({
    connections: count({
      text: 'Most connections at once to one host.',
      min: 1,
      max: MAX_REQUESTS,
    }).prefault(256),
    requests: count({
      text: 'Most requests under way at once, bodies included.',
      min: 1,
      max: MAX_REQUESTS,
    }).prefault(256),
    queue: count({
      text: 'Most requests that wait for one of those to end, at most 30 s; further ones are refused with upstream_busy.',
      min: 0,
      max: MAX_REQUESTS,
    }).prefault(1024),
    minRate: size({
      text: 'Bytes a second that a body has to bring while it is waited for, on average over a minute, before it is given up; 0B asks for none.',
      min: 0,
      max: 2 ** 30,
    }).prefault('4KiB'),
  })
  .prefault({})
  .meta({ description: 'How much is asked at once; for each fallback on its own.' });

const breakerSchema = z
  .strictObject({
    failures: count({
      text: 'Requests in a row that failed (no connection, no answer in time, status 5xx) after which the server is given a rest; 0: never.',
      min: 0,
      max: 1000,
    }).prefault(10),
    open: duration({
      text: 'How long the rest is, before one request may try.',
      min: 100,
      max: HOUR,
    }).prefault('15s'),
  })
  .prefault({})
  .meta({ description: 'When a server that fails is given a rest; for each fallback on its own.' });

/** One registry that Pinnace fetches from. */
export const upstreamSchema: z.ZodType<UpstreamEntry> = z
  .strictObject({
    ...serverKeys,
    fallbacks: z
      .array(
        z
          .strictObject(serverKeys)
          .meta({ description: 'A server with logins and certificates of its own.' }),
      )
      .max(MAX_FALLBACKS, `has more than ${MAX_FALLBACKS} servers`)
      .prefault([])
      .meta({
        description:
          'Servers that are asked, in this order, when the one before does not give content that a digest names. Never for what a tag means.',
      }),
    timeouts: timeoutsSchema,
    limits: limitsSchema,
    breaker: breakerSchema,
  })
  .meta({ description: 'One registry that Pinnace fetches from.' });
