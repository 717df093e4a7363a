import { z } from 'zod';
import { type Platform, parsePlatform } from '../oci/platform.ts';
import { duration, flag, parsed } from './schema-leaves.ts';
import { EXAMPLE_MEMBER } from './schema-members.ts';
import { type KeyPairEntry, keyPairSchema } from './schema-parts.ts';
import { type HostPort, parseAddress, parseHostName, parseOwnHost } from './values.ts';

/** What engines get when something is refused: an HTTP error, or an answer that ends the pull for good. */
export type RefusalForm = 'deny' | 'hard-stop';

/** A listener as written, its defaults filled in. */
export interface ListenerEntry {
  readonly address: HostPort;
  readonly tls?: KeyPairEntry;
  readonly defaultRegistry?: string;
  readonly hosts: Readonly<Record<string, string>>;
  readonly refusal: RefusalForm;
  readonly completeFirst: boolean;
  readonly completePlatforms: readonly Platform[];
  /** Milliseconds. */
  readonly completeWithin: number;
  readonly clients?: string;
  readonly allowPlaintextLogin: boolean;
}

const SECOND = 1_000;
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
    completeFirst: flag({
      text: 'Answer a tag only when the whole image has been fetched, verified and stored, so that altered or missing content is a refusal of the tag. Makes first pulls slower.',
    }).prefault(false),
    completePlatforms: z
      .array(
        parsed('platform', { text: 'Platform.' }, (text) => {
          const platform = parsePlatform(text);
          return platform === undefined
            ? { ok: false, problem: 'is not a platform', fix: 'write it as in linux/amd64' }
            : { ok: true, value: platform };
        }),
      )
      .prefault([])
      .meta({
        description:
          'With completeFirst: the platforms of an image that are fetched; an empty list means all. Engines of other platforms are not protected.',
        [EXAMPLE_MEMBER]: ['linux/amd64'],
      }),
    completeWithin: duration({
      text: 'With completeFirst: how long a pull waits for the rest of its image before the tag is refused; fetching goes on for the next try. containerd from 2.3 on waits for 30s.',
      min: SECOND,
      max: HOUR,
    }).prefault('25s'),
    clients: z.exactOptional(
      z.string().meta({
        description: 'Entry of clients that says who is asking; without it nobody is asked.',
        [EXAMPLE_MEMBER]: 'staff',
      }),
    ),
    allowPlaintextLogin: flag({
      text: 'Ask for logins without tls: only where something before Pinnace speaks TLS.',
    }).prefault(false),
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
