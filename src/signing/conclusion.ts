import type { Clock } from '../base/clock.ts';
import { type Draft, encodePending } from './draft.ts';
import { SigningError } from './errors.ts';
import type { Signers } from './key-ring.ts';
import type { CollectionFolder } from './ports.ts';

/** How a signed draft ended: it is in effect, or waits for signatures, or for the online keys of another machine. */
export type Conclusion = 'in-effect' | 'waits-for-signatures' | 'waits-for-online-keys';

/** What concluding a draft needs beside it. */
export interface ConcludeOptions {
  readonly ring: Signers;
  readonly clock: Clock;
}

/**
 * Writes what a draft has come to, as a whole or not at all; only within `exclusively`.
 *
 * @param files - the files that bring it into effect; asked for when it is complete
 * @throws what `files` throws, but for `key_missing`, which leaves the draft waiting
 */
export async function writeConclusion(
  folder: CollectionFolder,
  draft: Draft,
  {
    isComplete,
    files,
  }: {
    readonly isComplete: boolean;
    readonly files: () => Promise<ReadonlyMap<string, Uint8Array>>;
  },
): Promise<Conclusion> {
  if (!isComplete) {
    await folder.write({ pending: encodePending(draft) });
    return 'waits-for-signatures';
  }
  try {
    await folder.write({ metadata: await files(), pending: new Map() });
    return 'in-effect';
  } catch (error) {
    if (!(error instanceof SigningError) || error.code !== 'key_missing') throw error;
    await folder.write({ pending: encodePending(draft) });
    return 'waits-for-online-keys';
  }
}

/** Requires that what waited when it was read still waits, byte for byte. @throws {SigningError} `collection_changed` */
export async function requireSamePending(
  folder: CollectionFolder,
  before: ReadonlyMap<string, Uint8Array>,
): Promise<void> {
  const now = await folder.readPending();
  const isSame =
    before.size === now.size &&
    [...before].every(([name, bytes]) => {
      const other = now.get(name);
      return other !== undefined && Buffer.compare(bytes, other) === 0;
    });
  if (!isSame) throw collectionChanged();
}

/** The error for what somebody else did in the meantime. */
export function collectionChanged(): SigningError {
  return new SigningError(
    'collection_changed',
    'someone else changed the collection in the meantime; nothing was written, run the command again',
  );
}
