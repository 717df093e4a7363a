import { randomUUID } from 'node:crypto';
import {
  access,
  constants,
  mkdir,
  open,
  readdir,
  readFile,
  rename,
  rm,
  rmdir,
  stat,
  unlink,
} from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import type { Clock } from '../base/clock.ts';
import { SigningError } from '../signing/errors.ts';
import type { CollectionFolder, CollectionWrite } from '../signing/ports.ts';

const MAX_FILE_BYTES = 32 * 1024 * 1024;
const MAX_PENDING = 256;
const FILE_NAME = /^[A-Za-z0-9][A-Za-z0-9._%~-]{0,249}\.json$/;
/** How long another writer is waited for unless told otherwise; what it does takes a fraction of that. */
const PATIENCE_MS = 2000;
const PAUSE_MS = 50;
const STAGING = '.staging-';
const TIMESTAMP = 'timestamp.json';
const SETTINGS = 'collection.json';

/**
 * A site's own collection on disk:
 *
 * ```
 * collection.json   settings
 * metadata/         what is published: 1.root.json, 1.targets.json, 1.snapshot.json, timestamp.json …
 * pending/          changes that wait for signatures
 * keys/             key files, unless they are kept elsewhere
 * commit/           only while a change is brought in, or after a crash in the midst of it
 * .lock             only while somebody writes
 * ```
 *
 * A change is first written as a whole beside the metadata and then moved in file by file, the timestamp last. Whoever opens
 * the folder after a crash completes the moving, so that a change comes into effect wholly or not at all.
 */
export class DiskCollectionFolder implements CollectionFolder {
  readonly name: string;
  readonly #clock: Clock;
  readonly #patienceMs: number;

  /** @param options - `patienceMs`: how long another writer is waited for, default 2000 */
  constructor(
    folder: string,
    { clock, patienceMs = PATIENCE_MS }: { readonly clock: Clock; readonly patienceMs?: number },
  ) {
    this.name = folder;
    this.#clock = clock;
    this.#patienceMs = patienceMs;
  }

  async read(file: string): Promise<Uint8Array | undefined> {
    if (!FILE_NAME.test(file)) return undefined;
    await this.#settle();
    return await readLimited(join(this.name, 'metadata', file));
  }

  async readSettings(): Promise<Uint8Array | undefined> {
    return await readLimited(join(this.name, SETTINGS));
  }

  async readPending(): Promise<ReadonlyMap<string, Uint8Array>> {
    const folder = join(this.name, 'pending');
    const names = (await list(folder)).filter((name) => name.endsWith('.json')).sort();
    const files = new Map<string, Uint8Array>();
    for (const name of names.slice(0, MAX_PENDING)) {
      const bytes = await readLimited(join(folder, name));
      if (bytes !== undefined) files.set(name, bytes);
    }
    return files;
  }

  async exclusively<Result>(work: () => Promise<Result>): Promise<Result> {
    const lock = await this.#lock();
    try {
      await this.#complete();
      return await work();
    } finally {
      await unlink(lock);
    }
  }

  async write({ metadata, pending }: CollectionWrite): Promise<void> {
    if (metadata !== undefined) {
      const staging = join(this.name, `${STAGING}${randomUUID()}`);
      await mkdir(staging);
      for (const [name, bytes] of metadata) await writeDurably(join(staging, name), bytes);
      await syncFolder(staging);
      // From here on the change is decided: whoever comes next carries it out if this process does not.
      await rename(staging, join(this.name, 'commit'));
      await syncFolder(this.name);
      await this.#complete();
    }
    if (pending !== undefined) await this.#writePending(pending);
  }

  /**
   * Begins a collection: settings, and its first metadata or the drafts of them that wait for signatures.
   *
   * @throws {SigningError} `collection_exists`
   */
  async begin(settings: Uint8Array, { metadata, pending }: CollectionWrite): Promise<void> {
    await mkdir(join(this.name, 'metadata'), { recursive: true });
    await this.exclusively(async () => {
      await this.requireNew();
      // Without settings there is no collection, so drafts of which only some were written count for nothing.
      if (pending !== undefined) await this.write({ pending });
      const temporary = join(this.name, `.${randomUUID()}`);
      await writeDurably(temporary, settings);
      await rename(temporary, join(this.name, SETTINGS));
      if (metadata !== undefined) await this.write({ metadata });
    });
  }

  /** Requires that there is no collection in the folder yet. @throws {SigningError} `collection_exists` */
  async requireNew(): Promise<void> {
    if ((await list(join(this.name, 'metadata'))).length > 0) {
      throw new SigningError('collection_exists', `there is a collection in ${this.name} already`);
    }
    if (!(await exists(join(this.name, SETTINGS))) || (await this.readPending()).size === 0) return;
    throw new SigningError(
      'collection_exists',
      `a collection in ${this.name} waits for its first signatures: pinnace collection discard drops it`,
    );
  }

