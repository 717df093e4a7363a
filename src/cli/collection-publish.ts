import { readFile } from 'node:fs/promises';
import { collectionFolder } from '../app/collection-desk.ts';
import {
  openPublishTarget,
  type PublishOptions,
  parsePublishPlace,
  publishRepository,
} from '../app/publish-places.ts';
import { proxyEnvironment } from '../config/env.ts';
import { loadConfig } from '../config/load.ts';
import { type Beginning, concludeBeginning, openBeginning } from '../signing/beginning.ts';
import { openCollection, renew } from '../signing/collection.ts';
import { formatTime } from '../signing/documents.ts';
import { SigningError } from '../signing/errors.ts';
import { type CommandContext, openKeyRing, warnOfEndings } from './collection-change.ts';
import type { CollectionOptions } from './collection-io.ts';
import { beginsText, draftText, waitingText } from './collection-text.ts';
import { EXIT } from './exit-codes.ts';

/** How places to publish to are reached. */
export interface ReachOptions extends CollectionOptions {
  readonly config?: string;
  readonly user?: string;
  readonly passwordFile?: string;
  readonly ca?: string;
}

/** What `collection renew` works with. */
export interface RenewOptions extends ReachOptions {
  /** Where to publish afterwards. */
  readonly publish?: readonly string[];
}

/** Renews timestamp and snapshot with the online keys. @throws {SigningError} */
export async function renewCollection(context: CommandContext<RenewOptions>): Promise<number> {
  const { options, io } = context;
  const folder = collectionFolder(options.dir, io.clock);
  const beginning = await openBeginning(folder);
  if (beginning !== undefined) await begin(context, beginning);
  const open = await openCollection(folder);
  warnOfEndings(open, io);
  const { timestamp, snapshot } = open.repository.set;
  io.stdout.write(
    `About to sign timestamp version ${timestamp.body.version + 1}, and snapshot version ${snapshot.body.version + 1} if it is due, over what has been approved\n`,
  );
  const renewal = await renew(open, { ring: await openKeyRing(context), clock: io.clock });
  const { repository } = await openCollection(collectionFolder(options.dir, io.clock));
  const lines = [...repository.current.values()]
    .filter(({ role }) => role === 'timestamp' || role === 'snapshot')
    .map(
      ({ role, version, expiresAt }) =>
        `${role} version ${version}, valid until ${formatTime(expiresAt)}`,
    );
  const effect =
    renewal === 'took-effect' ? ['A change that had all its signatures is in effect now'] : [];
  io.stdout.write(`${[...effect, ...lines].join('\n')}\n`);
  for (const target of options.publish ?? []) await publishCollection(target, context);
  return EXIT.ok;
}

/** Has a collection begin that waits for nothing but the online keys. @throws {SigningError} `not_begun` */
async function begin(context: CommandContext, beginning: Beginning): Promise<void> {
  const { options, io } = context;
  const { draft, folder } = beginning;
  const missing = waitingText(undefined, draft);
  io.stdout.write(draftText(undefined, draft));
  const ring = await openKeyRing(context);
  const conclusion = await concludeBeginning(beginning, draft, { ring, clock: io.clock });
  if (conclusion !== 'in-effect') {
    throw new SigningError(
      'not_begun',
      `the collection in ${folder.name} has not begun. ${missing.trimEnd()}`,
    );
  }
  io.stdout.write(`The collection has begun\n${beginsText(options.dir)}`);
}

/** Copies the metadata to where clients read it. @throws {SigningError} `published_differs`, `publish_failed` */
export async function publishCollection(
  place: string,
  context: CommandContext<ReachOptions>,
): Promise<number> {
  const { options, io } = context;
  const open = await openCollection(collectionFolder(options.dir, io.clock));
  warnOfEndings(open, io);
  const target = openPublishTarget(parsePublishPlace(place), await reachOptions(context));
  const { name } = target.value;
  const written = await publishRepository(open.repository, target);
  io.stdout.write(
    written.length === 0
      ? `${name} is up to date\n`
      : `Published ${written.join(' ')} to ${name}\n`,
  );
  return EXIT.ok;
}

/** How the places named on the command line are reached. */
export async function reachOptions({
  options,
  io,
}: CommandContext<ReachOptions>): Promise<PublishOptions> {
  const { config, ca, user, passwordFile } = options;
  const loaded = config === undefined ? undefined : await loadConfig(config, { env: io.env });
  const credentials =
    user === undefined || passwordFile === undefined
      ? {}
      : {
          credentials: {
            kind: 'password' as const,
            username: user,
            password: async () => (await readFile(passwordFile, 'utf8')).split(/\r?\n/, 1)[0] ?? '',
          },
        };
  return {
    clock: io.clock,
    proxy: proxyEnvironment(io.env),
    ...credentials,
    ...(loaded === undefined ? {} : { config: loaded.config }),
    ...(ca === undefined ? {} : { ca: await readFile(ca, 'utf8') }),
  };
}
