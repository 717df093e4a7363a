import {
  type ConcludeOptions,
  type Conclusion,
  requireSamePending,
  writeConclusion,
} from './conclusion.ts';
import type { RoleDocument } from './documents.ts';
import { type Draft, decodePending } from './draft.ts';
import { isComplete } from './draft-signatures.ts';
import { SigningError } from './errors.ts';
import { firstFiles } from './finish.ts';
import type { CollectionFolder } from './ports.ts';
import { type CollectionSettings, readSettings } from './settings.ts';

/** A collection whose first root and targets wait for signatures of their holders; nothing is in effect yet. */
export interface Beginning {
  readonly folder: CollectionFolder;
  readonly settings: CollectionSettings;
  /** `root` and `targets`, version 1 each. */
  readonly draft: Draft;
  /** The files it was read from. */
  readonly pendingFiles: ReadonlyMap<string, Uint8Array>;
}

/**
 * Reads a collection that has not begun; undefined when it has, or when there is none.
 *
 * @throws {SigningError} `settings_unreadable`, `pending_unreadable`, `pending_stale`
 */
export async function openBeginning(folder: CollectionFolder): Promise<Beginning | undefined> {
  const settings = await folder.readSettings();
  if (settings === undefined || (await hasMetadata(folder))) return undefined;
  const pendingFiles = await folder.readPending();
  if (pendingFiles.size === 0) return undefined;
  const draft = decodePending(undefined, pendingFiles);
  documentsOf(draft);
  return { folder, settings: readSettings(settings), draft, pendingFiles };
}

/**
 * Has the collection begin if its first root and targets have all their signatures and the online keys are at hand, else keeps
 * them waiting with the signatures they have.
 *
 * @throws {SigningError} `collection_changed` when someone else was faster, `collection_exists`, `collection_busy`
 */
export async function concludeBeginning(
  { folder, settings, pendingFiles }: Beginning,
  draft: Draft,
  { ring, clock }: ConcludeOptions,
): Promise<Conclusion> {
  return await folder.exclusively(async () => {
    if (await hasMetadata(folder)) {
      throw new SigningError('collection_exists', `the collection in ${folder.name} has begun`);
    }
    await requireSamePending(folder, pendingFiles);
    const { root, targets } = documentsOf(draft);
    return await writeConclusion(folder, draft, {
      isComplete: isComplete(undefined, draft),
      files: () => firstFiles(root, targets, { settings, now: clock.now(), ring }),
    });
  });
}

async function hasMetadata(folder: CollectionFolder): Promise<boolean> {
  for (const file of ['1.root.json', 'timestamp.json']) {
    if ((await folder.read(file)) !== undefined) return true;
  }
  return false;
}

function documentsOf(draft: Draft): {
  readonly root: RoleDocument;
  readonly targets: RoleDocument;
} {
  const [root, targets] = [draft.get('root'), draft.get('targets')];
  if (root !== undefined && targets !== undefined && draft.size === 2) return { root, targets };
  throw new SigningError(
    'pending_unreadable',
    'pending/ has not just the first root and targets: pinnace collection discard drops it, and init makes it anew',
  );
}
