import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

/** The passphrase of the demo's offline keys. It guards nothing. */
export const PASSPHRASE = 'only for the demo';

/** The program as a shell would start it from anywhere. */
export const PROGRAM: readonly string[] = [
  process.execPath,
  fileURLToPath(new URL('../src/cli/main.ts', import.meta.url)),
];

const run = promisify(execFile);
const TIMEOUT_MS = 60_000;
/** Where the collection is kept and where it is published, below the demo's folder. */
const DIR = 'vetted';
const PUBLISHED = 'published';

/** A collection of the site's own, kept with the very commands that a person would type in the demo's folder. */
export class OwnCollection implements Disposable {
  /** Where clients read it. */
  readonly published: string;
  /** The file by which clients begin to trust it. */
  readonly rootFile: string;
  readonly #folder: string;
  readonly #stopped = new AbortController();

  constructor(folder: string) {
    this.#folder = folder;
    this.published = join(folder, PUBLISHED);
    this.rootFile = join(folder, DIR, 'metadata', '1.root.json');
  }

  /** Ends a command that still runs. */
  [Symbol.dispose](): void {
    this.#stopped.abort();
  }

  /** Makes it with keys of its own. */
  async init(): Promise<CommandSeen> {
    return await this.#pinnace('init');
  }

  /** Approves an image as it is at its registry now. */
  async approve(image: string): Promise<CommandSeen> {
    return await this.#pinnace('approve', '--config', 'pinnace.yaml', '--yes', image);
  }

  /** Takes an approval back. */
  async revoke(image: string): Promise<CommandSeen> {
    return await this.#pinnace('revoke', '--yes', image);
  }

  /** Puts the state where clients read it. */
  async publish(): Promise<CommandSeen> {
    return await this.#pinnace('publish', PUBLISHED);
  }

  /** Renews the timestamp with the online keys and publishes it. */
  async renew(): Promise<CommandSeen> {
    return await this.#pinnace('renew', '--publish', PUBLISHED);
  }

  /** Sets for how long timestamps are good from now on, in the file that the commands read it from. */
  async setTimestampLifetime(lifetime: string): Promise<void> {
    const file = join(this.#folder, DIR, 'collection.json');
    const settings = JSON.parse(await readFile(file, 'utf8'));
    settings.lifetimes.timestamp = lifetime;
    await writeFile(file, JSON.stringify(settings));
  }

  /** Waits until the published timestamp has ended. */
  async untilTimestampEnds(): Promise<void> {
    const { signed } = JSON.parse(await readFile(join(this.published, 'timestamp.json'), 'utf8'));
    const leftMs = Date.parse(String(signed.expires)) - Date.now();
    await wait(Math.max(0, leftMs) + 50, undefined, { signal: this.#stopped.signal });
  }

  async #pinnace(name: string, ...words: readonly string[]): Promise<CommandSeen> {
    const command = ['collection', name, '--dir', DIR, ...words];
    const [node = '', main = ''] = PROGRAM;
    const { stdout } = await run(node, [main, ...command], {
      cwd: this.#folder,
      env: { ...process.env, PINNACE_PASSPHRASE: PASSPHRASE },
      timeout: TIMEOUT_MS,
      signal: this.#stopped.signal,
    });
    return { command: `pinnace ${command.join(' ')}`, output: stdout };
  }
}

/** A command line and what it printed. */
export interface CommandSeen {
  readonly command: string;
  readonly output: string;
}
