import type { HostNames } from '../oci/host-names.ts';
import type { RegistryHost, Repository } from '../oci/names.ts';
import { type LocatedRoute, LocatedRoutes } from './located-routes.ts';
import type { ListenerProfile } from './registry-context.ts';
import { type AddressedRequest, addressOf } from './request-authority.ts';

/** A request as far as it is routed. */
interface RoutedRequest extends AddressedRequest {
  readonly method?: string | undefined;
}

/**
 * The routes of one listener, remembered apart for each registry that one of its host names stands for: the same target
 * means another repository there.
 */
export class ListenerRoutes {
  readonly #profile: ListenerProfile;
  readonly #upstreams: ReadonlySet<string>;
  readonly #hosts: HostNames | undefined;
  readonly #plain: LocatedRoutes;
  readonly #byHost = new Map<RegistryHost, LocatedRoutes>();

  constructor(profile: ListenerProfile, upstreams: ReadonlySet<string>) {
    this.#profile = profile;
    this.#upstreams = upstreams;
    this.#hosts = profile.hosts;
    this.#plain = new LocatedRoutes(profile, upstreams);
  }

  /**
   * What a request was found to mean before, or undefined.
   *
   * @throws {OciError} `NAME_INVALID` when the listener has host names and the request does not say clearly which it is for
   */
  known(request: RoutedRequest): LocatedRoute | undefined {
    const { method = '', url = '' } = request;
    if (this.#hosts === undefined) return this.#plain.known(method, url);
    const { routes, target } = this.#addressed(this.#hosts, request);
    return routes.known(method, target);
  }

  /** @throws {OciError} as `known`, `parseRoute` and `locateRepository` do */
  parse(request: RoutedRequest): LocatedRoute {
    const { method = '', url = '' } = request;
    if (this.#hosts === undefined) return this.#plain.parse(method, url);
    const { routes, target } = this.#addressed(this.#hosts, request);
    return routes.parse(method, target);
  }

  /**
   * The repository that a name alone means in a request like this one.
   *
   * @throws {OciError} as `known` and `locateRepository` do
   */
  locateName(request: RoutedRequest, name: string): Repository {
    const { routes } =
      this.#hosts === undefined ? { routes: this.#plain } : this.#addressed(this.#hosts, request);
    return routes.locateName(name);
  }

  #addressed(
    hosts: HostNames,
    request: RoutedRequest,
  ): { readonly routes: LocatedRoutes; readonly target: string } {
    const { authority, target } = addressOf(request);
    const registry = hosts.registryOf(authority);
    // A target that names a host of somebody else's is a request to a proxy, which Pinnace is not: it stays refused.
    if (registry === undefined) return { routes: this.#plain, target: request.url ?? '' };
    let routes = this.#byHost.get(registry);
    if (routes === undefined) {
      const naming = { ...this.#profile.naming, hostRegistry: registry };
      routes = new LocatedRoutes({ ...this.#profile, naming }, this.#upstreams);
      this.#byHost.set(registry, routes);
    }
    return { routes, target };
  }
}
