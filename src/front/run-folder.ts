import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Bytes that the path of a local socket may have on every system that has such sockets, its end mark apart. */
const MAX_SOCKET_PATH_BYTES = 100;
/** The longest name of a socket in the folder. */
const LONGEST_NAME = 'front-0000000000-000.sock';
const PREFIX = 'pinnace-run';
const RUN_NAME = /^pinnace-run-([0-9]{1,10})-[A-Za-z0-9]{6}$/;

/** A folder for the sockets of one run, for nobody else to look into. */
export interface RunFolder {
  readonly path: string;
  remove(): Promise<void>;
}

/**
 * Makes the folder below `dataFolder`, or, when paths there are too long for sockets, below the system's temporary folder;
 * what processes that are gone have left there is removed.
 *
 * @throws {Error} of `node:fs` when neither can be written to
 */
export async function makeRunFolder(dataFolder: string): Promise<RunFolder> {
  const parent = isShortEnough(dataFolder) ? dataFolder : tmpdir();
  await mkdir(parent, { recursive: true, mode: 0o700 });
  await removeLeftovers(parent);
  // Made with mode 0700, by a name that nobody else has.
  const folder = await mkdtemp(join(parent, `${PREFIX}-${process.pid}-`));
  return {
    path: folder,
    remove: async () => await rm(folder, { recursive: true, force: true }),
  };
}

function isShortEnough(folder: string): boolean {
  const longest = join(folder, `${PREFIX}-0000000000-xxxxxx`, LONGEST_NAME);
  return Buffer.byteLength(longest) <= MAX_SOCKET_PATH_BYTES;
}

async function removeLeftovers(parent: string): Promise<void> {
  for (const name of await readdir(parent)) {
    const [, pid] = RUN_NAME.exec(name) ?? [];
    if (pid === undefined || isAlive(Number(pid))) continue;
    // Somebody else's, in a folder that others share: it is not in the way.
    await rm(join(parent, name), { recursive: true, force: true }).catch(() => undefined);
  }
}

function isAlive(pid: number): boolean {
  // Our own id before we made anything: an earlier life of this container.
  if (pid === process.pid) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return !(error instanceof Error && 'code' in error && error.code === 'ESRCH');
  }
}
