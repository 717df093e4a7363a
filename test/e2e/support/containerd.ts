import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { binary } from './components.ts';
import { pullByCri } from './cri.ts';
import type { Place } from './place.ts';
import { freePort } from './port.ts';
import type { Daemon, Finished } from './process.ts';
import { makeFolder, type Scratch } from './scratch.ts';

/** A real containerd with the native snapshotter; `ctr` pulls by the hosts files below {@link hostsFolder}. */
export class Containerd {
  readonly place: Place;
  readonly hostsFolder: string;
  readonly socket: string;
  readonly #folder: string;

  private constructor(place: Place, folder: string) {
    this.place = place;
    this.#folder = folder;
    this.socket = join(folder, 'containerd.sock');
    this.hostsFolder = join(folder, 'certs.d');
  }

  /**
   * Starts one and waits until it answers.
   *
   * @param options.kubernetes - whether it also answers the kubelet; default false
   */
  static async start(
    scratch: Scratch,
    place: Place,
    options: { readonly kubernetes?: boolean } = {},
  ): Promise<Containerd> {
    const name = `containerd-${await freePort()}`;
    const containerd = new Containerd(place, scratch.folder(name));
    scratch.folder(name, 'certs.d');
    const daemon = await containerd.#start(options.kubernetes ?? false);
    scratch.defer(name, async () => await daemon.stop());
    await daemon.ready(async () => (await containerd.ctr('version')).code === 0);
    return containerd;
  }

  /** Writes `hosts.toml` for a registry, or for all with `_default`. */
  async setHosts(registry: string, text: string): Promise<void> {
    const folder = await makeFolder(this.hostsFolder, registry);
    await writeFile(join(folder, 'hosts.toml'), text);
  }

  /** Runs ctr against this containerd. */
  async ctr(...args: readonly string[]): Promise<Finished> {
    return await this.place.run([binary('ctr'), '-a', this.socket, ...args]);
  }

  /** Pulls by the hosts files. */
  async pull(image: string, ...more: readonly string[]): Promise<Finished> {
    return await this.ctr(
      ...['images', 'pull', '--hosts-dir', this.hostsFolder, '--snapshotter', 'native'],
      ...more,
      image,
    );
  }

  /** Pulls as Kubernetes does. */
  async pullAsKubernetes(image: string): Promise<Finished> {
    return await pullByCri(this.socket, image);
  }

  /** The digest an image name stands for here, or `undefined`. */
  async digestOf(image: string): Promise<string | undefined> {
    const listed = await this.ctr('images', 'ls', `name==${image}`);
    return /sha256:[0-9a-f]{64}/.exec(listed.stdout)?.[0];
  }

  /** Digests of all content there is, of images or not. */
  async content(): Promise<readonly string[]> {
    const listed = await this.ctr('content', 'ls', '-q');
    return listed.stdout.split('\n').filter((line) => line !== '');
  }

  async #start(kubernetes: boolean): Promise<Daemon> {
    const file = join(this.#folder, 'config.toml');
    const text = [
      'version = 2',
      `root = "${join(this.#folder, 'root')}"`,
      `state = "${join(this.#folder, 'state')}"`,
      `disabled_plugins = [${kubernetes ? '' : '"io.containerd.grpc.v1.cri"'}]`,
      '[grpc]',
      `  address = "${this.socket}"`,
      '[plugins."io.containerd.internal.v1.opt"]',
      `  path = "${join(this.#folder, 'opt')}"`,
      ...(kubernetes ? this.#kubernetesPart() : []),
    ];
    await writeFile(file, `${text.join('\n')}\n`);
    return this.place.start([binary('containerd'), '--config', file], join(this.#folder, 'log'));
  }

  #kubernetesPart(): readonly string[] {
    return [
      '[plugins."io.containerd.grpc.v1.cri".containerd]',
      '  snapshotter = "native"',
      '[plugins."io.containerd.grpc.v1.cri".registry]',
      `  config_path = "${this.hostsFolder}"`,
    ];
  }
}
