import { copyFile } from 'node:fs/promises';
import { join } from 'node:path';
import { makeSignerCertificate } from './certificates.ts';
import { binary } from './components.ts';
import type { DockerEngine } from './docker-engine.ts';
import type { Image } from './image.ts';
import type { Notary } from './notary.ts';
import { type Finished, run } from './process.ts';
import { makeFolder, type Scratch } from './scratch.ts';

const PASSPHRASE = 'a lab passphrase';

/** A signer to be added to a repository. */
export interface AddedSigner {
  readonly signer: string;
  /** File with the public key. */
  readonly key: string;
  readonly repository: string;
}

/** Where trust metadata is to be had: a Notary server, or something that shows what one has. */
export type TrustServer = Pick<Notary, 'place' | 'host' | 'url' | 'caFile'>;

/** A publisher: the real `notary` and `docker trust` with keys and pinned roots in a home of their own. */
export class TrustTools {
  readonly home: string;
  readonly #notary: TrustServer;

  private constructor(home: string, notary: TrustServer) {
    this.home = home;
    this.#notary = notary;
  }

  /** Makes a publisher who has signed nothing yet. */
  static async create(
    scratch: Scratch,
    notary: TrustServer,
    name = 'publisher',
  ): Promise<TrustTools> {
    const home = scratch.folder(name);
    // docker looks for a trust server's certificate authority below this folder, by host and port.
    const tls = await makeFolder(home, '.docker/tls', notary.host);
    await copyFile(notary.caFile, join(tls, 'ca.crt'));
    return new TrustTools(home, notary);
  }

  /** Runs the notary tool and gives back what it printed. */
  async notary(...args: readonly string[]): Promise<string> {
    return await this.#notary.place.runOk(this.#notaryCommand(...args), {
      env: this.#environment(),
    });
  }

  /** Runs the notary tool; the caller says whether it has to succeed. */
  async tryNotary(...args: readonly string[]): Promise<Finished> {
    return await this.#notary.place.run(this.#notaryCommand(...args), { env: this.#environment() });
  }

  /** Makes a new, empty collection. */
  async init(gun: string): Promise<void> {
    await this.notary('init', '-p', gun);
    // As docker does it: the server signs snapshots, so that signers need not share that key.
    await this.notary('key', 'rotate', gun, 'snapshot', '-r');
  }

  /** Signs a digest under a name, into `targets` or into delegations. */
  async sign(gun: string, tag: string, image: Image, ...roles: readonly string[]): Promise<void> {
    await this.notary(
      ...['addhash', '-p', gun, tag, `${image.size}`, '--sha256', image.digest.slice(7)],
      ...roles.flatMap((role) => ['-r', role]),
    );
  }

  /** Rotates a key: `role`, and `-r` to have the server hold the new one. A root rotation is confirmed. */
  async rotate(gun: string, ...args: readonly string[]): Promise<void> {
    await this.#notary.place.runOk(this.#notaryCommand('key', 'rotate', gun, ...args), {
      env: this.#environment(),
      input: 'yes\n',
    });
  }

  /** Makes a signer's key, delegates `roles` to it and keeps it for {@link sign}. */
  async delegate(gun: string, signer: string, ...roles: readonly string[]): Promise<void> {
    const files = await makeSignerCertificate(this.home, signer);
    for (const role of roles) {
      await this.notary('delegation', 'add', '-p', gun, role, files.certificate, '--all-paths');
    }
    await this.notary('key', 'import', files.key, '--role', signer);
  }

  /**
   * The id of the bare root key of the newest private root key in this home. (A root's own file names the id of the
   * certificate around it.)
   */
  async rootKeyId(): Promise<string> {
    const listed = await this.notary('key', 'list');
    const line = listed.split('\n').find((text) => text.startsWith('root'));
    const id = /[0-9a-f]{64}/.exec(line ?? '')?.[0];
    if (id === undefined) throw new Error(`no root key in:\n${listed}`);
    return id;
  }

  /** Runs `docker trust` against an engine; the caller says whether it has to succeed. */
  async dockerTrust(engine: DockerEngine, ...args: readonly string[]): Promise<Finished> {
    return await this.docker(engine, 'trust', ...args);
  }

  /** Runs the docker client with content trust on. */
  async docker(engine: DockerEngine, ...args: readonly string[]): Promise<Finished> {
    return await run([binary('docker'), ...args], {
      cwd: this.home,
      env: {
        ...engine.environment(),
        ...this.#environment(),
        DOCKER_CONTENT_TRUST: '1',
        DOCKER_CONTENT_TRUST_SERVER: this.#notary.url,
        DOCKER_CONTENT_TRUST_ROOT_PASSPHRASE: PASSPHRASE,
        DOCKER_CONTENT_TRUST_REPOSITORY_PASSPHRASE: PASSPHRASE,
      },
    });
  }

  /** As {@link dockerTrust}, for what has to succeed. */
  async dockerTrustOk(engine: DockerEngine, ...args: readonly string[]): Promise<string> {
    const done = await this.dockerTrust(engine, ...args);
    if (done.code !== 0) throw new Error(`docker trust ${args.join(' ')}:\n${done.output}`);
    return done.stdout;
  }

  /** Makes a signer's key with `docker trust`; the private part stays in this home. */
  async makeSignerKey(engine: DockerEngine, signer: string): Promise<void> {
    await this.dockerTrustOk(engine, 'key', 'generate', signer, '--dir', this.home);
  }

  /** Where {@link makeSignerKey} put the public part. */
  publicKeyFile(signer: string): string {
    return join(this.home, `${signer}.pub`);
  }

  /** Adds a signer to a repository, by their public key. */
  async addSignerKey(engine: DockerEngine, added: AddedSigner): Promise<void> {
    await this.dockerTrustOk(
      engine,
      ...['signer', 'add', '--key', added.key, added.signer, added.repository],
    );
  }

  /** Makes a signer's key in this home and adds the signer to a repository. */
  async addSigner(engine: DockerEngine, signer: string, repository: string): Promise<void> {
    await this.makeSignerKey(engine, signer);
    await this.addSignerKey(engine, { signer, key: this.publicKeyFile(signer), repository });
  }

  #notaryCommand(...args: readonly string[]): readonly string[] {
    return [
      binary('notary'),
      ...['-s', this.#notary.url, '-d', join(this.home, '.docker/trust')],
      ...['--tlscacert', this.#notary.caFile],
      ...args,
    ];
  }

  #environment(): Readonly<Record<string, string>> {
    return {
      HOME: this.home,
      NOTARY_ROOT_PASSPHRASE: PASSPHRASE,
      NOTARY_TARGETS_PASSPHRASE: PASSPHRASE,
      NOTARY_SNAPSHOT_PASSPHRASE: PASSPHRASE,
      NOTARY_DELEGATION_PASSPHRASE: PASSPHRASE,
    };
  }
}
