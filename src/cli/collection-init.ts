import { collectionFolder } from '../app/collection-desk.ts';
import { writeKeyFile } from '../app/collection-key-files.ts';
import { beginCollection, type CollectionRole, type FirstKeys } from '../signing/begin.ts';
import { createKeyFile, writePublicKeyFile } from '../signing/key-file.ts';
import { DEFAULT_SETTINGS, type Lifetimes, writeSettings } from '../signing/settings.ts';
import { parseTargetTemplate } from '../signing/target-name.ts';
import { shortKeyId } from '../signing/words.ts';
import type { CommandContext } from './collection-change.ts';
import {
  type FirstKeyOptions,
  gatherKeys,
  type RoleKeys,
  readHandedIn,
} from './collection-first-keys.ts';
import { type CollectionOptions, newPassphrase } from './collection-io.ts';
import { beginsText, draftText, waitingText } from './collection-text.ts';
import { EXIT } from './exit-codes.ts';

/** What `collection init` works with. */
export interface InitOptions extends FirstKeyOptions {
  readonly target?: string;
  readonly rootLifetime?: number;
  readonly targetsLifetime?: number;
  readonly snapshotLifetime?: number;
  readonly timestampLifetime?: number;
}

/** What `collection keygen` works with. */
export interface KeygenOptions extends CollectionOptions {
  readonly role: string;
  /** Make a key file without a passphrase, as online keys have it. */
  readonly plain?: boolean;
}

/**
 * Makes a new collection with keys of its own, or with those that holders handed in; then it waits for their signatures.
 *
 * @returns 0 when it has begun, 2 when it waits
 * @throws {SigningError}
 */
export async function initCollection(context: CommandContext<InitOptions>): Promise<number> {
  const { options, io } = context;
  const { dir } = options;
  const folder = collectionFolder(dir, io.clock);
  await folder.requireNew();
  const handedIn = await readHandedIn(options);
  const settings = {
    ...DEFAULT_SETTINGS,
    lifetimes: lifetimesOf(options),
    ...(options.target === undefined ? {} : { template: parseTargetTemplate(options.target) }),
  };
  const roles = await gatherKeys(context, handedIn);
  const first = new Map([...roles].map(([role, own]) => [role, firstKeys(own)] as const));
  const { draft, files } = await beginCollection(first, { settings, now: io.clock.now() });
  const isForOthers = [...handedIn.values()].some((keys) => keys.length > 0);
  if (isForOthers) io.stdout.write(draftText(undefined, draft));
  for (const { path, bytes } of [...roles.values()].flatMap(({ made }) => made)) {
    await writeKeyFile(path, bytes);
  }
  await folder.begin(writeSettings(settings), files);
  const hasBegun = files.metadata !== undefined;
  io.stdout.write(initText(dir, roles, hasBegun));
  io.stdout.write(hasBegun ? beginsText(dir) : waitingText(undefined, draft));
  return hasBegun ? EXIT.ok : EXIT.inconclusive;
}

/** Makes one key, for a holder or a team, and the file by which its public part is handed over. */
export async function makeKey(
  path: string,
  context: CommandContext<KeygenOptions>,
): Promise<number> {
  const { options, io } = context;
  const { role } = options;
  const passphrase =
    options.plain === true ? undefined : await newPassphrase(`the ${role} key ${path}`, context);
  const { key, bytes } = await createKeyFile({
    role,
    createdAt: io.clock.now(),
    ...(passphrase === undefined ? {} : { passphrase }),
  });
  const publicPath = `${path.replace(/\.json$/, '')}.pub`;
  await writeKeyFile(path, bytes);
  await writeKeyFile(publicPath, writePublicKeyFile(role, key.publicKey));
  io.stdout.write(
    `Made ${role} key ${key.keyId}\n  ${path}  the key; it stays with its holder\n  ${publicPath}  its public part, to be handed over\n`,
  );
  return EXIT.ok;
}

function firstKeys({ made, handedIn, threshold }: RoleKeys): FirstKeys {
  return { keys: made.map(({ key }) => key), handedIn, threshold };
}

function lifetimesOf(options: InitOptions): Lifetimes {
  const { lifetimes } = DEFAULT_SETTINGS;
  return {
    root: options.rootLifetime ?? lifetimes.root,
    targets: options.targetsLifetime ?? lifetimes.targets,
    snapshot: options.snapshotLifetime ?? lifetimes.snapshot,
    timestamp: options.timestampLifetime ?? lifetimes.timestamp,
  };
}

function initText(
  dir: string,
  roles: ReadonlyMap<CollectionRole, RoleKeys>,
  hasBegun: boolean,
): string {
  const need = (role: CollectionRole): string => {
    const { made = [], handedIn = [], threshold = 1 } = roles.get(role) ?? {};
    return `${threshold} of ${made.length + handedIn.length} ${role} keys`;
  };
  const offline = madeLines(roles, ['root', 'targets']);
  const online = madeLines(roles, ['snapshot', 'timestamp']);
  return [
    hasBegun ? `Made a collection in ${dir}` : `Drafted a collection in ${dir}`,
    `Offline keys${offline.length > 0 ? '' : ' are with their holders'} (${need('root')} and ${need('targets')} must sign)${offline.length > 0 ? ':' : ''}`,
    ...offline,
    ...(offline.length === 0
      ? []
      : [
          'Move each to its holder, keep a copy of each in a safe place, and leave none where the online keys are.',
        ]),
    ...(online.length === 0
      ? []
      : ['Online keys, for the machine that runs pinnace collection renew:', ...online]),
    '',
  ].join('\n');
}

function madeLines(
  roles: ReadonlyMap<CollectionRole, RoleKeys>,
  wanted: readonly CollectionRole[],
): readonly string[] {
  return wanted.flatMap((role) =>
    (roles.get(role)?.made ?? []).map(
      ({ path, key }) => `  ${role.padEnd(9)} ${shortKeyId(key.keyId)}  ${path}`,
    ),
  );
}
