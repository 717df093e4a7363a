import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { binary } from './components.ts';
import type { Place } from './place.ts';
import { freePort } from './port.ts';
import type { Daemon } from './process.ts';
import type { Scratch } from './scratch.ts';

/** A user of a registry. */
export interface RegistryUser {
  readonly username: string;
  readonly password: string;
}

/** Where a registry listens and keeps its content; TLS when both files are given. */
export interface RegistryOptions {
  readonly name?: string;
  readonly host?: string;
  readonly port?: number;
  readonly tls?: { readonly certificate: string; readonly key: string };
  /** The only one who is let in, by Basic and a htpasswd file; default: everybody is. */
  readonly user?: RegistryUser;
  /** The registry whose content it gives out; default: its own. */
  readonly contentOf?: Registry;
}

/** A real docker-registry with its own folder and port; deletes are allowed. */
export class Registry {
  readonly place: Place;
  readonly host: string;
  readonly folder: string;
  readonly #config: string;
  readonly #tls: boolean;
  #user: RegistryUser | undefined;
  #daemon: Daemon | undefined;

  private constructor(place: Place, folder: string, where: { host: string; tls: boolean }) {
    this.place = place;
    this.folder = folder;
    this.host = where.host;
    this.#tls = where.tls;
    this.#config = join(folder, 'config.yml');
  }

  /** Starts one and waits until it answers. */
  static async start(
    scratch: Scratch,
    place: Place,
    options: RegistryOptions = {},
  ): Promise<Registry> {
    const folder = scratch.folder(options.name ?? 'registry');
    const port = options.port ?? (await freePort());
    const address = `${options.host ?? '127.0.0.1'}:${port}`;
    const { tls, user, contentOf } = options;
    const content = contentOf?.folder ?? folder;
    const lines = [
      'version: 0.1',
      'log: {level: warn}',
      `storage: {filesystem: {rootdirectory: "${join(content, 'data')}"}, delete: {enabled: true}}`,
      'http:',
      `  addr: "${address}"`,
      ...(tls === undefined
        ? []
        : [`  tls: {certificate: "${tls.certificate}", key: "${tls.key}"}`]),
      ...(user === undefined
        ? []
        : [`auth: {htpasswd: {realm: lab, path: "${join(folder, 'htpasswd')}"}}`]),
    ];
    const registry = new Registry(place, folder, { host: address, tls: tls !== undefined });
    await writeFile(registry.#config, `${lines.join('\n')}\n`);
    if (user !== undefined) await registry.letIn(user);
    scratch.defer(`registry ${address}`, async () => await registry.stop());
    await registry.resume();
    return registry;
  }

  /** `http://host:port`, for people and programs outside containers. */
  get url(): string {
    return `${this.#tls ? 'https' : 'http'}://${this.host}`;
  }

  /** Lets in this user from now on, and nobody else. */
  async letIn(user: RegistryUser): Promise<void> {
    const line = await this.place.runOk([
      binary('htpasswd'),
      ...['-Bbn', user.username, user.password],
    ]);
    await writeFile(join(this.folder, 'htpasswd'), line);
    this.#user = user;
  }

  /** Starts again after {@link stop}, with the same content. */
  async resume(): Promise<void> {
    const daemon = this.place.start(
      [binary('registry'), 'serve', this.#config],
      join(this.folder, 'log'),
    );
    this.#daemon = daemon;
    const login =
      this.#user === undefined ? [] : ['-u', `${this.#user.username}:${this.#user.password}`];
    const url = `${this.url}/v2/`;
    await daemon.ready(async () => await this.place.answers(url, '-k', ...login));
  }

  /** Ends it; the content stays. */
  async stop(): Promise<void> {
    await this.#daemon?.stop();
  }

  /** The access log's lines that mention `text`; a request is logged when it is over. */
  async requestsFor(text: string): Promise<readonly string[]> {
    const log = (await this.#daemon?.log()) ?? '';
    return log.split('\n').filter((line) => line.includes('HTTP/1.1"') && line.includes(text));
  }

  /** Removes a repository with all its tags from the disk. */
  async forget(repository: string): Promise<void> {
    const folder = join(this.folder, 'data/docker/registry/v2/repositories', repository);
    await rm(folder, { recursive: true, force: true });
  }

  /** Where the bytes of a blob or manifest lie on the disk. */
  blobFile(digest: string): string {
    const hex = digest.slice(digest.indexOf(':') + 1);
    return join(this.folder, 'data/docker/registry/v2/blobs/sha256', hex.slice(0, 2), hex, 'data');
  }
}
