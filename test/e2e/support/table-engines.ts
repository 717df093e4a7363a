import { mkdir, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { binary, type Component } from './components.ts';
import { Containerd } from './containerd.ts';
import { Buildah, Podman, Skopeo } from './containers-tools.ts';
import { DockerEngine } from './docker-engine.ts';
import type { Place } from './place.ts';
import type { Finished } from './process.ts';
import type { Scratch } from './scratch.ts';

/** The settings that `pinnace engines` prints, as its JSON has them. */
export interface PrintedSettings {
  readonly files: readonly { readonly path: string; readonly text: string }[];
}

/** Settings for a pull: Pinnace as one of two places to ask, or what `pinnace engines` prints. */
export type Setup =
  | { readonly kind: 'mirror'; readonly url: string }
  | { readonly kind: 'printed'; readonly settings: PrintedSettings };

/** An engine as the table knows it. */
export interface TableEngine {
  setUp(setup: Setup): Promise<void>;
  /** Pulls `image`, a name without a registry, as a person would. */
  pull(image: string): Promise<Finished>;
  /** The names of all images that it keeps, in whatever form it lists them. */
  names(): Promise<string>;
}

/** Where an engine runs, and which parts of `/etc` are its own there. */
export interface EnginePlace {
  readonly place: Place;
  readonly etcDocker?: string;
}

/** Docker Engine, asked by `docker pull` or by a build that begins with the image. */
export class TableDocker implements TableEngine {
  readonly #engine: DockerEngine;
  readonly #store: 'classic' | 'containerd';
  readonly #etcDocker: string | undefined;
  readonly #build: boolean;

  private constructor(
    engine: DockerEngine,
    options: { store: 'classic' | 'containerd'; etcDocker: string | undefined; build: boolean },
  ) {
    this.#engine = engine;
    this.#store = options.store;
    this.#etcDocker = options.etcDocker;
    this.#build = options.build;
  }

  static async start(
    scratch: Scratch,
    at: EnginePlace,
    options: { readonly store?: 'classic' | 'containerd'; readonly build?: boolean } = {},
  ): Promise<TableDocker> {
    const { store = 'classic', build = false } = options;
    const engine = await DockerEngine.start(scratch, at.place, { store });
    return new TableDocker(engine, { store, etcDocker: at.etcDocker, build });
  }

  async setUp(setup: Setup): Promise<void> {
    if (setup.kind === 'mirror') {
      if (this.#etcDocker !== undefined) {
        await rm(join(this.#etcDocker, 'certs.d'), { recursive: true, force: true });
      }
      await this.#restart({ 'registry-mirrors': [setup.url] });
      return;
    }
    const settings: Record<string, unknown> = {};
    const environment: Record<string, string> = {};
    for (const { path, text } of setup.settings.files) {
      if (path.endsWith('/daemon.json')) Object.assign(settings, JSON.parse(text));
      else if (path.endsWith('.conf')) Object.assign(environment, unitEnvironment(text));
      else await this.#writeBelowEtcDocker(path, text);
    }
    await this.#restart(settings, environment);
  }

  async pull(image: string): Promise<Finished> {
    return this.#build
      ? await this.#engine.build(`FROM ${image}\n`, { DOCKER_BUILDKIT: '1' })
      : await this.#engine.docker('pull', image);
  }

  async names(): Promise<string> {
    return await this.#engine.ok('image', 'ls', '-a', '--digests');
  }

  async #restart(
    settings: Readonly<Record<string, unknown>>,
    environment: Readonly<Record<string, string>> = {},
  ): Promise<void> {
    await this.#engine.restart({ settings, environment, store: this.#store });
  }

  async #writeBelowEtcDocker(path: string, text: string): Promise<void> {
    if (this.#etcDocker === undefined) throw new Error(`${path} would be the machine's own`);
    const target = join(this.#etcDocker, path.replace('/etc/docker/', ''));
    await mkdir(dirname(target), { recursive: true });
    await writeFile(target, text);
  }
}

/** containerd, asked by `ctr` or as Kubernetes does. */
export class TableContainerd implements TableEngine {
  readonly #containerd: Containerd;
  readonly #kubernetes: boolean;

  private constructor(containerd: Containerd, kubernetes: boolean) {
    this.#containerd = containerd;
    this.#kubernetes = kubernetes;
  }

  static async start(
    scratch: Scratch,
    { place }: EnginePlace,
    kubernetes: boolean,
  ): Promise<TableContainerd> {
    return new TableContainerd(await Containerd.start(scratch, place, { kubernetes }), kubernetes);
  }

  async setUp(setup: Setup): Promise<void> {
    if (setup.kind === 'mirror') {
      await this.#containerd.setHosts(
        'docker.io',
        `server = "https://registry-1.docker.io"\n[host."${setup.url}"]\n  capabilities = ["pull", "resolve"]\n`,
      );
      return;
    }
    for (const { path, text } of setup.settings.files) {
      const registry = /\/certs\.d\/([^/]+)\/hosts\.toml$/.exec(path)?.[1];
      if (registry !== undefined) await this.#containerd.setHosts(registry, text);
    }
  }

  async pull(image: string): Promise<Finished> {
    const name = `docker.io/${image}`;
    return this.#kubernetes
      ? await this.#containerd.pullAsKubernetes(name)
      : await this.#containerd.pull(name);
  }

  async names(): Promise<string> {
    const listed = await this.#containerd.ctr(
      ...['-n', this.#kubernetes ? 'k8s.io' : 'default', 'images', 'ls', '-q'],
    );
    return listed.output;
  }
}

/** podman, buildah or skopeo, each with a store of its own. */
export class TableContainers implements TableEngine {
  readonly #tool: Podman | Buildah | Skopeo;

  private constructor(tool: Podman | Buildah | Skopeo) {
    this.#tool = tool;
  }

  static async create(
    scratch: Scratch,
    { place }: EnginePlace,
    tool: 'podman' | 'buildah' | 'skopeo',
  ): Promise<TableContainers> {
    const kinds = { podman: Podman, buildah: Buildah, skopeo: Skopeo };
    return new TableContainers(await kinds[tool].create(scratch, place));
  }

  async setUp(setup: Setup): Promise<void> {
    const text =
      setup.kind === 'mirror'
        ? mirrorTable(new URL(setup.url).host)
        : setup.settings.files.map((file) => file.text).join('\n');
    await this.#tool.registries.write(text);
  }

  async pull(image: string): Promise<Finished> {
    return await this.#tool.pullVerified(`docker.io/${image}`);
  }

  async names(): Promise<string> {
    // skopeo keeps nothing: it copies to a folder of the test's, whole or not at all.
    return this.#tool instanceof Skopeo ? '' : await this.#tool.names();
  }
}

/** The version of a program in a place. */
export async function versionIn({ place }: EnginePlace, program: Component): Promise<string> {
  const printed = await place.runOk([binary(program), '--version']);
  const version = /\d+\.\d+\.\d+/.exec(printed)?.[0];
  if (version === undefined) throw new Error(`no version in: ${printed}`);
  return version;
}

/** The usual mirror setting, with Docker Hub itself left open. */
function mirrorTable(mirror: string): string {
  return [
    '[[registry]]',
    'prefix = "docker.io"',
    'location = "docker.io"',
    '[[registry.mirror]]',
    `location = "${mirror}"`,
    '',
  ].join('\n');
}

/** The environment that a systemd unit file gives to its service. */
function unitEnvironment(text: string): Readonly<Record<string, string>> {
  const lines = [...text.matchAll(/^Environment=([A-Z_]+)=(.*)$/gm)];
  return Object.fromEntries(lines.map(([, name = '', value = '']) => [name, value]));
}
