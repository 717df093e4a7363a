import { lstat, readdir, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { ContentLayout, TemporaryName } from './content-layout.ts';

/** A file that nobody has written to for this long is left over, whatever its name says, in milliseconds. */
const LEFTOVER_AGE_MS = 60 * 60 * 1000;

/**
 * Removes temporary files of processes that are gone; those of live processes sharing the folder stay.
 *
 * A file removed by mistake (another container with our host name and process id) costs its writer the copy, no more:
 * the rename into place fails.
 *
 * @param nowMs - wall-clock time in milliseconds since the epoch
 * @returns how many were removed
 */
export async function removeLeftovers(layout: ContentLayout, nowMs: number): Promise<number> {
  let removed = 0;
  for (const file of await readdir(layout.temporaryFolder)) {
    const name = layout.parseTemporaryName(file);
    if (name === undefined || layout.isOwn(name)) continue;
    const path = join(layout.temporaryFolder, file);
    if (!isOfDeadProcess(layout, name) && !(await isOld(path, nowMs))) continue;
    removed += await unlink(path).then(
      () => 1,
      // Somebody else tidies up at the same time, or may and we may not: nothing depends on it.
      () => 0,
    );
  }
  return removed;
}

function isOfDeadProcess(layout: ContentLayout, name: TemporaryName): boolean {
  if (!layout.isOfThisHost(name)) return false;
  // Our own id, but not ours: an earlier life of this container.
  if (name.pid === process.pid) return true;
  try {
    process.kill(name.pid, 0);
    return false;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'ESRCH';
  }
}

async function isOld(path: string, nowMs: number): Promise<boolean> {
  try {
    return (await lstat(path)).mtimeMs < nowMs - LEFTOVER_AGE_MS;
  } catch {
    // Gone in the meantime.
    return false;
  }
}
