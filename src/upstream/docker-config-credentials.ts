import type { Credentials, Secret } from './credentials.ts';
import { ExchangeError } from './errors.ts';
import { HelperCredentials, type HelperOptions } from './helper-credentials.ts';

/** What a Docker configuration says about the login of one server. */
export type DockerLogin =
  | Secret
  /** A credential helper has it. */
  | { readonly kind: 'helper'; readonly helper: string }
  | { readonly kind: 'none' };

/** The login that a Docker configuration file has for one server; the file is read anew at every login. */
export class DockerConfigCredentials implements Credentials {
  readonly #options: Omit<HelperOptions, 'helper'>;
  readonly #look: () => Promise<DockerLogin>;
  readonly #helpers = new Map<string, HelperCredentials>();

  /** @param look - reads the file and finds the server's login in it */
  constructor(look: () => Promise<DockerLogin>, options: Omit<HelperOptions, 'helper'>) {
    this.#look = look;
    this.#options = options;
  }

  async read(host: string): Promise<Secret> {
    const login = await this.#find(host);
    switch (login.kind) {
      case 'helper':
        return await this.#helper(login.helper).read(host);
      case 'none': {
        const message = `the Docker configuration has no login for ${this.#options.server}`;
        throw new ExchangeError('denied', message, { detail: { host } });
      }
      default:
        return login;
    }
  }

  refused(secret: Secret): void {
    for (const helper of this.#helpers.values()) helper.refused(secret);
  }

  async #find(host: string): Promise<DockerLogin> {
    try {
      return await this.#look();
    } catch {
      // Not chained: it may quote the file.
      const message = `the Docker configuration with the login for ${host} cannot be read`;
      throw new ExchangeError('denied', message, { detail: { host } });
    }
  }

  #helper(helper: string): HelperCredentials {
    const known = this.#helpers.get(helper);
    if (known !== undefined) return known;
    const made = new HelperCredentials({ ...this.#options, helper });
    // Only the one that the file names now is kept.
    this.#helpers.clear();
    this.#helpers.set(helper, made);
    return made;
  }
}
