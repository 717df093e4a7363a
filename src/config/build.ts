import { resolve } from 'node:path';
import { buildCredentials, fileReadAnew } from './build-credentials.ts';
import { buildBreakGlass, buildDeny, buildRule } from './build-policy.ts';
import type {
  Config,
  LimitsConfig,
  ListenerConfig,
  ServerConfig,
  UpstreamConfig,
} from './config.ts';
import type { Credentials, KeyPair } from './connection.ts';
import { type Environment, type ProxyEnvironment, proxyEnvironment } from './env.ts';
import { type NamedFiles, parsePassword } from './named-files.ts';
import { type ConfigPath, formatPath } from './path.ts';
import type { ReadFile } from './read-file.ts';
import type { ConfigFile } from './schema.ts';
import type { CredentialsEntry } from './schema-credentials.ts';
import type { LimitsEntry } from './schema-limits.ts';
import type { ListenerEntry } from './schema-network.ts';
import type { ServerEntry, UpstreamEntry } from './schema-upstream.ts';

/** What a configuration is completed from, beside its own text. */
export interface BuildContext {
  readonly files: NamedFiles;
  /** Folder that relative names start at. */
  readonly folder: string;
  readonly env: Environment;
  readonly read: ReadFile;
}

/** Puts together the parts of a configuration whose file has passed every check. */
export class ConfigBuilder {
  readonly #context: BuildContext;

  constructor(context: BuildContext) {
    this.#context = context;
  }

  /** Everything but trust sources, clients and collections. */
  build(file: ConfigFile): Omit<Config, 'trust' | 'clients' | 'collections'> {
    return {
      dataFolder: this.absolute(file.data),
      listeners: Object.entries(file.listeners).map(([name, entry]) => this.#listener(name, entry)),
      admin: file.admin,
      upstreams: new Map(
        Object.entries(file.upstreams).map(([host, entry]) => [host, this.#upstream(host, entry)]),
      ),
      rules: file.policy.map(buildRule),
      deny: buildDeny(file.deny),
      breakGlass: file.breakGlass.map(buildBreakGlass),
      state: file.state,
      cache: file.cache,
      log: file.log,
      limits: limitsOf(file.limits),
      workers: file.workers,
      canaries: file.canaries,
    };
  }

  /** The text of the file named at `path`; empty when files were not read. */
  fileText(path: ConfigPath): string {
    return this.#context.files.get(formatPath(path)) ?? '';
  }

  /** Member `ca`, where the entry at `path` names one. */
  ca(path: ConfigPath, name: string | undefined): { readonly ca?: string } {
    return name === undefined ? {} : { ca: this.fileText([...path, 'ca']) };
  }

  /** Member `credentials` of what is at `path`, where there is an entry for it. */
  credentials(
    path: ConfigPath,
    entry: CredentialsEntry | undefined,
    url: URL,
  ): { readonly credentials?: Credentials } {
    if (entry === undefined) return {};
    const context = { ...this.#context, path: [...path, 'credentials'], url };
    return { credentials: buildCredentials(entry, context) };
  }

  /** Reads the one line of the file named at `path` anew at every call. */
  secretFile(path: ConfigPath, name: string): () => Promise<string> {
    return fileReadAnew({ path, name }, parsePassword, this.#context);
  }

  /** The absolute form of a name in the configuration. */
  absolute(name: string): string {
    return resolve(this.#context.folder, name);
  }

  /** The proxies that the environment asks for. */
  environmentProxy(): ProxyEnvironment {
    return proxyEnvironment(this.#context.env);
  }

  #listener(name: string, entry: ListenerEntry): ListenerConfig {
    const { address, refusal, tls, defaultRegistry, hosts, clients } = entry;
    return {
      name,
      address,
      refusal,
      hosts: new Map(Object.entries(hosts)),
      ...(tls === undefined ? {} : { tls: this.#keyPair(['listeners', name, 'tls']) }),
      ...(defaultRegistry === undefined ? {} : { defaultRegistry }),
      completeFirst: entry.completeFirst,
      completion: { platforms: entry.completePlatforms, withinMs: entry.completeWithin },
      ...(clients === undefined ? {} : { clients }),
    };
  }

  #upstream(host: string, entry: UpstreamEntry): UpstreamConfig {
    const path = ['upstreams', host];
    const { fallbacks, timeouts, limits, breaker } = entry;
    return {
      host,
      ...this.#server(path, entry),
      fallbacks: fallbacks.map((fallback, index) =>
        this.#server([...path, 'fallbacks', index], fallback),
      ),
      timeouts: {
        connectMs: timeouts.connect,
        headersMs: timeouts.headers,
        idleMs: timeouts.idle,
      },
      limits,
      breaker: { failures: breaker.failures, openMs: breaker.open },
    };
  }

  #server(path: ConfigPath, entry: ServerEntry): ServerConfig {
    const { url, proxy, clientCert } = entry;
    return {
      url: urlText(url),
      proxy: proxy === undefined ? this.environmentProxy() : proxyFor(proxy),
      ...this.credentials(path, entry.credentials, url),
      ...this.ca(path, entry.ca),
      ...(clientCert === undefined ? {} : { clientCert: this.#keyPair([...path, 'clientCert']) }),
    };
  }

  #keyPair(path: ConfigPath): KeyPair {
    return { cert: this.fileText([...path, 'cert']), key: this.fileText([...path, 'key']) };
  }
}

function limitsOf(entry: LimitsEntry): LimitsConfig {
  const { drainTimeout, queueTimeout, blobQueueTimeout, idleTimeout, ...limits } = entry;
  return {
    ...limits,
    drainTimeoutMs: drainTimeout,
    queueTimeoutMs: queueTimeout,
    blobQueueTimeoutMs: blobQueueTimeout,
    idleTimeoutMs: idleTimeout,
  };
}

/** A URL as text without a slash at its end. */
export function urlText(url: URL): string {
  return url.href.replace(/\/+$/, '');
}

function proxyFor(url: URL): ProxyEnvironment {
  const text = urlText(url);
  return { httpProxy: text, httpsProxy: text };
}
