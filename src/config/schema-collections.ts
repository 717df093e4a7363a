import { z } from 'zod';
import { type CredentialsEntry, credentialsSchema } from './schema-credentials.ts';
import { file, parsed } from './schema-leaves.ts';
import { EXAMPLE_MEMBER, TYPE_MEMBER } from './schema-members.ts';
import { parseTrustUrl, type TrustLocation } from './trust-url.ts';

/** A place to publish to, as written. */
export interface PlaceEntry {
  readonly url: TrustLocation;
  readonly ca?: string;
  readonly credentials?: CredentialsEntry;
}

/** A collection of the site's own as written, its defaults filled in. */
export interface CollectionEntry {
  readonly dir: string;
  readonly keys: readonly string[];
  readonly passphraseFile?: string;
  readonly publish: readonly PlaceEntry[];
}

const placeSchema: z.ZodType<PlaceEntry> = z
  .strictObject({
    url: parsed(
      'URL',
      {
        text: 'Where clients read it: file:///folder, the https URL that its files are below (written with PUT), or oci://registry/repository:tag for an artifact in one of the upstreams.',
        example: 'file:///srv/www/vetted',
      },
      parseTrustUrl,
    ),
    ca: z.exactOptional(
      file('certificates', {
        text: 'CA certificates in PEM that the server may be verified against, beside the ones of the system.',
        example: '/etc/pinnace/corp-ca.pem',
      }),
    ),
    credentials: z.exactOptional(
      credentialsSchema(
        'Who Pinnace logs in as to write there; an artifact uses those of its upstream.',
      ),
    ),
  })
  .meta({ description: 'One place to publish to.' });

/** A collection of the site's own that Pinnace keeps current. */
export const collectionSchema: z.ZodType<CollectionEntry> = z
  .strictObject({
    dir: z
      .string()
      .min(1, 'is empty')
      .meta({
        description:
          'Folder of the collection, as pinnace collection init made it; Pinnace writes to it.',
        [TYPE_MEMBER]: 'folder',
        [EXAMPLE_MEMBER]: '/srv/vetted',
      }),
    keys: z
      .array(
        z
          .string()
          .min(1, 'is empty')
          .meta({ description: 'Key file or folder of them.', [TYPE_MEMBER]: 'file' }),
      )
      .prefault([])
      .meta({
        description:
          "Key files of snapshot and timestamp, or folders of them, where they are not in the collection's own folder keys.",
        [EXAMPLE_MEMBER]: ['/etc/pinnace/vetted-keys'],
      }),
    passphraseFile: z.exactOptional(
      file('password', {
        text: 'File whose only line is the passphrase of these keys, if they have one. Read again at every use.',
        example: '/run/secrets/vetted',
      }),
    ),
    publish: z.array(placeSchema).prefault([]).meta({
      description: 'Where each new state is published.',
    }),
  })
  .meta({ description: "One collection of the site's own." });
