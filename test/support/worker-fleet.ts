import { PinnaceProcess } from './pinnace-process.ts';
import { type Answer, type Ask, ask } from './registry-under-test.ts';
import type { Publisher } from './running-pinnace.ts';
import { type PinnaceSettings, Surroundings } from './running-pinnace.ts';

/** A Pinnace of several processes, with what surrounds it. */
export class WorkerFleet implements AsyncDisposable {
  readonly around: Surroundings;
  readonly #settings: PinnaceSettings;
  #process: PinnaceProcess | undefined;

  private constructor(around: Surroundings, settings: PinnaceSettings) {
    this.around = around;
    this.#settings = settings;
  }

  /** Publishes by `prepare`, then starts; two workers unless the settings say otherwise. */
  static async start(
    prepare: (around: Surroundings) => void,
    settings: PinnaceSettings = {},
  ): Promise<WorkerFleet> {
    const around = await Surroundings.start();
    const fleet = new WorkerFleet(around, settings);
    prepare(around);
    fleet.#process = await PinnaceProcess.serve(await fleet.writeConfig());
    return fleet;
  }

  get process(): PinnaceProcess {
    if (this.#process === undefined) throw new Error('not started');
    return this.#process;
  }

  /** Process ids of the workers that are alive. */
  get workers(): readonly number[] {
    const dead = new Set(this.process.logged('worker.died').map(({ pid }) => pid));
    return this.process
      .logged('worker.started')
      .filter(({ pid }) => !dead.has(pid))
      .map(({ pid }) => Number(pid));
  }

  /** Writes the configuration, with other parts. */
  async writeConfig(settings: PinnaceSettings = {}): Promise<string> {
    const more = { workers: 2, ...this.#settings.more, ...settings.more };
    return await this.around.writeConfig({ ...this.#settings, ...settings, more });
  }

  /** Asks a listener; `path` follows `/v2/`. Connections go to one worker after the other. */
  get(path: string, options: Ask & { readonly listener?: string } = {}): Promise<Answer> {
    return ask(this.process.port(options.listener), `/v2/${path}`, options);
  }

  /** Asks the trust server now, as an operator would. */
  async refresh(): Promise<Answer> {
    const port = this.process.port('admin');
    return await ask(port, '/api/v1/refresh', { method: 'POST', body: '{}' });
  }

  /** The sum of the values of all series that begin so. */
  async metric(series: string): Promise<number> {
    const text = (await ask(this.process.port('admin'), '/metrics')).body.toString();
    return text
      .split('\n')
      .filter((line) => line.startsWith(series))
      .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#process?.[Symbol.asyncDispose]();
    await this.around[Symbol.asyncDispose]();
  }
}

/** A publisher whose clock is that of the machine. */
export function publisherNow(around: Surroundings, path: string): Publisher {
  return around.publisher(path, { now: new Date() });
}
