import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { App } from '../../src/app/app.ts';
import type { Clock, Timer } from '../../src/base/clock.ts';
import type { Environment } from '../../src/config/env.ts';
import { type LoadedConfig, loadConfig } from '../../src/config/load.ts';
import { FakeClock } from './fake-clock.ts';
import { type Image, type ImageIndex, signedContentOf } from './images.ts';
import { NotaryRepository } from './notary-repository.ts';
import { NotaryServer } from './notary-server.ts';
import { Registry } from './registry.ts';
import { type Answer, type Ask, ask, ociError } from './registry-under-test.ts';

/** The upstream registry's name in images. */
export const REGISTRY_HOST = 'registry.example.com';

/** How a Pinnace under test differs from the usual one; the parts are those of the configuration file. */
export interface PinnaceSettings {
  readonly listeners?: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  /** Settings of the trust source `corp` beside its URL. */
  readonly trust?: Readonly<Record<string, unknown>>;
  /** Settings of the upstream beside its URL. */
  readonly upstream?: Readonly<Record<string, unknown>>;
  readonly policy?: readonly Readonly<Record<string, unknown>>[];
  /** Further top-level parts: `limits`, `cache`, `log`. */
  readonly more?: Readonly<Record<string, unknown>>;
}

/** The longest pause that `BriskClock` hurries, and how much; milliseconds. */
const BRISK_MS = 2_000;
const BRISKNESS = 20;

/**
 * A clock that stands still until a test moves it, but on which short pauses, those between tries, come to an end by
 * themselves and soon.
 */
export class BriskClock extends FakeClock {
  override after(delayMs: number, action: () => void): Timer {
    if (delayMs > BRISK_MS) return super.after(delayMs, action);
    const timer = setTimeout(action, delayMs / BRISKNESS);
    timer.unref();
    return { cancel: () => clearTimeout(timer) };
  }
}

/** What surrounds Pinnace: an upstream registry, a Notary server, publishers, and a folder that goes away with it. */
export class Surroundings implements AsyncDisposable {
  readonly registry: Registry;
  readonly notary: NotaryServer;
  readonly folder: string;

  private constructor(folder: string, registry: Registry, notary: NotaryServer) {
    this.folder = folder;
    this.registry = registry;
    this.notary = notary;
  }

  static async start(
    options: {
      readonly registry?: ConstructorParameters<typeof Registry>[0];
      readonly notary?: ConstructorParameters<typeof NotaryServer>[0];
    } = {},
  ): Promise<Surroundings> {
    const folder = await mkdtemp(join(tmpdir(), 'pinnace-proxy-'));
    const registry = await new Registry(options.registry).start();
    return new Surroundings(folder, registry, await new NotaryServer(options.notary).start());
  }

  /** A publisher of a repository of the upstream registry. */
  publisher(
    path: string,
    options: Partial<ConstructorParameters<typeof NotaryRepository>[0]> = {},
  ): Publisher {
    const gun = `${REGISTRY_HOST}/${path}`;
    return new Publisher(this, path, new NotaryRepository({ ...options, gun }));
  }

  /** Writes a configuration file and gives back its name. */
  async writeConfig(settings: PinnaceSettings = {}, file = 'pinnace.yaml'): Promise<string> {
    const path = join(this.folder, file);
    const document = {
      data: join(this.folder, 'data'),
      listeners: settings.listeners ?? {
        registry: { address: '127.0.0.1:0', defaultRegistry: REGISTRY_HOST },
      },
      admin: { address: '127.0.0.1:0' },
      upstreams: { [REGISTRY_HOST]: { url: this.registry.url, ...settings.upstream } },
      trust: {
        corp: { kind: 'notary', url: this.notary.url, trustOnFirstUse: true, ...settings.trust },
      },
      policy: settings.policy ?? [{ match: `${REGISTRY_HOST}/**`, trust: 'corp' }],
      ...settings.more,
    };
    await writeFile(path, stringify(document));
    return path;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([this.registry.stop(), this.notary.stop()]);
    await rm(this.folder, { recursive: true, force: true, maxRetries: 5 });
  }
}

/** Pushes images of one repository and signs them. */
export class Publisher {
  readonly path: string;
  readonly trust: NotaryRepository;
  readonly #surroundings: Surroundings;

  constructor(surroundings: Surroundings, path: string, trust: NotaryRepository) {
    this.#surroundings = surroundings;
    this.path = path;
    this.trust = trust;
  }

  /** Pushes an image under a tag without signing anything. */
  push(tag: string, image: Image | ImageIndex): void {
    this.#surroundings.registry.push(this.path, image, tag);
  }

  /** Pushes an image, signs it under the tag and publishes. */
  release(tag: string, image: Image | ImageIndex, role?: string): void {
    this.push(tag, image);
    this.trust.sign(tag, signedContentOf(image), role);
    this.publish();
  }

