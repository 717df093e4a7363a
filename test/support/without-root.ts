import { execFileSync } from 'node:child_process';

/** The user `nobody`, on every Linux. */
const NOBODY = 65_534;

/**
 * Gives root up for good, since root may read and write whatever permissions say; `folder` and what is in it goes to the user
 * that is left. For the last test of a file: each file has a process of its own. Whoever is not root stays who they are.
 */
export function giveUpRoot(folder: string): void {
  if (process.getuid?.() !== 0) return;
  execFileSync('chown', ['-R', String(NOBODY), folder]);
  process.setuid?.(NOBODY);
}
