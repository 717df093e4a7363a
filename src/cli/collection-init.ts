import { join } from 'node:path';
import { collectionFolder, keysFolder } from '../app/collection-desk.ts';
import { writeKeyFile } from '../app/collection-key-files.ts';
import { beginCollection, type FirstKeys } from '../signing/begin.ts';
import { SigningError } from '../signing/errors.ts';
import { createKeyFile, readKeyFile, writePublicKeyFile } from '../signing/key-file.ts';
import { DEFAULT_SETTINGS, type Lifetimes, writeSettings } from '../signing/settings.ts';
import type { SigningKey } from '../signing/signing-key.ts';
import { parseTargetTemplate } from '../signing/target-name.ts';
import { shortKeyId } from '../signing/words.ts';
import type { CommandContext } from './collection-change.ts';
import { type CollectionOptions, newPassphrase } from './collection-io.ts';
import { EXIT } from './exit-codes.ts';

/** What `collection init` works with. */
export interface InitOptions extends CollectionOptions {
  readonly rootKeys: number;
  readonly rootThreshold: number;
  readonly targetsKeys: number;
  readonly targetsThreshold: number;
  /** Where the key files of root and targets go; default `keys` in the collection's folder. */
  readonly offlineKeys?: string;
  /** Give the online keys a passphrase too. */
  readonly encryptOnline?: boolean;
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

interface NewKey {
  readonly path: string;
  readonly bytes: Uint8Array;
  readonly key: SigningKey;
}

/** Makes a new collection with keys of its own. @throws {SigningError} */
export async function initCollection(context: CommandContext<InitOptions>): Promise<number> {
  const { options, io } = context;
  const { dir } = options;
  const folder = collectionFolder(dir, io.clock);
  await folder.requireNew();
  requireThresholds(options);
  const settings = {
    ...DEFAULT_SETTINGS,
    lifetimes: lifetimesOf(options),
    ...(options.target === undefined ? {} : { template: parseTargetTemplate(options.target) }),
  };
  const offline = options.offlineKeys ?? keysFolder(dir);
  const root = await newKeys(context, { role: 'root', count: options.rootKeys, folder: offline });
  const targets = await newKeys(context, {
    role: 'targets',
    count: options.targetsKeys,
    folder: offline,
  });
  const plain = options.encryptOnline !== true;
  const online = { count: 1, folder: keysFolder(dir), plain };
  const snapshot = await newKeys(context, { ...online, role: 'snapshot' });
  const timestamp = await newKeys(context, { ...online, role: 'timestamp' });
  const roles = new Map<'root' | 'targets' | 'snapshot' | 'timestamp', FirstKeys>([
    ['root', firstKeys(root, options.rootThreshold)],
    ['targets', firstKeys(targets, options.targetsThreshold)],
    ['snapshot', firstKeys(snapshot, 1)],
    ['timestamp', firstKeys(timestamp, 1)],
  ]);
  const files = await beginCollection(roles, { settings, now: io.clock.now() });
  for (const { path, bytes } of [...root, ...targets, ...snapshot, ...timestamp]) {
    await writeKeyFile(path, bytes);
  }
  await folder.begin(writeSettings(settings), files);
  io.stdout.write(initText(options, { root, targets, online: [...snapshot, ...timestamp] }));
  return EXIT.ok;
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

async function newKeys(
  context: CommandContext,
  what: {
    readonly role: string;
    readonly count: number;
    readonly folder: string;
    readonly plain?: boolean;
  },
): Promise<readonly NewKey[]> {
  const { role, count, folder, plain = false } = what;
  const made: NewKey[] = [];
  for (let index = 1; index <= count; index += 1) {
    const name = count === 1 ? `the ${role} key` : `${role} key ${index} of ${count}`;
    made.push(await newKeyFile(context, { role, folder, ...(plain ? {} : { name }) }));
  }
  return made;
}

/** Makes a key file, not yet written; `name` is how its passphrase is asked for, without it there is none. */
export async function newKeyFile(
  context: CommandContext,
  {
    role,
    folder,
    name,
  }: { readonly role: string; readonly folder: string; readonly name?: string },
): Promise<NewKey> {
  const passphrase = name === undefined ? undefined : await newPassphrase(name, context);
  const { key, bytes } = await createKeyFile({
    role,
    createdAt: context.io.clock.now(),
    ...(passphrase === undefined ? {} : { passphrase }),
  });
  return { key, bytes, path: join(folder, `${role}-${key.keyId.slice(0, 12)}.json`) };
}

function firstKeys(keys: readonly NewKey[], threshold: number): FirstKeys {
  return { keys: keys.map(({ key }) => key), threshold };
}

function requireThresholds(options: InitOptions): void {
  const pairs = [
    ['root', options.rootKeys, options.rootThreshold],
    ['targets', options.targetsKeys, options.targetsThreshold],
  ] as const;
  for (const [role, keys, threshold] of pairs) {
    if (threshold <= keys) continue;
    throw new SigningError(
      'threshold_impossible',
      `${role} would have ${keys} ${keys === 1 ? 'key' : 'keys'} and need ${threshold} of them`,
    );
  }
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
  options: InitOptions,
  keys: {
    readonly root: readonly NewKey[];
    readonly targets: readonly NewKey[];
    readonly online: readonly NewKey[];
  },
): string {
  const list = (of: readonly NewKey[]): readonly string[] =>
    of.map(({ path, key, bytes }) => {
      const role = readKeyFile(bytes).role;
      return `  ${role.padEnd(9)} ${shortKeyId(key.keyId)}  ${path}`;
    });
  return [
    `Made a collection in ${options.dir}`,
    `Offline keys (${options.rootThreshold} of ${keys.root.length} root keys and ${options.targetsThreshold} of ${keys.targets.length} targets keys must sign):`,
    ...list([...keys.root, ...keys.targets]),
    'Move each to its holder, keep a copy of each in a safe place, and leave none where the online keys are.',
    'Online keys, for the machine that runs pinnace collection renew:',
    ...list(keys.online),
    `Clients begin with ${join(options.dir, 'metadata', '1.root.json')}: hand it to them over a way that you trust.`,
    '',
  ].join('\n');
}