  /** Publishes what was signed. */
  publish(...edits: Parameters<NotaryRepository['publish']>): void {
    this.#surroundings.notary.serve(this.trust.gun, this.trust.publish(...edits));
  }
}

/** The whole of Pinnace, configured by a file and listening on sockets, in this process. */
export class RunningPinnace implements AsyncDisposable {
  readonly clock: Clock;
  readonly lines: string[] = [];
  readonly #app: App;

  private constructor(app: App, clock: Clock, lines: string[]) {
    this.#app = app;
    this.clock = clock;
    this.lines = lines;
  }

  /** Loads the configuration file, starts, and resolves when pulls can be made. */
  static async start(
    configFile: string,
    options: { readonly clock?: Clock; readonly env?: Environment } = {},
  ): Promise<RunningPinnace> {
    const { clock = new BriskClock(), env = {} } = options;
    const lines: string[] = [];
    const load = (): Promise<LoadedConfig> => loadConfig(configFile, { env, clock });
    const logSink = { write: (line: string) => lines.push(line) };
    const app = new App({ ...(await load()), clock, logSink, load });
    try {
      await app.start();
    } catch (error) {
      await app.stop();
      throw error;
    }
    return new RunningPinnace(app, clock, lines);
  }

  port(listener = 'registry'): number {
    return this.#app.addresses.get(listener)?.port ?? 0;
  }

  get adminPort(): number {
    return this.#app.adminAddress?.port ?? 0;
  }

  /** Asks a listener; `path` follows `/v2/`. */
  get(path: string, options: Ask & { readonly listener?: string } = {}): Promise<Answer> {
    return ask(this.port(options.listener), `/v2/${path}`, options);
  }

  head(path: string, options: Ask & { readonly listener?: string } = {}): Promise<Answer> {
    return this.get(path, { ...options, method: 'HEAD' });
  }

  admin(path: string, options: Ask = {}): Promise<Answer> {
    return ask(this.adminPort, path, options);
  }

  /** What a reference comes to: the digest that was served, or the reason code of the refusal. */
  async verdict(repository: string, reference: string): Promise<string> {
    const answer = await this.get(`${repository}/manifests/${reference}`);
    return answer.status === 200
      ? String(answer.headers['docker-content-digest'])
      : reasonOf(answer);
  }

  /** Asks the trust server now, as an operator would. */
  refresh(repository?: string): Promise<Answer> {
    const body = JSON.stringify(repository === undefined ? {} : { repository });
    return this.admin('/api/v1/refresh', { method: 'POST', body });
  }

  /** Has the configuration file read anew, as SIGHUP does. */
  async reload(): Promise<void> {
    await this.#app.reload('signal');
  }

  /** The value of one series, as it stands in the text format: `name{label="value"}`. */
  async metric(series: string): Promise<number | undefined> {
    const text = (await this.admin('/metrics')).body.toString();
    const line = text.split('\n').find((each) => each.startsWith(`${series} `));
    return line === undefined ? undefined : Number(line.slice(series.length + 1));
  }

  /** The log lines of one event. */
  logged(event: string): readonly Record<string, unknown>[] {
    return this.lines
      .map((line): Record<string, unknown> => JSON.parse(line))
      .filter((line) => line['event'] === event);
  }

  async stop(): Promise<void> {
    await this.#app.stop();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}

/** The reason code of a refusal; the header and, where there is one, the body must agree. */
export function reasonOf(answer: Answer): string {
  const reason = String(answer.headers['x-pinnace-reason'] ?? `status ${answer.status}`);
  if (answer.body.length > 0 && answer.status >= 400) {
    const told = ociError(answer).detail?.['code'];
    if (told !== undefined && told !== reason) return `${reason} but ${told} in the body`;
  }
  return reason;
}

/** What arrived of an answer before it ended or was cut. */
export interface PartialAnswer {
  readonly status: number;
  readonly body: Buffer;
  /** Whether it ended as it should. */
  readonly isComplete: boolean;
}

/** Makes one request and takes whatever comes of the answer. */
export function takeWhatComes(port: number, path: string): Promise<PartialAnswer> {
  const { promise, resolve, reject } = Promise.withResolvers<PartialAnswer>();
  const outgoing = request({ host: '127.0.0.1', port, path, agent: false }, (incoming) => {
    const chunks: Buffer[] = [];
    incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
    incoming.on('error', () => undefined);
    incoming.on('close', () =>
      resolve({
        status: incoming.statusCode ?? 0,
        body: Buffer.concat(chunks),
        isComplete: incoming.complete,
      }),
    );
  });
  outgoing.on('error', reject);
  outgoing.end();
  return promise;
}
