import type { Clock } from '../base/clock.ts';
import { CodedError } from '../base/coded-error.ts';
import type { LoadedConfig } from '../config/load.ts';
import type { Log } from '../observe/log.ts';
import type { Metrics } from '../observe/metrics.ts';
import type { ReloadStatus } from '../server/status-report.ts';

/** What asked for a reload. */
export type ReloadTrigger = 'signal' | 'files';

/** What a `Reloads` works with. */
export interface ReloadsOptions {
  /** Reads and checks the whole configuration. @throws {ConfigError} */
  readonly load: () => Promise<LoadedConfig>;
  /** Puts it in force at one stroke, or throws with nothing changed. */
  readonly apply: (loaded: LoadedConfig) => Promise<void>;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
}

/** Reloads the configuration one at a time. What cannot be used is refused as a whole, and what was in force stays. */
export class Reloads {
  readonly #options: ReloadsOptions;
  #running: Promise<void> = Promise.resolve();
  #waiting: Promise<void> | undefined;
  #last: ReloadStatus | undefined;

  constructor(options: ReloadsOptions) {
    this.#options = options;
    options.metrics.set('pinnace_config_last_reload_successful', {}, 1);
  }

  /** How the last reload went; undefined before the first. */
  get last(): ReloadStatus | undefined {
    return this.#last;
  }

  /** Reloads with a reading that begins after this call, or joins one that waits for its turn; never throws. */
  reload(trigger: ReloadTrigger): Promise<void> {
    if (this.#waiting !== undefined) return this.#waiting;
    const turn = this.#running.then(async () => {
      this.#waiting = undefined;
      await this.#run(trigger);
    });
    this.#waiting = turn;
    this.#running = turn;
    return turn;
  }

  async #run(trigger: ReloadTrigger): Promise<void> {
    const { load, apply, clock, log, metrics } = this.#options;
    try {
      const loaded = await load();
      await apply(loaded);
      for (const { path, problem } of loaded.warnings) {
        log.event('config.warning', { path, problem });
      }
      log.event('config.reloaded', { trigger });
      metrics.count('pinnace_config_reloads_total', { outcome: 'ok' });
      metrics.set('pinnace_config_last_reload_successful', {}, 1);
      this.#last = { at: new Date(clock.now()).toISOString() };
    } catch (error) {
      log.failure('config.reload_refused', error, { trigger });
      metrics.count('pinnace_config_reloads_total', { outcome: 'refused' });
      metrics.set('pinnace_config_last_reload_successful', {}, 0);
      const problem =
        error instanceof CodedError ? error.message : 'an internal error, see the log';
      this.#last = { at: new Date(clock.now()).toISOString(), problem };
    }
  }
}
