import { tuf10 } from '../trust/dialect/tuf-1.0.ts';
import { TrustError } from '../trust/errors.ts';
import { SigningError } from './errors.ts';

/** Somewhere that clients read metadata from. */
export interface PublishTarget {
  /** How messages name it. */
  readonly name: string;
  /** One file as it is there now, or undefined. */
  read(file: string): Promise<Uint8Array | undefined>;
  /** Puts one file there. */
  write(file: string, bytes: Uint8Array): Promise<void>;
  /** Makes what was written visible, where that is a step of its own. */
  finish?(files: ReadonlyMap<string, Uint8Array>): Promise<void>;
}

const TIMESTAMP = 'timestamp.json';

/**
 * Publishes files in their order, those only that are not there yet. A file that is there with other content belongs to another
 * history of the collection, and a newer timestamp to a newer state of it: nothing is written over either.
 *
 * @param files - `timestamp.json` last
 * @param signal - ends it between two files; what clients see stays whole, since the timestamp comes last
 * @returns the names of the files that were written
 * @throws {SigningError} `published_differs`, before anything is written
 */
export async function publish(
  files: ReadonlyMap<string, Uint8Array>,
  target: PublishTarget,
  signal?: AbortSignal,
): Promise<readonly string[]> {
  const missing: string[] = [];
  for (const [file, bytes] of files) {
    signal?.throwIfAborted();
    const there = await target.read(file);
    if (there !== undefined && Buffer.compare(there, bytes) === 0) continue;
    if (there !== undefined) requireMayReplace(file, { there, bytes, target });
    missing.push(file);
  }
  if (missing.length === 0) return [];
  for (const file of missing) {
    signal?.throwIfAborted();
    await target.write(file, files.get(file) ?? new Uint8Array());
  }
  await target.finish?.(files);
  return missing;
}

function requireMayReplace(
  file: string,
  {
    there,
    bytes,
    target,
  }: {
    readonly there: Uint8Array;
    readonly bytes: Uint8Array;
    readonly target: PublishTarget;
  },
): void {
  const published = file === TIMESTAMP ? versionOf(there) : undefined;
  const own = versionOf(bytes) ?? 0;
  if (file === TIMESTAMP && (published === undefined || published < own)) return;
  const message =
    file === TIMESTAMP
      ? `${target.name} has timestamp version ${published} already, this collection is at ${own}: it is a copy that has fallen behind`
      : `${target.name} has another ${file}: it was published from another copy of the collection`;
  throw new SigningError('published_differs', `${message}; nothing was published`, {
    detail: { file },
  });
}

/** The version of a timestamp, or undefined for what no client would take anyway. */
function versionOf(bytes: Uint8Array): number | undefined {
  try {
    return tuf10.parseTimestamp(tuf10.parseEnvelope(bytes)).version;
  } catch (error) {
    if (error instanceof TrustError) return undefined;
    throw error;
  }
}