  /**
   * Requires that there is a collection in the folder, and that this process may change it.
   *
   * @throws {SigningError} `collection_missing`
   * @throws {Error} of `node:fs`, when the folder or its metadata cannot be written to
   */
  async requireUsable(): Promise<void> {
    if ((await this.readSettings()) === undefined) throw this.#missing();
    for (const folder of [this.name, join(this.name, 'metadata')]) {
      await access(folder, constants.R_OK | constants.W_OK | constants.X_OK);
    }
  }

  /** Carries out what an earlier writer had decided on. */
  async #settle(): Promise<void> {
    if (!(await exists(join(this.name, 'commit')))) return;
    await this.exclusively(() => Promise.resolve());
  }

  async #complete(): Promise<void> {
    // Only whoever holds the lock gets here, so nobody is filling these any more.
    for (const name of await list(this.name)) {
      if (name.startsWith(STAGING)) await rm(join(this.name, name), { recursive: true });
    }
    const commit = join(this.name, 'commit');
    if (!(await exists(commit))) return;
    const names = (await list(commit)).filter((name) => name !== TIMESTAMP).sort();
    const metadata = join(this.name, 'metadata');
    // Clients find a new root by its name alone, so it comes right before the timestamp.
    const isRoot = (name: string): boolean => name.endsWith('.root.json');
    const ordered = [...names.filter((name) => !isRoot(name)), ...names.filter(isRoot)];
    for (const name of ordered) await rename(join(commit, name), join(metadata, name));
    await syncFolder(metadata);
    if (await exists(join(commit, TIMESTAMP))) {
      await rename(join(commit, TIMESTAMP), join(metadata, TIMESTAMP));
      await syncFolder(metadata);
    }
    await rmdir(commit);
  }

  async #writePending(pending: ReadonlyMap<string, Uint8Array>): Promise<void> {
    const folder = join(this.name, 'pending');
    if (pending.size > 0) await mkdir(folder, { recursive: true });
    for (const [name, bytes] of pending) {
      const temporary = join(folder, `.${randomUUID()}`);
      await writeDurably(temporary, bytes);
      await rename(temporary, join(folder, name));
    }
    for (const name of await list(folder)) {
      if (!pending.has(name)) await rm(join(folder, name));
    }
  }

  async #lock(): Promise<string> {
    const lock = join(this.name, '.lock');
    const startedMs = this.#clock.monotonicMs();
    for (;;) {
      try {
        await writeDurably(lock, Buffer.from(`process ${process.pid} on ${hostname()}\n`));
        return lock;
      } catch (error) {
        if (hasCode(error, 'ENOENT')) throw this.#missing();
        if (!hasCode(error, 'EEXIST')) throw error;
        if (this.#clock.monotonicMs() - startedMs >= this.#patienceMs) throw await this.#busy(lock);
        const { promise, resolve } = Promise.withResolvers<void>();
        this.#clock.after(PAUSE_MS, resolve);
        await promise;
      }
    }
  }

  #missing(): SigningError {
    const message = `there is no collection in ${this.name}: make one with pinnace collection init`;
    return new SigningError('collection_missing', message);
  }

  async #busy(lock: string): Promise<SigningError> {
    const holder = await readLimited(lock);
    const who = Buffer.from(holder ?? [])
      .toString('utf8')
      .trim()
      .slice(0, 200);
    return new SigningError(
      'collection_busy',
      `someone else is writing to ${this.name}${who === '' ? '' : ` (${JSON.stringify(who)})`}; if that process is gone, remove ${lock} and try again: nothing is lost by it`,
    );
  }
}

/** Reads a file of at most 32 MiB; undefined when there is none. */
async function readLimited(path: string): Promise<Uint8Array | undefined> {
  try {
    const { size } = await stat(path);
    if (size > MAX_FILE_BYTES) {
      throw new SigningError(
        'collection_damaged',
        `${path} is larger than any file of a collection`,
      );
    }
    return await readFile(path);
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined;
    throw error;
  }
}

async function writeDurably(path: string, bytes: Uint8Array): Promise<void> {
  const handle = await open(path, 'wx', 0o644);
  try {
    await handle.writeFile(bytes);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** After a power cut the names are there too. */
async function syncFolder(path: string): Promise<void> {
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function list(folder: string): Promise<readonly string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return [];
    throw error;
  }
}

async function exists(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return false;
    throw error;
  }
}

function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}
