import { OciError } from './errors.ts';
import {
  parseRepositoryPath,
  type RegistryHost,
  type Repository,
  type RepositoryPath,
} from './names.ts';

/** The parts of a listener's settings that decide which registry a name means. */
export interface ListenerNaming {
  /** The registry of names that mention none. */
  readonly defaultRegistry?: RegistryHost;
  /** The registry that the host the request was sent to stands for. */
  readonly hostRegistry?: RegistryHost;
}

/** Docker Hub's registry as names have it. */
export const DOCKER_HUB: RegistryHost = 'docker.io' as RegistryHost;

/** Hosts under which engines address Docker Hub, in lower case. */
const HUB_ALIASES: ReadonlySet<string> = new Set(['index.docker.io', 'registry-1.docker.io']);

/**
 * Says which repository of which upstream a request means: by `?ns=`, by the host it was sent to, by a first path
 * component that is a configured upstream, else by the listener's default. Those that say something must say the same.
 * A first component that can only be taken for a host is never read as part of a path, unless `ns` says that it is one.
 * Single-component names of Docker Hub get `library/`.
 *
 * @param name - as in the route: grammar-checked, the first component may be a host with a port
 * @param upstreams - the configured registries; the result names one of them, spelt as it is there
 * @throws {OciError} `NAME_UNKNOWN` no configured registry is meant; `NAME_INVALID` `ns`, host and path disagree, or what is
 * left of the name is no repository path
 * @source reference: containerd docs/hosts.md (`ns`); Docker's name normalisation (`library/`)
 */
export function locateRepository(
  name: string,
  ns: RegistryHost | undefined,
  listener: ListenerNaming,
  upstreams: ReadonlySet<string>,
): Repository {
  const slash = name.indexOf('/');
  const first = slash < 0 ? undefined : name.slice(0, slash);
  const prefix = first === undefined ? undefined : configured(first, upstreams);
  const sayings: readonly Saying[] = [
    ['ns', ns === undefined ? undefined : requireConfigured(ns, upstreams)],
    ['the host', listener.hostRegistry],
    ['the path', prefix],
  ];
  const registry = agreed(sayings) ?? defaultOf(first, listener);
  if (prefix === undefined && first !== undefined && looksLikeHost(first)) {
    requirePathOf(registry, first, ns);
  }
  const rest = prefix === undefined ? name : name.slice(slash + 1);
  // What the configuration names is checked here once more: nothing else may ever be reached.
  const upstream = requireConfigured(registry, upstreams);
  return { registry: upstream, path: normalPath(upstream, parseRepositoryPath(rest)) };
}

/**
 * Adds `library/` to a single-component path of Docker Hub.
 *
 * @throws {OciError} `NAME_INVALID` when the name becomes too long
 */
export function normalPath(registry: RegistryHost, path: RepositoryPath): RepositoryPath {
  return registry === DOCKER_HUB && !path.includes('/')
    ? parseRepositoryPath(`library/${path}`)
    : path;
}

/** Says whether a first component can only be, or would be taken by engines as, a registry host. */
export function looksLikeHost(component: string): boolean {
  return (
    component.includes('.') ||
    component.includes(':') ||
    component === 'localhost' ||
    component !== component.toLowerCase()
  );
}

/** The configured upstream that `host` means, spelt as configured. */
function configured(host: string, upstreams: ReadonlySet<string>): RegistryHost | undefined {
  // The member of the set is a host because the configuration parsed it as one.
  if (upstreams.has(host)) return host as RegistryHost;
  const lower = host.toLowerCase();
  for (const upstream of upstreams) {
    if (upstream.toLowerCase() === lower) return upstream as RegistryHost;
  }
  return HUB_ALIASES.has(lower) ? configured(DOCKER_HUB, upstreams) : undefined;
}

function requireConfigured(host: RegistryHost, upstreams: ReadonlySet<string>): RegistryHost {
  const found = configured(host, upstreams);
  if (found === undefined) throw notConfigured(host);
  return found;
}

/** Where a registry is named, and which. */
type Saying = readonly [where: string, registry: RegistryHost | undefined];

/** The registry that all who name one name. @throws {OciError} `NAME_INVALID` when two differ */
function agreed(sayings: readonly Saying[]): RegistryHost | undefined {
  let found: readonly [where: string, registry: RegistryHost] | undefined;
  for (const [where, registry] of sayings) {
    if (registry === undefined) continue;
    if (found !== undefined && found[1] !== registry) {
      throw disagreement(`${found[0]} names ${found[1]}`, `${where} names ${registry}`);
    }
    found ??= [where, registry];
  }
  return found?.[1];
}

/**
 * Refuses a first component that somebody could take for another registry than the one that was found.
 *
 * @throws {OciError} `NAME_UNKNOWN`, `NAME_INVALID`
 */
function requirePathOf(registry: RegistryHost, first: string, ns: RegistryHost | undefined): void {
  if (ns === undefined) throw notConfigured(first, registry);
  // Other registries may have dots in their paths; no user or organisation of Docker Hub has one.
  if (registry === DOCKER_HUB) throw disagreement(`ns names ${ns}`, `the path names ${first}`);
}

function defaultOf(first: string | undefined, { defaultRegistry }: ListenerNaming): RegistryHost {
  if (defaultRegistry !== undefined) return defaultRegistry;
  if (first !== undefined && looksLikeHost(first)) throw notConfigured(first);
  throw new OciError(
    'NAME_UNKNOWN',
    'the name says no registry and this listener has no defaultRegistry: put the registry in front, as in docker.io/library/alpine',
  );
}

function disagreement(one: string, other: string): OciError {
  return new OciError('NAME_INVALID', `${one}, but ${other}`);
}

function notConfigured(host: string, registry?: RegistryHost): OciError {
  const path =
    registry === undefined || registry === DOCKER_HUB
      ? ''
      : `; if it is part of a path of ${registry}, put ${registry}/ in front of it`;
  return new OciError(
    'NAME_UNKNOWN',
    `${host} is not a registry that Pinnace is set up for: add it under upstreams, or pull by another name${path}`,
    { detail: { registry: host } },
  );
}
