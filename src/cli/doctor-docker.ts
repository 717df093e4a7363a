import { elementsOf, membersOf, parseJson, textOf, textsOf } from '../base/json-members.ts';
import type { Environment } from '../config/env.ts';
import {
  type Engine,
  type EngineFacts,
  type EngineOptions,
  type EngineRoute,
  engineError,
  type HeldImage,
  type ListedImage,
  succeeded,
} from './doctor-engine.ts';
import { readHostsFile, registriesBelow } from './doctor-hosts.ts';
import type { ProgramEnd, RunProgram } from './doctor-program.ts';

/** How a Docker engine is reached. */
export interface DockerOptions {
  /** As for `docker -H`; default: as the docker client's own settings say. */
  readonly address?: string;
  readonly env: Environment;
  readonly run: RunProgram;
  /** The folder with `hosts.toml` files of the containerd store; default `/etc/docker/certs.d`. */
  readonly hostsFolder?: string;
}

const HUB = 'docker.io';
const HUB_SERVER = 'https://registry-1.docker.io';
/** How many images one `docker image inspect` is asked about. */
const INSPECTED_AT_ONCE = 100;

/** A Docker engine, by its command line client. */
export class DockerEngine implements Engine {
  readonly kind = 'docker';
  readonly address: string;
  readonly #options: DockerOptions;
  readonly #command: readonly [string, ...string[]];
  #mirrors: readonly string[] = [];
  #family: EngineFacts['family'] = 'whole';

  constructor(options: DockerOptions) {
    const { address, env } = options;
    this.#options = options;
    this.address = address ?? env['DOCKER_HOST'] ?? 'the default of the docker client';
    this.#command = address === undefined ? ['docker'] : ['docker', '-H', address];
  }

  async facts(options: EngineOptions): Promise<EngineFacts | undefined> {
    const printed = succeeded(await this.#run(['info', '--format', '{{json .}}'], options));
    const info = membersOf(parseJson(printed ?? ''));
    const version = textOf(info.get('ServerVersion'));
    // Older clients succeed without an engine, and say so in this member.
    if (version === '' || textsOf(info.get('ServerErrors')).length > 0) return undefined;
    const hasContainerdStore = elementsOf(info.get('DriverStatus')).some((pair) =>
      textsOf(pair).includes('io.containerd.snapshotter.v1'),
    );
    this.#mirrors = textsOf(membersOf(info.get('RegistryConfig')).get('Mirrors'));
    this.#family = hasContainerdStore ? 'each' : 'whole';
    return { version, family: this.#family, store: hasContainerdStore ? 'containerd' : 'classic' };
  }

  async registries(): Promise<readonly string[]> {
    const named = this.#family === 'each' ? await registriesBelow(this.#hostsFolder) : [];
    return [...new Set([HUB, ...named])];
  }

  async route(registry: string): Promise<EngineRoute> {
    const mirrors = registry === HUB ? this.#mirrors : [];
    const own = registry === HUB ? HUB_SERVER : registry;
    const file =
      this.#family === 'each' ? await readHostsFile(this.#hostsFolder, registry) : undefined;
    const endpoints = [...mirrors, ...(file?.endpoints ?? [own])];
    return {
      endpoints,
      fallsBack: endpoints.length > 1,
      source: file === undefined ? 'docker info' : `docker info and ${file.path}`,
      oddities: file?.oddities ?? [],
    };
  }

  async pull(image: string, options: EngineOptions): Promise<ProgramEnd> {
    return await this.#run(['pull', image], options);
  }

  async find(image: string, options: EngineOptions): Promise<HeldImage | undefined> {
    const end = await this.#run(['image', 'inspect', image], options);
    const [found] = elementsOf(parseJson(end.stdout));
    if (found !== undefined) return heldImage(found);
    if (end.how === 'ended' && /no such (?:image|object)/i.test(end.stderr)) return undefined;
    throw engineError(`docker image inspect ${image}`, end);
  }

  async remove(image: string, options: EngineOptions): Promise<boolean> {
    return succeeded(await this.#run(['image', 'rm', image], options)) !== undefined;
  }

  async list(options: EngineOptions): Promise<readonly ListedImage[]> {
    const end = await this.#run(['image', 'ls', '-q', '--no-trunc'], options);
    const printed = succeeded(end);
    if (printed === undefined) throw engineError('docker image ls', end);
    const ids = [...new Set(printed.split('\n'))].filter((id) => /^sha256:[0-9a-f]{64}$/.test(id));
    const images: ListedImage[] = [];
    for (let at = 0; at < ids.length; at += INSPECTED_AT_ONCE) {
      const some = ids.slice(at, at + INSPECTED_AT_ONCE);
      const inspected = await this.#run(['image', 'inspect', ...some], options);
      const found = elementsOf(parseJson(inspected.stdout));
      if (found.length === 0) throw engineError('docker image inspect', inspected);
      images.push(...found.map(listedImage));
    }
    return images;
  }

  get #hostsFolder(): string {
    return this.#options.hostsFolder ?? '/etc/docker/certs.d';
  }

  async #run(words: readonly string[], options: EngineOptions): Promise<ProgramEnd> {
    const { run, env } = this.#options;
    return await run([...this.#command, ...words], { ...options, env });
  }
}

function heldImage(inspected: unknown): HeldImage {
  const image = membersOf(inspected);
  const labels = membersOf(membersOf(image.get('Config')).get('Labels'));
  return {
    digests: [textOf(image.get('Id')), ...textsOf(image.get('RepoDigests')).map(digestOf)],
    labels: new Map([...labels].map(([name, value]) => [name, textOf(value)])),
  };
}

function listedImage(inspected: unknown): ListedImage {
  const image = membersOf(inspected);
  const digests = textsOf(image.get('RepoDigests'));
  const [name = digests[0] ?? textOf(image.get('Id'))] = textsOf(image.get('RepoTags'));
  return { name, digests };
}

function digestOf(repositoryDigest: string): string {
  return repositoryDigest.slice(repositoryDigest.indexOf('@') + 1);
}
