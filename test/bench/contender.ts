import { writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { stringify } from 'yaml';
import { freePort } from '../e2e/support/port.ts';
import { Daemon } from '../e2e/support/process.ts';
import { type Core, pinnedTo } from './cores.ts';
import { OWN_NAME } from './scenario.ts';
import { BENCH_REGISTRY, type Site } from './site.ts';

const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), '../..');

/** A server under measurement, on the server's core. */
export interface Contender {
  readonly name: string;
  /** `http://127.0.0.1:port`. */
  readonly url: string;
  readonly pid: number;
  /** Whether its code is compiled while it runs, so that the first second says little; default false. */
  readonly warmsUp?: boolean;
  stop(): Promise<void>;
}

/** How contenders are to run. */
export interface ContenderOptions {
  /** Whether each request is logged to a file; default false. */
  readonly requestLog?: boolean;
}

/** How Pinnace is to run beside that; the parts are those of the configuration file. */
export interface PinnaceOptions extends ContenderOptions {
  /** How long a verified answer is good; default `60s`. */
  readonly maxAge?: string;
  /** Further settings of the trust source. */
  readonly trust?: Readonly<Record<string, unknown>>;
  readonly more?: Readonly<Record<string, unknown>>;
  /** A data folder from before; default: one of its own. */
  readonly data?: string;
  /** Where it runs; default: on the server's core. */
  readonly core?: Core;
  /** Options of Node itself: `--cpu-prof`. */
  readonly nodeOptions?: readonly string[];
}

/** Starts Pinnace with verification on, in front of the site's registry and Notary server. */
export async function startPinnace(site: Site, options: PinnaceOptions = {}): Promise<PinnaceRun> {
  const folder = await site.folder('pinnace');
  const [port, adminPort] = [await freePort(), await freePort()];
  const file = join(folder, 'pinnace.yaml');
  const document = {
    data: options.data ?? join(folder, 'data'),
    listeners: {
      registry: { address: `127.0.0.1:${port}`, defaultRegistry: BENCH_REGISTRY },
    },
    admin: { address: `127.0.0.1:${adminPort}` },
    upstreams: { [BENCH_REGISTRY]: { url: site.registry.url } },
    trust: {
      corp: {
        kind: 'notary',
        url: site.notary.url,
        maxAge: options.maxAge ?? '60s',
        trustOnFirstUse: true,
        ...options.trust,
      },
    },
    policy: [{ match: `${BENCH_REGISTRY}/**`, trust: 'corp' }],
    log: { level: options.requestLog === true ? 'info' : 'warn' },
    ...options.more,
  };
  await writeFile(file, stringify(document));
  const node = [process.execPath, ...(options.nodeOptions ?? [])];
  const command = [...node, join(ROOT, 'src/cli/main.ts'), 'serve', '--config', file];
  const words = pinnedTo(options.core ?? 'server', command);
  const daemon = Daemon.start(words, join(folder, 'log'), { cwd: ROOT });
  const adminUrl = `http://127.0.0.1:${adminPort}`;
  await daemon.ready(async () => (await fetch(`${adminUrl}/readyz`)).ok);
  return {
    name: OWN_NAME,
    url: `http://127.0.0.1:${port}`,
    adminUrl,
    pid: daemon.pid,
    warmsUp: true,
    logFile: daemon.logFile,
    reload: () => daemon.signal('SIGHUP'),
    stop: async () => await daemon.stop(),
  };
}

/** Pinnace with what only an operator has. */
export interface PinnaceRun extends Contender {
  /** Base URL of the admin listener. */
  readonly adminUrl: string;
  readonly logFile: string;
  /** Has the configuration file read anew. */
  reload(): void;
}
