import { openBeginning } from './beginning.ts';
import {
  type ConcludeOptions,
  type Conclusion,
  collectionChanged,
  requireSamePending,
  writeConclusion,
} from './conclusion.ts';
import { formatTime } from './documents.ts';
import { type Draft, decodePending } from './draft.ts';
import { isComplete } from './draft-signatures.ts';
import { endingsOf } from './endings.ts';
import { SigningError } from './errors.ts';
import { finishedFiles } from './finish.ts';
import type { CollectionFolder } from './ports.ts';
import { loadRepository, type Repository } from './repository.ts';
import { isRenewalDue } from './schedule.ts';
import { type CollectionSettings, readSettings } from './settings.ts';

/** A collection as it was when it was read. */
export interface OpenCollection {
  readonly folder: CollectionFolder;
  readonly settings: CollectionSettings;
  readonly repository: Repository;
  /** What waits for signatures. */
  readonly pending: Draft;
  /** The files it was read from. */
  readonly pendingFiles: ReadonlyMap<string, Uint8Array>;
}

/**
 * Reads and verifies a collection.
 *
 * @throws {SigningError} `collection_missing`, `not_begun`, `collection_damaged`, `settings_unreadable`, `pending_unreadable`,
 * `pending_stale`, `collection_busy`
 */
export async function openCollection(folder: CollectionFolder): Promise<OpenCollection> {
  const settings = await folder.readSettings();
  if (settings === undefined) {
    throw new SigningError(
      'collection_missing',
      `there is no collection in ${folder.name}: make one with pinnace collection init`,
    );
  }
  await requireBegun(folder);
  const repository = await load(folder);
  const pendingFiles = await folder.readPending();
  const pending = decodePending(repository, pendingFiles);
  return { folder, settings: readSettings(settings), repository, pending, pendingFiles };
}

/**
 * Brings a signed draft into effect if it has all its signatures and the online keys are at hand, else keeps it waiting. Either
 * way the folder changes as a whole or not at all.
 *
 * @throws {SigningError} `collection_changed` when someone else was faster, `collection_busy`, `collection_damaged`
 */
export async function conclude(
  open: OpenCollection,
  draft: Draft,
  options: ConcludeOptions,
): Promise<Conclusion> {
  const { folder, settings } = open;
  return await folder.exclusively(async () => {
    // Renewals in the meantime do no harm: what they wrote is built upon.
    const repository = await load(folder);
    await requireUnchanged(open, repository, draft);
    const context = {
      settings,
      now: options.clock.now(),
      ring: options.ring,
      read: readerOf(folder),
    };
    return await writeConclusion(folder, draft, {
      isComplete: isComplete(repository, draft),
      files: () => finishedFiles(repository, draft, context),
    });
  });
}

/** What a renewal came to: a new timestamp, one that brought a waiting change into effect, or nothing that was due. */
export type Renewal = 'renewed' | 'took-effect' | 'not-due';

/** How a renewal is done. */
export interface RenewOptions extends ConcludeOptions {
  /** Sign nothing when somebody else has renewed in time; default false. */
  readonly onlyWhenDue?: boolean;
}

/**
 * Signs a new timestamp, and a new snapshot when the old one is past half its life. A change that waited for the online keys
 * only comes into effect.
 *
 * @throws {SigningError} `about_to_expire` when root or targets are about to end: then nothing is renewed; `key_missing`, and
 * what `conclude` throws
 */
export async function renew(open: OpenCollection, options: RenewOptions): Promise<Renewal> {
  const { folder, settings } = open;
  return await folder.exclusively(async () => {
    const repository = await load(folder);
    await requireUnchanged(open, repository, open.pending);
    const now = options.clock.now();
    const tookEffect = isComplete(repository, open.pending);
    const draft: Draft = tookEffect ? open.pending : new Map();
    if (!tookEffect) {
      requireLongLived(repository, settings, now);
      if (options.onlyWhenDue === true && !isRenewalDue(repository, settings, now))
        return 'not-due';
    }
    const context = { settings, now, ring: options.ring, read: readerOf(folder) };
    const metadata = await finishedFiles(repository, draft, context);
    await folder.write(tookEffect ? { metadata, pending: new Map() } : { metadata });
    return tookEffect ? 'took-effect' : 'renewed';
  });
}

/** Whether `renew` has something to do or to complain of now: a waiting change, a renewal that is due, an end that stops it. */
export function needsRenewal(
  { repository, pending, settings }: OpenCollection,
  now: number,
): boolean {
  return (
    isComplete(repository, pending) ||
    isRenewalDue(repository, settings, now) ||
    endingsOf(repository, settings, now).some(({ stopsRenewal }) => stopsRenewal)
  );
}

/** Forgets what waits for signatures. @throws {SigningError} `nothing_pending`, `collection_busy` */
export async function discardPending(folder: CollectionFolder): Promise<readonly string[]> {
  return await folder.exclusively(async () => {
    const names = [...(await folder.readPending()).keys()];
    if (names.length === 0)
      throw new SigningError('nothing_pending', 'nothing waits for signatures');
    await folder.write({ pending: new Map() });
    return names;
  });
}

/** The metadata files of a repository in the order in which they are to be published: `timestamp.json` last. */
export function publicationOf({ roots, current }: Repository): ReadonlyMap<string, Uint8Array> {
  const files = new Map<string, Uint8Array>();
  for (const { role, file, bytes } of current.values()) {
    if (role !== 'root' && role !== 'timestamp') files.set(file, bytes);
  }
  for (const [file, bytes] of roots) files.set(file, bytes);
  const timestamp = current.get('timestamp');
  if (timestamp !== undefined) files.set(timestamp.file, timestamp.bytes);
  return files;
}

async function load(folder: CollectionFolder): Promise<Repository> {
  return await loadRepository(readerOf(folder), 'ignore-expiry');
}

async function requireBegun(folder: CollectionFolder): Promise<void> {
  const beginning = await openBeginning(folder);
  if (beginning === undefined) return;
  throw new SigningError(
    'not_begun',
    `the collection in ${folder.name} has not begun: its first root and targets wait in pending/ for pinnace collection sign by their holders, or for renew with the online keys`,
  );
}

function readerOf(folder: CollectionFolder): (file: string) => Promise<Uint8Array | undefined> {
  return async (file) => await folder.read(file);
}

/** What was drafted must still follow what is there, and nobody else's waiting signatures may be overwritten. */
async function requireUnchanged(
  open: OpenCollection,
  repository: Repository,
  draft: Draft,
): Promise<void> {
  const hasMoved = [...draft.keys(), 'root'].some((role) => {
    const then = open.repository.current.get(role)?.bytes ?? new Uint8Array();
    const now = repository.current.get(role)?.bytes ?? new Uint8Array();
    return Buffer.compare(then, now) !== 0;
  });
  if (hasMoved) throw collectionChanged();
  await requireSamePending(open.folder, open.pendingFiles);
}

function requireLongLived(repository: Repository, settings: CollectionSettings, now: number): void {
  const [ending] = endingsOf(repository, settings, now).filter(({ stopsRenewal }) => stopsRenewal);
  if (ending === undefined) return;
  const { role } = ending;
  const expiresAt = formatTime(ending.expiresAt);
  throw new SigningError(
    'about_to_expire',
    `${role} ${ending.expiresAt <= now ? 'ended' : 'ends'} ${expiresAt}: sign a new version of it with pinnace collection extend ${role}; nothing was renewed`,
    { detail: { role, expiresAt } },
  );
}
