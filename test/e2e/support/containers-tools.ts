import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { binary } from './components.ts';
import type { Place } from './place.ts';
import type { Finished } from './process.ts';
import type { Scratch } from './scratch.ts';

/** The file podman and skopeo read, for a test that writes its own. */
export interface RegistriesFile {
  readonly path: string;
  write(text: string): Promise<void>;
}

/** Makes a `registries.conf` that knows no registry at all until a test writes another. */
export async function makeRegistriesFile(scratch: Scratch, name: string): Promise<RegistriesFile> {
  const path = join(scratch.folder('containers'), `${name}.conf`);
  const file = { path, write: async (text: string) => await writeFile(path, text) };
  await file.write('unqualified-search-registries = []\n');
  return file;
}

/** podman with a store of its own, a new one for each object. */
export class Podman {
  readonly registries: RegistriesFile;
  readonly #place: Place;
  readonly #folder: string;

  private constructor(place: Place, folder: string, registries: RegistriesFile) {
    this.#place = place;
    this.#folder = folder;
    this.registries = registries;
  }

  /** Prepares a store. */
  static async create(scratch: Scratch, place: Place): Promise<Podman> {
    // A short name: podman takes no longer path than 50 characters for its run folder.
    const folder = scratch.folder(`p-${randomBytes(4).toString('hex')}`);
    const name = basename(folder);
    return new Podman(place, folder, await makeRegistriesFile(scratch, name));
  }

  /** The environment in which podman, without any option, works on this store. */
  async environment(): Promise<Readonly<Record<string, string>>> {
    const at = (name: string): string => join(this.#folder, name);
    await writeFile(
      at('storage.conf'),
      `[storage]\ndriver = "vfs"\ngraphroot = "${at('root')}"\nrunroot = "${at('run')}"\n`,
    );
    await writeFile(
      at('containers.conf'),
      `[engine]\nevents_logger = "file"\ncgroup_manager = "cgroupfs"\ntmp_dir = "${at('tmp')}"\n`,
    );
    return {
      CONTAINERS_REGISTRIES_CONF: this.registries.path,
      CONTAINERS_STORAGE_CONF: at('storage.conf'),
      CONTAINERS_CONF: at('containers.conf'),
      HOME: this.#folder,
    };
  }

  /** Runs podman. */
  async podman(...args: readonly string[]): Promise<Finished> {
    const at = (name: string): string => join(this.#folder, name);
    return await this.#place.run(
      [
        binary('podman'),
        ...['--root', at('root'), '--runroot', at('run'), '--tmpdir', at('tmp')],
        ...['--storage-driver', 'vfs', '--events-backend', 'file', '--cgroup-manager', 'cgroupfs'],
        ...args,
      ],
      { env: { CONTAINERS_REGISTRIES_CONF: this.registries.path, HOME: this.#folder } },
    );
  }

  /** Pulls an image; plain HTTP is allowed. */
  async pull(image: string): Promise<Finished> {
    return await this.podman('pull', '--tls-verify=false', image);
  }

  /** Pulls an image, with TLS as the settings say. */
  async pullVerified(image: string): Promise<Finished> {
    return await this.podman('pull', image);
  }

  /** Names of the images in the store, in a table. */
  async names(): Promise<string> {
    return (await this.podman('images', '--digests')).output;
  }

  /** Digests of the images in the store. */
  async digests(): Promise<readonly string[]> {
    const listed = await this.podman('images', '--digests', '--format', '{{.Digest}}');
    return listed.stdout.split('\n').filter((line) => line !== '');
  }
}

/** buildah with a store of its own. */
export class Buildah {
  readonly registries: RegistriesFile;
  readonly #place: Place;
  readonly #folder: string;

  private constructor(place: Place, folder: string, registries: RegistriesFile) {
    this.#place = place;
    this.#folder = folder;
    this.registries = registries;
  }

  /** Prepares a store. */
  static async create(scratch: Scratch, place: Place): Promise<Buildah> {
    const name = `b-${randomBytes(4).toString('hex')}`;
    return new Buildah(place, scratch.folder(name), await makeRegistriesFile(scratch, name));
  }

  /** Pulls an image, with TLS as the settings say. */
  async pullVerified(image: string): Promise<Finished> {
    return await this.#buildah('pull', image);
  }

  /** Names of the images in the store, in a table. */
  async names(): Promise<string> {
    return (await this.#buildah('images', '--digests')).output;
  }

  async #buildah(...args: readonly string[]): Promise<Finished> {
    const at = (name: string): string => join(this.#folder, name);
    return await this.#place.run(
      [
        binary('buildah'),
        ...['--root', at('root'), '--runroot', at('run'), '--storage-driver', 'vfs', ...args],
      ],
      { env: { CONTAINERS_REGISTRIES_CONF: this.registries.path, HOME: this.#folder } },
    );
  }
}

/** skopeo with its own settings; every copy goes to a folder. */
export class Skopeo {
  readonly registries: RegistriesFile;
  readonly #place: Place;
  readonly #folder: string;
  #copies = 0;

  private constructor(place: Place, folder: string, registries: RegistriesFile) {
    this.#place = place;
    this.#folder = folder;
    this.registries = registries;
  }

  /** Prepares the settings. */
  static async create(scratch: Scratch, place: Place): Promise<Skopeo> {
    const name = `skopeo-${randomBytes(4).toString('hex')}`;
    return new Skopeo(place, scratch.folder(name), await makeRegistriesFile(scratch, name));
  }

  /** Runs skopeo. */
  async skopeo(...args: readonly string[]): Promise<Finished> {
    return await this.#place.run(
      [binary('skopeo'), '--registries-conf', this.registries.path, ...args],
      { env: { HOME: this.#folder } },
    );
  }

  /** Copies an image to a fresh folder; plain HTTP is allowed. */
  async pull(
    image: string,
    ...more: readonly string[]
  ): Promise<Finished & { readonly folder: string }> {
    return await this.#copy(image, ['--src-tls-verify=false', ...more]);
  }

  /** Copies an image to a fresh folder, with TLS as the settings say. */
  async pullVerified(image: string): Promise<Finished> {
    return await this.#copy(image, []);
  }

  async #copy(
    image: string,
    more: readonly string[],
  ): Promise<Finished & { readonly folder: string }> {
    const folder = join(this.#folder, `copy-${this.#copies++}`);
    const done = await this.skopeo('copy', ...more, `docker://${image}`, `dir:${folder}`);
    return { ...done, folder };
  }
}
