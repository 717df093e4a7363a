import { readdir, rmdir, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { binary } from './components.ts';
import type { Place } from './place.ts';
import { freePort } from './port.ts';
import type { Daemon, Finished } from './process.ts';
import type { Scratch } from './scratch.ts';

/** How an engine differs from the plain one. */
export interface DockerOptions {
  /** What goes into `daemon.json` beside what keeps the engine apart from the machine's own. */
  readonly settings?: Readonly<Record<string, unknown>>;
  /** Of the engine, not of its client. */
  readonly environment?: Readonly<Record<string, string>>;
  /** Where images are kept: the store of old, or containerd's, which engines have from 24 on. Default `classic`. */
  readonly store?: 'classic' | 'containerd';
}

const CONTROL_GROUPS = '/sys/fs/cgroup';

/** A real Docker engine (no bridge, no firewall rules, layers as plain folders) with its own folder and socket. */
export class DockerEngine {
  readonly place: Place;
  readonly socket: string;
  readonly home: string;
  readonly #folder: string;
  #daemon: Daemon | undefined;

  private constructor(place: Place, folder: string, home: string) {
    this.place = place;
    this.#folder = folder;
    this.home = home;
    this.socket = join(folder, 'docker.sock');
  }

  /** Starts one and waits until it answers. */
  static async start(
    scratch: Scratch,
    place: Place,
    options: DockerOptions = {},
  ): Promise<DockerEngine> {
    const name = `docker-${await freePort()}`;
    const engine = new DockerEngine(
      place,
      scratch.folder(name),
      scratch.folder(`${name}-home`, '.docker').replace(/\/\.docker$/, ''),
    );
    scratch.defer(name, async () => await engine.#stop());
    await engine.#start(options);
    return engine;
  }

  /** Runs the docker client against this engine. */
  async docker(...args: readonly string[]): Promise<Finished> {
    return await this.place.run([binary('docker'), ...args], { env: this.environment() });
  }

  /** Builds an image of a Dockerfile without a context. */
  async build(
    dockerfile: string,
    environment: Readonly<Record<string, string>> = {},
  ): Promise<Finished> {
    return await this.place.run([binary('docker'), 'build', '-'], {
      env: { ...this.environment(), ...environment },
      input: dockerfile,
    });
  }

  /** As {@link docker}, for what has to succeed; gives back standard output without the last line break. */
  async ok(...args: readonly string[]): Promise<string> {
    const done = await this.docker(...args);
    if (done.code !== 0) throw new Error(`docker ${args.join(' ')}:\n${done.output}`);
    return done.stdout.trimEnd();
  }

  /** The environment of a client of this engine. */
  environment(): Readonly<Record<string, string>> {
    return { DOCKER_HOST: `unix://${this.socket}`, HOME: this.home };
  }

  /** Ids of all images the engine holds. */
  async imageIds(): Promise<readonly string[]> {
    const printed = await this.ok('image', 'ls', '-a', '-q', '--no-trunc');
    return printed === '' ? [] : [...new Set(printed.split('\n'))];
  }

  /** Forgets every image; the store keeps manifests by digest, so tests use unique content all the same. */
  async forgetImages(): Promise<void> {
    const ids = await this.imageIds();
    if (ids.length > 0) await this.ok('image', 'rm', '-f', ...ids);
  }

  /** Whether an image of this name is there. */
  async has(image: string): Promise<boolean> {
    return (await this.docker('image', 'inspect', image)).code === 0;
  }

  /** Stops the engine and starts it with other options; images stay. */
  async restart(options: DockerOptions): Promise<void> {
    await this.#daemon?.stop('SIGTERM', 20_000);
    await this.#start(options);
  }

  /** The engine's own log. */
  async log(): Promise<string> {
    return (await this.#daemon?.log()) ?? '';
  }

  async #start(options: DockerOptions): Promise<void> {
    const file = join(this.#folder, 'daemon.json');
    const own = { 'exec-opts': ['native.cgroupdriver=cgroupfs'], 'cgroup-parent': this.#cgroup() };
    const isClassic = options.store !== 'containerd';
    const store = isClassic ? {} : { features: { 'containerd-snapshotter': true } };
    await writeFile(file, JSON.stringify({ ...own, ...store, ...options.settings }));
    const at = (name: string): string => join(this.#folder, name);
    const daemon = this.place.start(
      [
        binary('dockerd'),
        ...['--config-file', file, '--data-root', at('data'), '--exec-root', at('exec')],
        ...['--pidfile', at('pid'), '-H', `unix://${this.socket}`],
        `--storage-driver=${isClassic ? 'vfs' : 'native'}`,
        ...['--bridge=none', '--iptables=false', '--ip6tables=false'],
      ],
      at('log'),
      { env: options.environment ?? {} },
    );
    this.#daemon = daemon;
    await daemon.ready(
      async () => await this.place.answers('http://d/_ping', '--unix-socket', this.socket),
    );
  }

  async #stop(): Promise<void> {
    await this.#daemon?.stop('SIGTERM', 20_000);
    // Containers leave an empty control group behind: one, or one per controller by the older interface.
    for (const controller of ['', ...(await readdir(CONTROL_GROUPS))]) {
      const group = join(CONTROL_GROUPS, controller, this.#cgroup());
      await rmdir(group).catch(() => {}); // most of them never existed, and an empty group costs nothing
    }
  }

  #cgroup(): string {
    return `/pinnace-e2e-${basename(this.#folder)}`;
  }
}
