import { mkdir, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { stringify } from 'yaml';
import { freePort } from '../e2e/support/port.ts';
import { Daemon } from '../e2e/support/process.ts';
import type { Contender, ContenderOptions } from './contender.ts';
import { pinnedTo } from './cores.ts';
import { MANIFEST_ACCEPT } from './engine.ts';
import { PEER_PROGRAMS, whyMissing } from './programs.ts';
import type { BenchContext } from './scenario.ts';
import type { Site } from './site.ts';

const BARE_SERVER = resolve(fileURLToPath(import.meta.url), '../bare-server.ts');

/** Starts nginx and docker-registry, each a cache in front of the site's registry; one that is missing is left out by name. */
export async function startPeers(
  context: BenchContext,
  options: ContenderOptions = {},
): Promise<readonly Contender[]> {
  const nginx = await startPeer(context, 'nginx', () => startNginx(context.site, options));
  const registry = await startPeer(context, 'registry', () => startRegistry(context.site, options));
  return [nginx, registry].filter((peer) => peer !== undefined);
}

/** Starts docker-registry alone. */
export async function startRegistryPeer(context: BenchContext): Promise<readonly Contender[]> {
  const registry = await startPeer(context, 'registry', () => startRegistry(context.site, {}));
  return registry === undefined ? [] : [registry];
}

async function startPeer(
  context: BenchContext,
  program: 'nginx' | 'registry',
  start: () => Promise<Contender>,
): Promise<Contender | undefined> {
  const { name } = PEER_PROGRAMS[program];
  const missing = whyMissing(program);
  if (missing !== undefined) {
    context.leaveOut(name, missing);
    return undefined;
  }
  try {
    return await start();
  } catch (error) {
    context.leaveOut(name, `did not start: ${reasonOf(error)}`);
    return undefined;
  }
}

/** The first line of what went wrong. */
export function reasonOf(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return text.split('\n', 1)[0] ?? text;
}

/** Starts nginx as a caching proxy of one worker in front of the site's registry. */
async function startNginx(site: Site, options: ContenderOptions): Promise<Contender> {
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
async function startRegistry(site: Site, options: ContenderOptions): Promise<Contender> {
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
export async function startBare(
  site: Site,
  url: string,
  { requestLog = false }: ContenderOptions = {},
): Promise<Contender> {
  const folder = await site.folder('bare');
  const file = join(folder, 'body');
  const answer = await fetch(url, { headers: { accept: MANIFEST_ACCEPT } });
  await writeFile(file, new Uint8Array(await answer.arrayBuffer()));
  const fields = [...answer.headers].filter(([name]) => !OWN_FIELDS.has(name)).flat();
  const port = await freePort();
  const command = [process.execPath, BARE_SERVER, String(port), file, JSON.stringify(fields)];
  const log = requestLog ? [join(folder, 'requests')] : [];
  const daemon = Daemon.start(pinnedTo('server', [...command, ...log]), join(folder, 'log'));
  return { ...(await answering('node:http', port, daemon)), warmsUp: true };
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
