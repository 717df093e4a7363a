import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { Clock } from '../base/clock.ts';
import type { Environment } from './env.ts';
import { type LoadedConfig, loadConfig } from './load.ts';
import { type ReadFile, readFromDisk } from './read-file.ts';

/** What `ConfigFiles` loads with. */
export interface ConfigFilesOptions {
  readonly env: Environment;
  /** For the dates of certificates; default: the machine's clock. */
  readonly clock?: Clock;
}

const ABSENT = 'absent';

/**
 * A configuration file with all files that it names, which can be loaded again and again, and which knows whether any of
 * them has changed since it was last read. Links are followed, so that the exchange of a link counts as a change.
 */
export class ConfigFiles {
  readonly #path: string;
  readonly #options: ConfigFilesOptions;
  /** What each file looked like just before the last load read it, by absolute name. */
  #stamps = new Map<string, string>();

  constructor(path: string, options: ConfigFilesOptions) {
    this.#path = path;
    this.#options = options;
  }

  /** Loads everything. @throws {ConfigError} `config_invalid` with every problem found */
  load(): Promise<LoadedConfig> {
    const stamps = new Map<string, string>();
    this.#stamps = stamps;
    const readFile: ReadFile = async (path, maxBytes) => {
      const name = resolve(path);
      // Before the reading: what changes in between is then read once more, not missed.
      if (!stamps.has(name)) stamps.set(name, await stampOf(name));
      return await readFromDisk(path, maxBytes);
    };
    return loadConfig(this.#path, { ...this.#options, readFile });
  }

  /** What the files look like now if that differs from when they were last read; undefined when it does not. */
  async changed(): Promise<string | undefined> {
    const before = [...this.#stamps];
    const now = await Promise.all(before.map(([name]) => stampOf(name)));
    const isSame = before.every(([, stamp], index) => stamp === now[index]);
    return isSame ? undefined : now.join('\n');
  }
}

/** Changes when a file is written, replaced, or reached by another link. */
async function stampOf(name: string): Promise<string> {
  try {
    const { dev, ino, size, mtimeNs, ctimeNs } = await stat(name, { bigint: true });
    return [dev, ino, size, mtimeNs, ctimeNs].join(' ');
  } catch {
    // Whether it is gone or may not be looked at: the load says which.
    return ABSENT;
  }
}
