import { accessSync, constants } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { stringify } from 'yaml';
import { freePort } from '../e2e/support/port.ts';
import { Daemon } from '../e2e/support/process.ts';
import { MANIFEST_ACCEPT } from './engine.ts';
import { pinnedTo } from './machine.ts';
import { BENCH_REGISTRY, type Site } from './site.ts';

const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), '../..');

/** A server under measurement, on the server's core. */
export interface Contender {
  readonly name: string;
  /** `http://127.0.0.1:port`. */
  readonly url: string;
  readonly pid: number;
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
  readonly more?: Readonly<Record<string, unknown>>;
  /** A data folder from before; default: one of its own. */
  readonly data?: string;
}

/** Peers from Debian packages, with the program whose absence is reported. */
export const PEER_PROGRAMS = {
  nginx: { path: '/usr/sbin/nginx', package: 'nginx-light' },
  registry: { path: '/usr/bin/docker-registry', package: 'docker-registry' },
  wrk: { path: '/usr/bin/wrk', package: 'wrk' },
  skopeo: { path: '/usr/bin/skopeo', package: 'skopeo' },
} as const;

/** A program that a scenario needs. */
export type PeerProgram = keyof typeof PEER_PROGRAMS;

/** Why a program cannot take part; undefined when it can. */
export function whyMissing(program: PeerProgram): string | undefined {
  const { path, package: name } = PEER_PROGRAMS[program];
  try {
    accessSync(path, constants.X_OK);
    return undefined;
  } catch {
    return `${path} is not installed (Debian package ${name})`;
  }
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
      },
    },
    policy: [{ match: `${BENCH_REGISTRY}/**`, trust: 'corp' }],
    log: { level: options.requestLog === true ? 'info' : 'warn' },
    ...options.more,
  };
  await writeFile(file, stringify(document));
  const command = [process.execPath, join(ROOT, 'src/cli/main.ts'), 'serve', '--config', file];
  const daemon = Daemon.start(pinnedTo('server', command), join(folder, 'log'), { cwd: ROOT });
  const adminUrl = `http://127.0.0.1:${adminPort}`;
  await daemon.ready(async () => (await fetch(`${adminUrl}/readyz`)).ok);
  return {
    name: 'pinnace',
    url: `http://127.0.0.1:${port}`,
    adminUrl,
    pid: daemon.pid,
    stop: async () => await daemon.stop(),
  };
}

/** Pinnace with the address of its admin listener. */
export interface PinnaceRun extends Contender {
  readonly adminUrl: string;
}

/** Starts nginx as a caching proxy of one worker in front of the site's registry. */
export async function startNginx(site: Site, options: ContenderOptions = {}): Promise<Contender> {
  const folder = await site.folder('nginx');
  const port = await freePort();
  const file = join(folder, 'nginx.conf');
  await mkdir(join(folder, 'cache'));
  await writeFile(file, nginxConfig(folder, { port, upstream: site.registry.port, ...options }));
  const command = [PEER_PROGRAMS.nginx.path, '-c', file, '-p', folder];
  const daemon = Daemon.start(pinnedTo('server', command), join(folder, 'log'));
  return await answering('nginx', port, daemon);
}

/** Starts Debian's docker-registry as a pull-through cache in front of the site's registry. */
export async function startRegistry(
  site: Site,
  options: ContenderOptions = {},
): Promise<Contender> {
  const folder = await site.folder('docker-registry');
  const port = await freePort();
  const file = join(folder, 'config.yml');
  const document = {
    version: 0.1,
    log: { level: 'error', accesslog: { disabled: options.requestLog !== true } },
    storage: { filesystem: { rootdirectory: join(folder, 'data') } },
    http: { addr: `127.0.0.1:${port}` },
    proxy: { remoteurl: site.registry.url },
  };
  await writeFile(file, stringify(document));
  const command = [PEER_PROGRAMS.registry.path, 'serve', file];
  const daemon = Daemon.start(pinnedTo('server', command), join(folder, 'log'));
  return await answering('docker-registry', port, daemon);
}

/** Fields of an answer that `node:http` writes by itself. */
const OWN_FIELDS: ReadonlySet<string> = new Set(['date', 'connection', 'keep-alive']);

/** Starts a bare `node:http` server that gives, whatever is asked, the answer that `url` gives now: fields and body. */
export async function startBare(site: Site, url: string): Promise<Contender> {
  const folder = await site.folder('bare');
  const file = join(folder, 'body');
  const answer = await fetch(url, { headers: { accept: MANIFEST_ACCEPT } });
  await writeFile(file, new Uint8Array(await answer.arrayBuffer()));
  const fields = [...answer.headers].filter(([name]) => !OWN_FIELDS.has(name)).flat();
  const port = await freePort();
  const script = join(ROOT, 'test/bench/bare-server.ts');
  const command = [process.execPath, script, String(port), file, JSON.stringify(fields)];
  const daemon = Daemon.start(pinnedTo('server', command), join(folder, 'log'));
  return await answering('node:http', port, daemon);
}

async function answering(name: string, port: number, daemon: Daemon): Promise<Contender> {
  const url = `http://127.0.0.1:${port}`;
  await daemon.ready(async () => (await fetch(`${url}/v2/`)).ok);
  return { name, url, pid: daemon.pid, stop: async () => await daemon.stop() };
}

function nginxConfig(
  folder: string,
  options: { readonly port: number; readonly upstream: number; readonly requestLog?: boolean },
): string {
  const log = options.requestLog === true ? join(folder, 'access.log') : 'off';
  // Its workers would give up being root, and could not write below this folder.
  const user = process.getuid?.() === 0 ? 'user root;\n' : '';
  return `${user}daemon off;
worker_processes 1;
pid ${folder}/pid;
error_log stderr error;
events { worker_connections 4096; }
http {
  access_log ${log};
  sendfile on;
  tcp_nopush on;
  keepalive_requests 100000000;
  client_body_temp_path ${folder}/body;
  proxy_temp_path ${folder}/temp;
  fastcgi_temp_path ${folder}/fastcgi;
  uwsgi_temp_path ${folder}/uwsgi;
  scgi_temp_path ${folder}/scgi;
  proxy_cache_path ${folder}/cache keys_zone=all:64m max_size=20g use_temp_path=off;
  upstream origin { server 127.0.0.1:${options.upstream}; keepalive 16; }
  server {
    listen 127.0.0.1:${options.port} backlog=4096;
    location = /v2/ { return 200 '{}'; }
    location / {
      proxy_pass http://origin;
      proxy_http_version 1.1;
      proxy_set_header Connection '';
      proxy_cache all;
      proxy_cache_lock on;
      proxy_cache_valid 200 1h;
      proxy_max_temp_file_size 0;
    }
  }
}
`;
}
