import { type Authority, formatAuthority, parseAuthority } from './authority.ts';
import type { RegistryHost } from './names.ts';

/** Hosts in requests that are remembered; more are looked up anew. */
const MAX_REMEMBERED = 256;

/** The registries that names of a listener's own stand for: a name with a port stands for requests that state it. */
export class HostNames {
  readonly #registries: ReadonlyMap<string, RegistryHost>;
  readonly #remembered = new Map<string, RegistryHost | undefined>();

  /** @throws {OciError} `NAME_INVALID` when a name is no host with an optional port */
  constructor(names: Iterable<readonly [name: string, registry: RegistryHost]>) {
    this.#registries = new Map(
      Array.from(names, ([name, registry]) => [formatAuthority(parseAuthority(name)), registry]),
    );
  }

  /**
   * The registry that a request to `authority` is for, or undefined where no name is for it.
   *
   * @param authority - the value of `Host` or `:authority` as received
   * @throws {OciError} `NAME_INVALID` when that is no host with an optional port
   */
  registryOf(authority: string): RegistryHost | undefined {
    const known = this.#remembered.get(authority);
    if (known !== undefined || this.#remembered.has(authority)) return known;
    const registry = this.#find(parseAuthority(authority));
    if (this.#remembered.size >= MAX_REMEMBERED) this.#remembered.clear();
    this.#remembered.set(authority, registry);
    return registry;
  }

  #find(authority: Authority): RegistryHost | undefined {
    return this.#registries.get(formatAuthority(authority)) ?? this.#registries.get(authority.host);
  }
}
