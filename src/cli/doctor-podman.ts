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
import type { ProgramEnd, RunProgram } from './doctor-program.ts';

/** How podman is run. */
export interface PodmanOptions {
  /** As for `podman --url`; default: podman itself, without a service. */
  readonly address?: string;
  readonly env: Environment;
  readonly run: RunProgram;
}

/** podman, and by the same settings buildah, skopeo and CRI-O. */
export class PodmanEngine implements Engine {
  readonly kind = 'podman';
  readonly address: string;
  readonly #options: PodmanOptions;
  readonly #command: readonly [string, ...string[]];
  #registries: ReadonlyMap<string, unknown> = new Map();

  constructor(options: PodmanOptions) {
    const { address } = options;
    this.#options = options;
    this.address = address ?? 'the store of this user';
    this.#command = address === undefined ? ['podman'] : ['podman', '--remote', '--url', address];
  }

  async facts(options: EngineOptions): Promise<EngineFacts | undefined> {
    const printed = succeeded(await this.#run(['info', '--format', 'json'], options));
    const info = membersOf(parseJson(printed ?? ''));
    const version = textOf(membersOf(info.get('version')).get('Version'));
    if (version === '') return undefined;
    this.#registries = new Map(
      [...membersOf(info.get('registries'))].filter(([name]) => name !== 'search'),
    );
    return { version, family: 'first' };
  }

  async registries(): Promise<readonly string[]> {
    const hosts = [...this.#registries.keys()].filter((name) => !/[/*]/.test(name));
    return hosts.length === 0 ? ['docker.io'] : hosts;
  }

  async route(registry: string): Promise<EngineRoute> {
    const source = 'podman info (registries.conf)';
    const prefix = [...this.#registries.keys()]
      .filter((name) => registry === name || registry.startsWith(`${name}/`))
      .toSorted((a, b) => b.length - a.length)[0];
    if (prefix === undefined) {
      const oddities = ['no [[registry]] table is for this registry, so it is asked directly'];
      return { endpoints: [registry], fallsBack: false, source, oddities };
    }
    const table = membersOf(this.#registries.get(prefix));
    const mirrors = elementsOf(table.get('Mirrors')).map(membersOf);
    const locations = mirrors.map(
      (mirror) =>
        `${mirror.get('Insecure') === true ? 'http' : 'https'}://${textOf(mirror.get('Location'))}`,
    );
    const own = table.get('Blocked') === true ? [] : [textOf(table.get('Location'))];
    const endpoints = [...locations, ...own];
    const oddities = mirrors.some((mirror) => mirror.get('PullFromMirror') === 'digest-only')
      ? ['pull-from-mirror = "digest-only": tags are resolved at the registry']
      : [];
    return { endpoints, fallsBack: endpoints.length > 1, source, oddities };
  }

  async pull(image: string, options: EngineOptions): Promise<ProgramEnd> {
    return await this.#run(['pull', '--quiet', image], options);
  }

  async find(image: string, options: EngineOptions): Promise<HeldImage | undefined> {
    const end = await this.#run(['image', 'inspect', image], options);
    const [found] = elementsOf(parseJson(end.stdout));
    if (found === undefined) {
      const isUnknown = /no such image|image not known|failed to find image/i.test(end.stderr);
      if (end.how === 'ended' && isUnknown) return undefined;
      throw engineError(`podman image inspect ${image}`, end);
    }
    const held = membersOf(found);
    const labels = membersOf(held.get('Labels'));
    return {
      digests: [
        withAlgorithm(textOf(held.get('Id'))),
        textOf(held.get('Digest')),
        ...textsOf(held.get('RepoDigests')).map((name) => name.slice(name.indexOf('@') + 1)),
      ],
      labels: new Map([...labels].map(([name, value]) => [name, textOf(value)])),
    };
  }

  async remove(image: string, options: EngineOptions): Promise<boolean> {
    return succeeded(await this.#run(['image', 'rm', image], options)) !== undefined;
  }

  async list(options: EngineOptions): Promise<readonly ListedImage[]> {
    const end = await this.#run(['image', 'ls', '--format', 'json'], options);
    const printed = succeeded(end);
    if (printed === undefined) throw engineError('podman image ls', end);
    const listed = new Map<string, ListedImage>();
    // One line for each name of an image.
    for (const image of elementsOf(parseJson(printed)).map(membersOf)) {
      const id = textOf(image.get('Id'));
      const [name = id] = textsOf(image.get('Names'));
      listed.set(id, { name, digests: textsOf(image.get('RepoDigests')) });
    }
    return [...listed.values()];
  }

  async #run(words: readonly string[], options: EngineOptions): Promise<ProgramEnd> {
    const { run, env } = this.#options;
    return await run([...this.#command, ...words], { ...options, env });
  }
}

function withAlgorithm(id: string): string {
  return /^[0-9a-f]{64}$/.test(id) ? `sha256:${id}` : id;
}
