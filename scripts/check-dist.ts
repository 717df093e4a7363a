/**
 * Tries what `npm run build` made: `npm run check:dist`. Every example configuration is loaded, and the proxy is started,
 * asked whether it is ready, asked for an image that no rule is for, and stopped.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { stringify } from 'yaml';

const MAIN = 'dist/cli/main.js';
const READY_WITHIN_MS = 20_000;

function insist(holds: boolean, problem: string): asserts holds {
  if (holds) return;
  process.stderr.write(`${problem}\n`);
  process.exit(1);
}

function checkImports(): void {
  for (const path of globSync('dist/**/*.js')) {
    const isBroken = /(?:from|import\()\s*'\.[^']*\.ts'/.test(readFileSync(path, 'utf8'));
    insist(!isBroken, `${path} imports a .ts file`);
  }
}

function checkExamples(): void {
  for (const path of globSync('config/*.yaml').sort()) {
    const run = spawnSync(process.execPath, [MAIN, 'check-config', '--no-files', path], {
      encoding: 'utf8',
    });
    insist(run.status === 0, `check-config ${path}:\n${run.stderr}`);
    process.stdout.write(`${path} is loaded\n`);
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  insist(address !== null && typeof address === 'object', 'no free port');
  return address.port;
}

/** A configuration whose servers do not exist: nothing of them is needed to become ready or to refuse. */
function configuration(data: string, port: number, adminPort: number): string {
  return stringify({
    data,
    listeners: {
      registry: { address: `127.0.0.1:${port}`, defaultRegistry: 'registry.example.com' },
    },
    admin: { address: `127.0.0.1:${adminPort}` },
    upstreams: { 'registry.example.com': { url: 'http://127.0.0.1:9' } },
    trust: {
      none: {
        kind: 'notary',
        url: 'http://127.0.0.1:9',
        anchors: [{ gun: 'registry.example.com/**', rootKeys: ['0'.repeat(64)] }],
      },
    },
    policy: [{ match: 'registry.example.com/team/**', trust: 'none' }],
  });
}

async function statusOf(url: string): Promise<number | undefined> {
  try {
    const answer = await fetch(url);
    await answer.body?.cancel();
    return answer.status;
  } catch {
    return undefined; // nobody listens there yet
  }
}

async function becomeReady(url: string, child: ChildProcess): Promise<void> {
  const deadline = performance.now() + READY_WITHIN_MS;
  while ((await statusOf(url)) !== 200) {
    insist(child.exitCode === null, `serve ended with ${child.exitCode}`);
    insist(performance.now() < deadline, `not ready after ${READY_WITHIN_MS} ms`);
    await sleep(50);
  }
}

async function checkServe(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'pinnace-dist-'));
  process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
  const [port, adminPort] = [await freePort(), await freePort()];
  const config = join(folder, 'pinnace.yaml');
  writeFileSync(config, configuration(join(folder, 'data'), port, adminPort));
  const child = spawn(process.execPath, [MAIN, 'serve', '--config', config], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  process.on('exit', () => child.kill('SIGKILL'));
  await becomeReady(`http://127.0.0.1:${adminPort}/readyz`, child);
  const registry = `http://127.0.0.1:${port}/v2/`;
  const ping = await statusOf(registry);
  insist(ping === 200, `GET /v2/ gave ${ping}`);
  const refused = await statusOf(`${registry}other/app/manifests/1.0`);
  insist(refused === 403, `an image without a rule gave ${refused}`);
  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  const [code] = await ended;
  insist(code === 0, `SIGTERM ended it with ${code}`);
  process.stdout.write('serve became ready, refused and stopped\n');
}

checkImports();
checkExamples();
await checkServe();
