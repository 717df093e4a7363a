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
}

/** Docker Hub's registry as names have it. */
export const DOCKER_HUB: RegistryHost = 'docker.io' as RegistryHost;

/** Hosts under which engines address Docker Hub, in lower case. */
const HUB_ALIASES: ReadonlySet<string> = new Set(['index.docker.io', 'registry-1.docker.io']);

/**
 * Says which repository of which upstream a request means: by `?ns=`, else by a first path component that is a
 * configured upstream, else by the listener's default. Single-component names of Docker Hub get `library/`.
 *
 * @param name - as in the route: grammar-checked, the first component may be a host with a port
 * @param upstreams - the configured registries; the result names one of them, spelt as it is there
 * @throws {OciError} `NAME_UNKNOWN` no configured registry is meant; `NAME_INVALID` `ns` and path disagree, or what is
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
  const rest = prefix === undefined ? name : name.slice(slash + 1);
  const registry =
    ns === undefined
      ? (prefix ?? defaultFor(first, listener, upstreams))
      : agreed(requireConfigured(ns, upstreams), prefix);
  return { registry, path: normalPath(registry, parseRepositoryPath(rest)) };
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

function agreed(ns: RegistryHost, prefix: RegistryHost | undefined): RegistryHost {
  if (prefix !== undefined && prefix !== ns) {
    throw new OciError('NAME_INVALID', `ns names ${ns}, but the path names ${prefix}`, {
      detail: { ns, prefix },
    });
  }
  return ns;
}

function defaultFor(
  first: string | undefined,
  listener: ListenerNaming,
  upstreams: ReadonlySet<string>,
): RegistryHost {
  const registry = listener.defaultRegistry;
  const foreign = first !== undefined && looksLikeHost(first);
  // Other registries may have dots in their paths; no user or organisation of Docker Hub has one.
  if (foreign && (registry === undefined || registry === DOCKER_HUB || first.includes(':'))) {
    throw notConfigured(first);
  }
  if (registry === undefined) {
    throw new OciError(
      'NAME_UNKNOWN',
      'the name says no registry and this listener has no defaultRegistry: put the registry in front, as in docker.io/library/alpine',
    );
  }
  return requireConfigured(registry, upstreams);
}

function notConfigured(host: string): OciError {
  return new OciError(
    'NAME_UNKNOWN',
    `${host} is not a registry that Pinnace is set up for: add it under upstreams, or pull by another name`,
    { detail: { registry: host } },
  );
}
