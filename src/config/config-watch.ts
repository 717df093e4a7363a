import type { Clock, Timer } from '../base/clock.ts';

/** What is watched; `ConfigFiles` is one. */
export interface Watched {
  /** What they look like now if that differs from when they were last read; undefined when it does not. */
  changed(): Promise<string | undefined>;
}

/** How a `ConfigWatch` watches. */
export interface ConfigWatchOptions {
  readonly clock: Clock;
  /** Called when files have changed and then kept still for one look; the next look comes after it is done. */
  readonly onChange: () => Promise<void>;
  /** Milliseconds between two looks; default 1,000. */
  readonly everyMs?: number;
}

const EVERY_MS = 1_000;

/**
 * Looks at files again and again. It works where notifications do not: for links that are exchanged, network folders, and
 * containers. A change counts once the files look the same twice, so that one half of a writing is not taken for the whole.
 */
export class ConfigWatch {
  readonly #files: Watched;
  readonly #options: ConfigWatchOptions;
  #timer: Timer | undefined;
  #seen: string | undefined;
  #isStopped = false;

  constructor(files: Watched, options: ConfigWatchOptions) {
    this.#files = files;
    this.#options = options;
  }

  /** Begins to look. */
  start(): void {
    const { clock, everyMs = EVERY_MS } = this.#options;
    this.#timer = clock.after(everyMs, () => {
      this.#look()
        // Neither of the two it waits for fails; a watch that ended for that would end unnoticed.
        .catch(() => undefined)
        .finally(() => {
          if (!this.#isStopped) this.start();
        });
    });
  }

  /** Looks no more. */
  stop(): void {
    this.#isStopped = true;
    this.#timer?.cancel();
  }

  async #look(): Promise<void> {
    const now = await this.#files.changed();
    const isSettled = now !== undefined && now === this.#seen;
    this.#seen = isSettled ? undefined : now;
    if (isSettled && !this.#isStopped) await this.#options.onChange();
  }
}
