import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { runCommandLine } from '../../src/cli/program.ts';
import type { Answer } from './http-faults.ts';
import type { Content } from './images.ts';
import { LoopbackServer } from './loopback-server.ts';
import { Registry } from './registry.ts';

/** What a command printed, and how it ended. */
export interface CommandResult {
  readonly exitCode: number;
  readonly out: string;
  readonly err: string;
}

const PASSPHRASE = 'a passphrase for tests';

/**
 * A site's own collection, kept with the commands of `pinnace collection` alone, and published in a folder that a web server
 * of plain files serves. Its images come from a registry on the loopback address.
 */
export class SiteCollection implements AsyncDisposable {
  readonly folder: string;
  readonly dir: string;
  readonly published: string;
  readonly registry: Registry;
  /** Serves what is published below `/metadata`, and the registry's manifests below `/targets`. */
  readonly web: LoopbackServer;
  readonly #targets = new Map<string, Content>();

  private constructor(folder: string, registry: Registry) {
    this.folder = folder;
    this.dir = join(folder, 'collection');
    this.published = join(folder, 'published');
    this.registry = registry;
    this.web = new LoopbackServer(({ path }) => this.#respond(path));
  }

  /** Makes and publishes one; `options` are those of `collection init`. */
  static async create(...options: readonly string[]): Promise<SiteCollection> {
    const folder = await mkdtemp(join(tmpdir(), 'pinnace-collection-'));
    const site = new SiteCollection(folder, await new Registry().start());
    await site.web.start();
    await site.#writeConfig();
    await site.run('init', ...options);
    await site.publish();
    return site;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([this.registry.stop(), this.web.stop()]);
    await rm(this.folder, { recursive: true, force: true, maxRetries: 5 });
  }

  /** Name of the registry in images, by which it is asked as well. */
  get host(): string {
    return `127.0.0.1:${this.registry.port}`;
  }

  /** Configuration of a Pinnace that reads the published collection. */
  get configFile(): string {
    return join(this.folder, 'pinnace.yaml');
  }

  /** The file by which clients begin to trust the collection. */
  async firstRoot(): Promise<Buffer> {
    return await readFile(join(this.dir, 'metadata', '1.root.json'));
  }

  /** Offers a target's content to clients that download it. */
  offerTarget(name: string, content: Content): void {
    const slash = name.lastIndexOf('/') + 1;
    const hash = content.digest.slice('sha256:'.length);
    this.#targets.set(`${name.slice(0, slash)}${hash}.${name.slice(slash)}`, content);
  }

  /** Runs `pinnace collection NAME`. @throws {Error} with what it printed unless it ends with 0 */
  async run(name: string, ...words: readonly string[]): Promise<CommandResult> {
    const result = await this.tryTo(name, ...words);
    if (result.exitCode === 0) return result;
    throw new Error(
      `collection ${name} ended with ${result.exitCode}:\n${result.out}${result.err}`,
    );
  }

  /** The same, however it ends. */
  async tryTo(name: string, ...words: readonly string[]): Promise<CommandResult> {
    const dir = name === 'keygen' ? [] : ['--dir', this.dir];
    return await this.command('collection', name, ...dir, ...words);
  }

  /** Runs any command of `pinnace`, with the passphrase of all keys at hand. */
  async command(...words: readonly string[]): Promise<CommandResult> {
    const printed = { out: '', err: '' };
    const exitCode = await runCommandLine(words, {
      stdout: { write: (text: string) => (printed.out += text) },
      stderr: { write: (text: string) => (printed.err += text) },
      env: { PINNACE_PASSPHRASE: PASSPHRASE },
    });
    return { exitCode, ...printed };
  }

  /** Puts the current state where clients read it. */
  async publish(): Promise<void> {
    await this.run('publish', this.published);
  }

  /** The key files that a role has in the collection's own folder. */
  async keyFiles(role: string): Promise<readonly string[]> {
    const folder = join(this.dir, 'keys');
    const names = (await readdir(folder)).filter((name) => name.startsWith(`${role}-`));
    return names.sort().map((name) => join(folder, name));
  }

  #respond(path: string): Answer | Promise<Answer> {
    const [, kind = '', name = ''] = /^\/(metadata|targets)\/(.+)$/.exec(path) ?? [];
    if (kind === 'metadata') return this.#publishedFile(name);
    const target = this.#targets.get(name);
    return target === undefined ? { status: 404 } : { status: 200, body: target.bytes };
  }

  async #publishedFile(name: string): Promise<Answer> {
    if (!/^[\w.-]+$/.test(name)) return { status: 404 };
    const body = await readFile(join(this.published, name)).catch(() => undefined);
    return body === undefined ? { status: 404 } : { status: 200, body };
  }

  async #writeConfig(): Promise<void> {
    const data = join(this.folder, 'data');
    await mkdir(data);
    const document = {
      data,
      listeners: { registry: { address: '127.0.0.1:0', defaultRegistry: this.host } },
      admin: { address: '127.0.0.1:0' },
      upstreams: { [this.host]: { url: this.registry.url } },
      trust: {
        vetted: {
          kind: 'tuf',
          url: `file://${this.published}`,
          root: join(this.dir, 'metadata', '1.root.json'),
          maxAge: '0s',
        },
      },
      policy: [{ match: `${this.host}/**`, trust: 'vetted' }],
    };
    await writeFile(this.configFile, stringify(document));
  }
}
