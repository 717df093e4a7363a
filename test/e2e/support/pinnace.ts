import { readFile, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parse, stringify } from 'yaml';
import type { Answer, Place } from './place.ts';
import { freePort } from './port.ts';
import type { Daemon, Finished } from './process.ts';
import type { Scratch } from './scratch.ts';
import { eventually } from './wait.ts';

const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), '../../..');
const MAIN = join(ROOT, 'src/cli/main.ts');

/** How one listener differs from the default. */
export interface ListenerSettings {
  /** A port of its own on the loopback address unless given. */
  readonly address?: string;
  readonly defaultRegistry?: string;
  readonly hosts?: Readonly<Record<string, string>>;
  readonly refusal?: 'deny' | 'hard-stop';
  readonly completeFirst?: boolean;
  readonly tls?: { readonly cert: string; readonly key: string };
  /** The entry of `clients` that says who is asking. */
  readonly clients?: string;
}

/** The configuration, without what every instance in the lab has its own of: folders, ports, admin. */
export interface PinnaceSettings {
  readonly name?: string;
  /** What is added to the environment. */
  readonly env?: Readonly<Record<string, string>>;
  readonly listeners: Readonly<Record<string, ListenerSettings>>;
  readonly upstreams: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  readonly trust: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  readonly policy: readonly Readonly<Record<string, unknown>>[];
  readonly clients?: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  /** Collections that it keeps current. */
  readonly collections?: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  readonly limits?: Readonly<Record<string, unknown>>;
  /** How many processes serve connections; default 1. */
  readonly workers?: number;
}

/** The real `pinnace serve` as a process of its own with a configuration file. */
export class Pinnace {
  readonly place: Place;
  readonly configFile: string;
  readonly #folder: string;
  readonly #ports: ReadonlyMap<string, number>;
  readonly #env: Readonly<Record<string, string>>;
  #daemon: Daemon | undefined;

  private constructor(
    place: Place,
    folder: string,
    { ports, env = {} }: Pick<PinnaceSettings, 'env'> & { ports: ReadonlyMap<string, number> },
  ) {
    this.place = place;
    this.#folder = folder;
    this.#ports = ports;
    this.#env = env;
    this.configFile = join(folder, 'pinnace.yaml');
  }

  /** Writes the configuration, starts the program and waits until it says it is ready. */
  static async start(scratch: Scratch, place: Place, settings: PinnaceSettings): Promise<Pinnace> {
    const folder = scratch.folder(settings.name ?? 'pinnace');
    const ports = new Map<string, number>();
    for (const name of ['admin', ...Object.keys(settings.listeners)]) {
      ports.set(name, await freePort());
    }
    const pinnace = new Pinnace(place, folder, { ...settings, ports });
    const listeners = Object.entries(settings.listeners).map(([name, listener]) => [
      name,
      { address: pinnace.host(name), ...listener },
    ]);
    const configuration = {
      data: join(folder, 'data'),
      listeners: Object.fromEntries(listeners),
      admin: { address: pinnace.host('admin') },
      upstreams: settings.upstreams,
      trust: settings.trust,
      collections: settings.collections ?? {},
      policy: settings.policy,
      ...(settings.clients === undefined ? {} : { clients: settings.clients }),
      limits: settings.limits ?? {},
      workers: settings.workers ?? 1,
      state: { kind: 'sqlite' },
    };
    await writeFile(pinnace.configFile, stringify(configuration));
    scratch.defer('pinnace', async () => await pinnace.stop());
    await pinnace.begin();
    return pinnace;
  }

  /** `127.0.0.1:port` of a listener, or of `admin`. */
  host(listener = 'registry'): string {
    const port = this.#ports.get(listener);
    if (port === undefined) throw new Error(`no listener ${listener}`);
    return `127.0.0.1:${port}`;
  }

