import { join } from 'node:path';
import { elementsOf, membersOf, parseJson, textOf } from '../base/json-members.ts';
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
import { readHostsFile, registriesBelow, settingsText } from './doctor-hosts.ts';
import type { ProgramEnd, RunProgram } from './doctor-program.ts';

/** How a containerd is reached. */
export interface ContainerdOptions {
  /** Its socket; default `CONTAINERD_ADDRESS`, else `/run/containerd/containerd.sock`. */
  readonly address?: string;
  /** Default `CONTAINERD_NAMESPACE`, else `k8s.io` if there is one, else `default`. */
  readonly namespace?: string;
  /** The folder with the `hosts.toml` files; default: what `configFile` says, else `/etc/containerd/certs.d`. */
  readonly hostsFolder?: string;
  /** Default `/etc/containerd/config.toml`. */
  readonly configFile?: string;
  readonly env: Environment;
  readonly run: RunProgram;
}

const SOCKET = '/run/containerd/containerd.sock';
const HOSTS_FOLDER = '/etc/containerd/certs.d';
const CONFIG_PATH = /^\s*config_path\s*=\s*["']([^"':]+)[^"']*["']\s*(?:#.*)?$/m;
const DIGEST = /\bsha(?:256:[0-9a-f]{64}|512:[0-9a-f]{128})\b/;
const MAX_CHILDREN = 100;

/** A containerd, by `ctr` and the hosts files that Kubernetes' pulls go by. */
export class ContainerdEngine implements Engine {
  readonly kind = 'containerd';
  readonly address: string;
  readonly #options: ContainerdOptions;
  #namespace: string | undefined;
  #hostsFolder: string | undefined;

  constructor(options: ContainerdOptions) {
    const { address, namespace, hostsFolder, env } = options;
    this.#options = options;
    this.address = (address ?? env['CONTAINERD_ADDRESS'] ?? SOCKET).replace(/^unix:\/\//, '');
    this.#namespace = namespace ?? env['CONTAINERD_NAMESPACE'];
    this.#hostsFolder = hostsFolder;
  }

  async facts(options: EngineOptions): Promise<EngineFacts | undefined> {
    const printed = succeeded(await this.#ctr(['version'], options));
    const version = /^Server:\s+Version:\s+(\S+)/m.exec(printed ?? '')?.[1];
    if (version === undefined) return undefined;
    if (this.#namespace === undefined) {
      const names = succeeded(await this.#ctr(['namespaces', 'ls', '-q'], options)) ?? '';
      this.#namespace = names.split('\n').includes('k8s.io') ? 'k8s.io' : 'default';
    }
    return { version, family: 'each' };
  }

  async registries(): Promise<readonly string[]> {
    const named = await registriesBelow(await this.#hosts());
    return named.length === 0 ? ['docker.io'] : named;
  }

  async route(registry: string): Promise<EngineRoute> {
    const folder = await this.#hosts();
    const file = await readHostsFile(folder, registry);
    if (file === undefined) {
      return {
        endpoints: [registry],
        fallsBack: false,
        source: folder,
        oddities: ['no hosts.toml is for this registry, so it is asked directly'],
      };
    }
    const { path: source, endpoints, oddities } = file;
    // A file for all registries is left as it is: one of this registry's own wins over it.
    const own = join(folder, registry, 'hosts.toml');
    return { endpoints, fallsBack: endpoints.length > 1, source, settings: own, oddities };
  }

  async pull(image: string, options: EngineOptions): Promise<ProgramEnd> {
    // Not "images pull": content need not be unpacked to know that it came.
    const words = ['content', 'fetch', '--hosts-dir', await this.#hosts(), image];
    return await this.#ctr(words, options);
  }

  async find(image: string, options: EngineOptions): Promise<HeldImage | undefined> {
    const found = (await this.#rows(options)).find(([name]) => name === image);
    const target = DIGEST.exec(found?.[1] ?? '')?.[0];
    if (target === undefined) return undefined;
    const children = elementsOf((await this.#document(target, options)).get('manifests'))
      .slice(0, MAX_CHILDREN)
      .map((child) => textOf(membersOf(child).get('digest')));
    const digests = [target, ...children];
    return { digests, labels: await this.#labels(digests, options) };
  }

  async remove(image: string, options: EngineOptions): Promise<boolean> {
    return succeeded(await this.#ctr(['images', 'rm', '--sync', image], options)) !== undefined;
  }

  async list(options: EngineOptions): Promise<readonly ListedImage[]> {
    const rows = await this.#rows(options);
    return rows
      .filter(([name]) => !DIGEST.test(name) || name.includes('@'))
      .map(([name, rest]) => {
        const digest = DIGEST.exec(rest)?.[0];
        return { name, digests: digest === undefined ? [] : [`${bareName(name)}@${digest}`] };
      });
  }

  /** Names of images with what else stands in their line. */
  async #rows(options: EngineOptions): Promise<readonly (readonly [string, string])[]> {
    const end = await this.#ctr(['images', 'ls'], options);
    const printed = succeeded(end);
    if (printed === undefined) throw engineError('ctr images ls', end);
    return printed
      .split('\n')
      .slice(1)
      .flatMap((line) => {
        const [name = '', ...rest] = line.split(/\s+/);
        return name === '' ? [] : [[name, rest.join(' ')] as const];
      });
  }

  /** The labels of the first manifest that is here; of other platforms it usually is not. */
  async #labels(
    digests: readonly string[],
    options: EngineOptions,
  ): Promise<ReadonlyMap<string, string>> {
    for (const digest of digests) {
      if (!DIGEST.test(digest)) continue;
      const config = membersOf((await this.#document(digest, options)).get('config'));
      const configDigest = textOf(config.get('digest'));
      if (!DIGEST.test(configDigest)) continue;
      const image = await this.#document(configDigest, options);
      const labels = membersOf(membersOf(image.get('config')).get('Labels'));
      if (labels.size > 0) {
        return new Map([...labels].map(([name, value]) => [name, textOf(value)]));
      }
    }
    return new Map();
  }

  async #document(digest: string, options: EngineOptions): Promise<ReadonlyMap<string, unknown>> {
    const end = await this.#ctr(['content', 'get', digest], options);
    return membersOf(parseJson(succeeded(end) ?? ''));
  }

  async #hosts(): Promise<string> {
    this.#hostsFolder ??= await hostsFolderOf(this.#options.configFile);
    return this.#hostsFolder;
  }

  async #ctr(words: readonly string[], options: EngineOptions): Promise<ProgramEnd> {
    const { run, env } = this.#options;
    const namespace = this.#namespace === undefined ? [] : ['-n', this.#namespace];
    return await run(['ctr', '-a', this.address, ...namespace, ...words], { ...options, env });
  }
}

/** The hosts folder that Kubernetes' pulls go by, as containerd's configuration says. */
async function hostsFolderOf(configFile = '/etc/containerd/config.toml'): Promise<string> {
  return CONFIG_PATH.exec((await settingsText(configFile)) ?? '')?.[1] ?? HOSTS_FOLDER;
}

/** A name without tag and digest. */
function bareName(name: string): string {
  const at = name.indexOf('@');
  const named = at < 0 ? name : name.slice(0, at);
  const colon = named.indexOf(':', named.lastIndexOf('/') + 1);
  return colon < 0 ? named : named.slice(0, colon);
}
