import type { Config, ListenerConfig } from '../config/config.ts';
import { parseHostName, parseServerUrl } from '../config/values.ts';
import type { Engine, SettingsRequest } from './engine-settings/settings.ts';

/** What the command line says. */
export interface EngineOptions {
  readonly engine: Engine;
  readonly upstreams: readonly string[];
  /** Name of a listener in the configuration. */
  readonly listener?: string;
  readonly address?: string;
  readonly store: 'classic' | 'containerd';
}

/** What settings are to be made from, or why they cannot be. */
export type ParsedRequest =
  | { readonly ok: true; readonly request: SettingsRequest }
  | { readonly ok: false; readonly problem: string };

const HUB = 'docker.io';
const ANYWHERE: ReadonlySet<string> = new Set(['0.0.0.0', '::']);

/** Puts together what the command line and, where there is one, the configuration say. */
export function parseRequest(options: EngineOptions, config: Config | undefined): ParsedRequest {
  const upstreams = upstreamsOf(options, config);
  if (!upstreams.ok) return upstreams;
  const chosen = config === undefined ? undefined : chooseListener(options, config);
  if (typeof chosen === 'string') return { ok: false, problem: chosen };
  const address = addressOf(options, chosen);
  if (typeof address === 'string') return { ok: false, problem: address };
  const isMirror = usesMirrors(options);
  return {
    ok: true,
    request: {
      address,
      upstreams: upstreams.hosts,
      // Without a configuration, the listener is taken for the one that the engine ought to use.
      refusal: chosen?.refusal ?? (isMirror || readsHostsFiles(options) ? 'hard-stop' : 'deny'),
      defaultRegistry: chosen === undefined && isMirror ? HUB : chosen?.defaultRegistry,
      store: options.store,
    },
  };
}

function upstreamsOf(
  { upstreams }: EngineOptions,
  config: Config | undefined,
): { readonly ok: true; readonly hosts: readonly string[] } | { ok: false; problem: string } {
  const hosts = new Set<string>();
  for (const text of upstreams) {
    const host = parseHostName(text);
    if (!host.ok) return { ok: false, problem: `--upstream ${text} ${host.problem}` };
    if (config !== undefined && !config.upstreams.has(host.value)) {
      return { ok: false, problem: `the configuration has no upstream ${host.value}` };
    }
    hosts.add(host.value);
  }
  if (hosts.size > 0) return { ok: true, hosts: [...hosts] };
  const configured = [...(config?.upstreams.keys() ?? [])];
  if (configured.length > 0) return { ok: true, hosts: configured };
  return { ok: false, problem: 'say for which registries: --upstream HOST, or --config FILE' };
}

/** The listener that suits the engine best, or why there is none. */
function chooseListener(options: EngineOptions, { listeners }: Config): ListenerConfig | string {
  if (options.listener !== undefined) {
    const named = listeners.find(({ name }) => name === options.listener);
    return named ?? `the configuration has no listener ${options.listener}`;
  }
  if (usesMirrors(options)) {
    const mirrors = listeners.filter(({ defaultRegistry }) => defaultRegistry === HUB);
    return (
      best(mirrors, 'hard-stop') ??
      `the configuration has no listener with defaultRegistry: ${HUB} and refusal: hard-stop, which registry-mirrors of Docker needs: add one, or name another with --listener`
    );
  }
  // These settings leave no second place to ask, so either form is final; which one the engine prints differs.
  const readable = readsHostsFiles(options) ? 'hard-stop' : 'deny';
  return best(listeners, readable) ?? listeners[0] ?? 'the configuration has no listener';
}

/** The first listener with that form of refusal, or rather the first of them that also completes images. */
function best(
  listeners: readonly ListenerConfig[],
  form: ListenerConfig['refusal'],
): ListenerConfig | undefined {
  const suiting = listeners.filter(({ refusal }) => refusal === form);
  return suiting.find(({ completeFirst }) => completeFirst) ?? suiting[0];
}

function addressOf({ address }: EngineOptions, listener: ListenerConfig | undefined): URL | string {
  if (address !== undefined) {
    const url = parseServerUrl(address);
    if (!url.ok) return `--address ${address} ${url.problem}`;
    return url.value.pathname === '/' ? url.value : `--address ${address} has a path`;
  }
  if (listener === undefined) {
    return 'say where engines reach Pinnace: --address https://NAME:PORT';
  }
  const { host, port } = listener.address;
  const scheme = listener.tls === undefined ? 'http' : 'https';
  if (ANYWHERE.has(host) || port === 0) {
    return `listener ${listener.name} is bound to every address; say which name engines reach it by: --address ${scheme}://NAME:${port}`;
  }
  return new URL(`${scheme}://${host.includes(':') ? `[${host}]` : host}:${port}`);
}

/** Engines that ask with HEAD, whose answer has no words: they print what a hard stop has for its parts. */
function readsHostsFiles({ engine, store }: EngineOptions): boolean {
  return engine === 'containerd' || (engine === 'docker' && store === 'containerd');
}

function usesMirrors({ engine, store }: EngineOptions): boolean {
  return engine === 'docker' && store === 'classic';
}