  /** Starts the program and waits until it says it is ready. */
  async begin(): Promise<void> {
    const daemon = this.place.start(
      [process.execPath, MAIN, 'serve', '--config', this.configFile],
      join(this.#folder, 'log'),
      { env: this.#env },
    );
    this.#daemon = daemon;
    const starts = async (): Promise<number> =>
      (await daemon.log()).split('"server.started"').length;
    const before = await starts();
    // Its own words, too: should another program have taken the port meanwhile, that one would answer.
    await daemon.ready(
      async () =>
        (await starts()) > before &&
        (await this.place.answers(`http://${this.host('admin')}/readyz`)),
    );
  }

  /** Ends it as a service supervisor would. */
  async stop(): Promise<void> {
    await this.#daemon?.stop();
  }

  /** Ends it as a power cut would. */
  async kill9(): Promise<void> {
    await this.#daemon?.stop('SIGKILL');
  }

  /** Changes parts of the configuration file, and has it read by SIGHUP or leaves Pinnace to notice by itself. */
  async reconfigure(
    parts: Readonly<Record<string, unknown>>,
    by: 'signal' | 'watch' = 'signal',
  ): Promise<void> {
    const count = async (): Promise<number> => await this.metric('pinnace_config_reloads_total');
    const before = await count();
    const configuration: object = parse(await readFile(this.configFile, 'utf8'));
    await writeFile(this.configFile, stringify({ ...configuration, ...parts }));
    if (by === 'signal') this.#daemon?.signal('SIGHUP');
    await eventually(async () => (await count()) > before, { what: 'the reload' });
  }

  /** Stops and starts it with the same data folder. */
  async restart(): Promise<void> {
    await this.stop();
    await this.begin();
  }

  /** Everything printed since the first start. */
  async log(): Promise<string> {
    return (await this.#daemon?.log()) ?? '';
  }

  /** Runs another command of the program with this configuration. */
  async command(...args: readonly string[]): Promise<Finished> {
    return await this.place.run([process.execPath, MAIN, ...args, '--config', this.configFile]);
  }

  /** Asks a listener for a manifest, as an engine would, and gives back the answer. */
  async manifest(name: string, reference: string, listener = 'registry'): Promise<Answer> {
    try {
      return await this.place.request(
        `http://${this.host(listener)}/v2/${name}/manifests/${reference}`,
      );
    } catch (cause) {
      if (this.#daemon?.isOver !== true) throw cause;
      throw new Error(`Pinnace has ended; it had printed:\n${await this.log()}`, { cause });
    }
  }

  /** As {@link manifest}, with HEAD. */
  async head(name: string, reference: string, listener = 'registry'): Promise<Answer> {
    const url = `http://${this.host(listener)}/v2/${name}/manifests/${reference}`;
    return await this.place.request(url, '--head');
  }

  /** The digest a tag stands for here, or the reason code of the refusal. */
  async verdict(name: string, tag: string, listener = 'registry'): Promise<string> {
    const answer = await this.manifest(name, tag, listener);
    if (answer.status === 200) return answer.headers.get('docker-content-digest') ?? 'no digest';
    return reasonOf(answer);
  }

  /** Makes Pinnace look at the trust server now. */
  async refresh(repository: string): Promise<Answer> {
    return await this.place.request(
      `http://${this.host('admin')}/api/v1/refresh`,
      ...['-X', 'POST', '-H', 'content-type: application/json'],
      ...['-d', JSON.stringify({ repository })],
    );
  }

  /** The value of a metric's first sample whose line starts with `name`, 0 when there is none. */
  async metric(name: string): Promise<number> {
    const answer = await this.place.request(`http://${this.host('admin')}/metrics`);
    const lines = answer.body.split('\n').filter((line) => line.startsWith(name));
    return lines.reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0);
  }

  /** The processes that serve connections, those that take some now. */
  async workers(): Promise<readonly number[]> {
    const answer = await this.place.request(`http://${this.host('admin')}/api/v1/status`);
    const { workers = [] }: { readonly workers?: readonly Worker[] } = JSON.parse(answer.body);
    return workers.filter(({ isReady }) => isReady).map(({ pid }) => pid);
  }

  /** Waits until a tag's verdict is the expected one. */
  async becomes(name: string, tag: string, expected: string): Promise<void> {
    let seen = '';
    await eventually(
      async () => {
        seen = await this.verdict(name, tag);
        return seen === expected;
      },
      { what: `${name}:${tag} to become ${expected}`, detail: async () => `it is ${seen}` },
    );
  }
}

interface Worker {
  readonly pid: number;
  readonly isReady: boolean;
}

/** The reason code of a refusal, or the status when there is none. */
export function reasonOf(answer: Answer): string {
  return answer.headers.get('x-pinnace-reason') ?? `status ${answer.status}`;
}

/** The sentence in a refusal's body: what was asked and what happened, without the id of the decision. */
export function sentenceOf(answer: Answer): string {
  const text = /"sentence":("(?:[^"\\]|\\.)*")/.exec(answer.body)?.[1];
  if (text === undefined) throw new Error(`no refusal: ${answer.status} ${answer.body}`);
  return String(JSON.parse(text));
}
