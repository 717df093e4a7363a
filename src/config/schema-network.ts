import { z } from 'zod';
import { duration, file, parsed } from './schema-leaves.ts';
import {
  type CredentialsEntry,
  credentialsSchema,
  type KeyPairEntry,
  keyPairSchema,
} from './schema-parts.ts';
import {
  type HostPort,
  parseAddress,
  parseHostName,
  parseOwnHost,
  parseServerUrl,
} from './values.ts';

/** What engines get when something is refused: an HTTP error, or an answer that ends the pull for good. */
export type RefusalForm = 'deny' | 'hard-stop';

/** A listener as written, its defaults filled in. */
export interface ListenerEntry {
  readonly address: HostPort;
  readonly tls?: KeyPairEntry;
  readonly defaultRegistry?: string;
  readonly hosts: Readonly<Record<string, string>>;
  readonly refusal: RefusalForm;
}

/** An upstream as written, its defaults filled in. */
export interface UpstreamEntry {
  readonly url: URL;
  readonly credentials?: CredentialsEntry;
  readonly ca?: string;
  readonly clientCert?: KeyPairEntry;
  readonly proxy?: URL;
  /** Milliseconds. */
  readonly timeouts: { readonly connect: number; readonly headers: number; readonly idle: number };
}

const HOUR = 3_600_000;

/** One listener for engines. */
export const listenerSchema: z.ZodType<ListenerEntry> = z
  .strictObject({
    address: parsed(
      'host:port',
      { text: 'Address and port to listen on.', example: '0.0.0.0:5000' },
      parseAddress,
    ),
    tls: z.exactOptional(
      keyPairSchema(
        'Speak TLS with this certificate; without it the listener speaks plain HTTP.',
        '/etc/pinnace/tls',
      ),
    ),
    defaultRegistry: z.exactOptional(
      parsed(
        'registry host',
        {
          text: 'Registry meant when a request names none, for engines that use this listener as a mirror.',
          example: 'docker.io',
        },
        parseHostName,
      ),
    ),
    hosts: z
      .record(
        parsed('host', { text: 'Host.' }, parseOwnHost),
        parsed(
          'registry host',
          {
            text: 'Registry that requests sent to this host name are for, whatever port they state; a name with a port is for requests that state it.',
            example: 'docker.io',
          },
          parseHostName,
        ),
      )
      .prefault({})
      .meta({
        description:
          'Names of this listener, each of which stands for one registry. Other names mean what they mean without this.',
      }),
    refusal: z.enum(['deny', 'hard-stop']).prefault('deny').meta({
      description:
        'How a refusal is said: deny is an HTTP error; hard-stop is an answer that also stops an engine which would then ask the registry itself. Use hard-stop for listeners that engines use as a mirror.',
    }),
  })
  .meta({ description: 'One listener for engines.' });

/** The listener for metrics, health and status. */
export const adminSchema: z.ZodType<{ readonly address: HostPort }> = z
  .strictObject({
    address: parsed(
      'host:port',
      {
        text: 'Address and port of the admin listener. It asks for no login: keep it where only operators reach it.',
      },
      parseAddress,
    ).prefault('127.0.0.1:9090'),
  })
  .meta({ description: 'Metrics, health, status page and the refresh call.' });

/** One registry that Pinnace fetches from. */
export const upstreamSchema: z.ZodType<UpstreamEntry> = z
  .strictObject({
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
    timeouts: z
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
      .meta({ description: 'Time limits of one request.' }),
  })
  .meta({ description: 'One registry that Pinnace fetches from.' });
