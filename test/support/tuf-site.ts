import { mkdir, mkdtemp, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { App } from '../../src/app/app.ts';
import type { Clock } from '../../src/base/clock.ts';
import { resolveImage } from '../../src/cli/resolve.ts';
import type { CommandIo } from '../../src/cli/serve.ts';
import { loadConfig } from '../../src/config/load.ts';
import { FakeClock } from './fake-clock.ts';
import type { Answer as HttpAnswer } from './http-faults.ts';
import { LoopbackServer } from './loopback-server.ts';
import type { PublishedFiles } from './publication.ts';
import { Registry } from './registry.ts';
import { type Answer, type Ask, ask } from './registry-under-test.ts';
import { pushFiles } from './tuf-artifact.ts';
import { TufRepository, type TufRepositoryOptions } from './tuf-repository.ts';

/** By which way a Pinnace under test gets at the TUF repository. */
export type TufWay = 'https' | 'folder' | 'artifact';

/** The upstream registry's name in images. */
export const SITE_REGISTRY = 'registry.example.com';

/** How Pinnace is configured beside where its metadata is. */
export interface TufSettings {
  /** Of the trust source `vetted`. */
  readonly trust?: Readonly<Record<string, unknown>>;
  readonly policy?: readonly Readonly<Record<string, unknown>>[];
}

const ARTIFACT = { repository: 'trust/vetted', tag: 'current' };

/** A site with images it has vetted: a registry, a TUF repository published in every way, and Pinnace before them. */
export class TufSite implements AsyncDisposable {
  readonly clock: FakeClock;
  readonly repository: TufRepository;
  readonly registry: Registry;
  readonly files: LoopbackServer;
  readonly folder: string;
  #served: PublishedFiles = new Map();
  #generation = 0;

  private constructor(folder: string, registry: Registry, options: TufRepositoryOptions) {
    // The command line goes by the machine's clock.
    this.clock = new FakeClock(new Date());
    this.repository = new TufRepository({ now: new Date(), ...options });
    this.folder = folder;
    this.registry = registry;
    this.files = new LoopbackServer(({ path }) => this.#respond(path));
  }

  static async start(options: TufRepositoryOptions = {}): Promise<TufSite> {
    const folder = await mkdtemp(join(tmpdir(), 'pinnace-tuf-'));
    const site = new TufSite(folder, await new Registry().start(), options);
    await site.files.start();
    return site;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([this.registry.stop(), this.files.stop()]);
    await rm(this.folder, { recursive: true, force: true, maxRetries: 5 });
  }

  /** Publishes what was signed, in every way. */
  async publish(...edits: Parameters<TufRepository['publish']>): Promise<PublishedFiles> {
    this.repository.now = new Date(this.clock.now());
    return await this.serve(this.repository.publish(...edits));
  }

  /** Serves these files in every way, and no others. */
  async serve(files: PublishedFiles): Promise<PublishedFiles> {
    this.#served = files;
    pushFiles(this.registry, ARTIFACT, files);
    this.#generation += 1;
    const fresh = join(this.folder, `files-${this.#generation}`);
    await mkdir(fresh);
    for (const [name, bytes] of files) await writeFile(join(fresh, name), bytes);
    await symlink(fresh, `${this.#link}.new`);
    await rename(`${this.#link}.new`, this.#link);
    return files;
  }

  /** Writes a configuration file and gives back its name. */
  async writeConfig(way: TufWay, settings: TufSettings = {}): Promise<string> {
    const root = join(this.folder, 'root.json');
    await writeFile(root, this.repository.firstRoot);
    const url = {
      https: `${this.files.url}/metadata`,
      folder: `file://${this.#link}`,
      artifact: `oci://${SITE_REGISTRY}/${ARTIFACT.repository}:${ARTIFACT.tag}`,
    }[way];
    const document = {
      data: join(this.folder, `data-${way}`),
      listeners: { registry: { address: '127.0.0.1:0', defaultRegistry: SITE_REGISTRY } },
      admin: { address: `127.0.0.1:${await freePort()}` },
      upstreams: { [SITE_REGISTRY]: { url: this.registry.url } },
      trust: { vetted: { kind: 'tuf', url, root, maxAge: '0s', ...settings.trust } },
      policy: settings.policy ?? [{ match: `${SITE_REGISTRY}/team/**`, trust: 'vetted' }],
    };
    const path = join(this.folder, `${way}.yaml`);
    await writeFile(path, stringify(document));
    return path;
  }

  /** The whole of Pinnace, configured by a file and listening on sockets, in this process. */
  async pinnace(config: string): Promise<SitePinnace> {
    return await SitePinnace.start(config, this.clock);
  }

  get #link(): string {
    return join(this.folder, 'published files');
  }

  #respond(path: string): HttpAnswer {
    // A server of plain files takes names as they stand on disk; the test server has decoded them.
    const name = path.replace('/metadata/', '').replaceAll('/', '%2F');
    const body = path.startsWith('/metadata/') ? this.#served.get(name) : undefined;
    return body === undefined ? { status: 404 } : { status: 200, body: Buffer.from(body) };
  }
}

/** A running Pinnace. */
export class SitePinnace implements AsyncDisposable {
  readonly lines: string[];
  readonly #app: App;
  readonly #adminPort: number;

  private constructor(app: App, lines: string[], adminPort: number) {
    this.#app = app;
    this.lines = lines;
    this.#adminPort = adminPort;
  }

  static async start(configFile: string, clock: Clock): Promise<SitePinnace> {
    const { config, warnings } = await loadConfig(configFile, { env: {}, clock });
    const lines: string[] = [];
    const logSink = { write: (line: string): number => lines.push(line) };
    const app = new App({ config, clock, logSink, warnings });
    await app.start();
    return new SitePinnace(app, lines, config.admin.address.port);
  }

  /** Asks as an engine does; `path` follows `/v2/`. */
  get(path: string, options: Ask = {}): Promise<Answer> {
    return ask(this.#app.addresses.get('registry')?.port ?? 0, `/v2/${path}`, options);
  }

  /** Asks the admin listener. */
  admin(path: string, options: Ask = {}): Promise<Answer> {
    return ask(this.#adminPort, path, options);
  }

  /** What a tag comes to: the digest that is served, or the reason code of the refusal. */
  async verdict(repository: string, tag: string): Promise<string> {
    const { status, headers } = await this.get(`${repository}/manifests/${tag}`);
    return String(status === 200 ? headers['docker-content-digest'] : headers['x-pinnace-reason']);
  }

  /** The log lines of one event. */
  logged(event: string): readonly Record<string, unknown>[] {
    return this.lines
      .map((line): Record<string, unknown> => JSON.parse(line))
      .filter((line) => line['event'] === event);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#app.stop();
  }
}

/** What a command printed, and how it ended. */
export interface Printed {
  readonly exitCode: number;
  readonly out: string;
  readonly err: string;
}

/** Runs a command of the command line in this process. */
export async function printedBy(run: (io: CommandIo) => Promise<number>): Promise<Printed> {
  const printed = { out: '', err: '' };
  const exitCode = await run({
    stdout: { write: (text: string) => (printed.out += text) },
    stderr: { write: (text: string) => (printed.err += text) },
    env: {},
  });
  return { exitCode, ...printed };
}

/** Runs `pinnace resolve`. */
export async function resolved(image: string, config: string, json: boolean): Promise<Printed> {
  return await printedBy((io) => resolveImage(image, { ...io, config, json }));
}

async function freePort(): Promise<number> {
  const server = createServer();
  const { promise, resolve } = Promise.withResolvers<void>();
  server.listen(0, '127.0.0.1', resolve);
  await promise;
  const address = server.address();
  await new Promise((done) => server.close(done));
  return typeof address === 'object' && address !== null ? address.port : 0;
}
