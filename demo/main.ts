/**
 * Shows the main job on this machine alone: an upstream registry and a Notary server are made on the spot, the real
 * Pinnace is put in front of them, and images are pulled through it that may be served and others that may not.
 *
 * `--once` ends after the table, with 1 if a verdict is not the expected one; `--port N` chooses Pinnace's port.
 */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { NotaryServer } from '../test/support/notary-server.ts';
import { Registry } from '../test/support/registry.ts';
import { demoConfiguration } from './configuration.ts';
import { pull } from './engine.ts';
import { PinnaceProcess } from './pinnace-process.ts';
import { firstFreePort } from './ports.ts';
import { isAsExpected, type Played, Report } from './report.ts';
import { SCENARIOS } from './scenarios.ts';
import { DEMO_REGISTRY, DEMO_TAG, type Servers, Stage } from './stage.ts';

interface Arguments {
  readonly isOnce: boolean;
  readonly port: number | undefined;
}

interface Running {
  readonly pinnace: PinnaceProcess;
  readonly folder: string;
  readonly registryPort: number;
  readonly adminUrl: string;
}

const READY_WITHIN_MS = 20_000;
const CHECKOUT = fileURLToPath(new URL('..', import.meta.url));

async function main(): Promise<number> {
  const report = new Report(process.stdout);
  const wanted = readArguments(process.argv.slice(2));
  await using cleanup = new AsyncDisposableStack();
  const servers = await startServers(cleanup);
  report.line('Pinnace demo: everything runs on this machine, with keys made just now.');
  report.line(`  upstream registry  ${servers.registry.url}  (images of ${DEMO_REGISTRY})`);
  report.line(`  Notary v1 server   ${servers.notary.url}`);
  const stages = SCENARIOS.map((scenario) => new Stage(scenario.path, servers));
  const interrupted = onInterrupt(cleanup);
  const running = await startPinnace(wanted, { servers, stages, cleanup });
  report.line(`  Pinnace            http://127.0.0.1:${running.registryPort}  (the real one)`);
  report.line(`  its configuration  ${join(running.folder, 'pinnace.yaml')}`);
  const played = await Promise.race([playAll(running, stages, report), interrupted]);
  if (played === undefined) return 130;
  report.table(played);
  const isGood = played.every(isAsExpected);
  if (!isGood) report.line(`Pinnace's last lines:\n${running.pinnace.lastLines.join('\n')}`);
  if (wanted.isOnce) return isGood ? 0 : 1;
  explain(running, report);
  const ended = running.pinnace.ended().then(() => 'ended' as const);
  if ((await Promise.race([interrupted, ended])) === 'ended') {
    process.stderr.write(`demo: Pinnace ended\n${running.pinnace.lastLines.join('\n')}\n`);
    return 1;
  }
  return isGood ? 0 : 1;
}

function readArguments(argv: readonly string[]): Arguments {
  const { values } = parseArgs({
    args: [...argv],
    options: { once: { type: 'boolean', default: false }, port: { type: 'string' } },
  });
  if (values.port === undefined) return { isOnce: values.once, port: undefined };
  const port = Number(values.port);
  if (!Number.isInteger(port) || port < 1 || port > 65_535) {
    throw new Error(`--port ${values.port} is not a port number`);
  }
  return { isOnce: values.once, port };
}

async function startServers(cleanup: AsyncDisposableStack): Promise<Servers> {
  const registry = cleanup.use(await new Registry().start());
  const notary = cleanup.use(await new NotaryServer().start());
  return { registry, notary };
}

async function startPinnace(
  wanted: Arguments,
  world: {
    readonly servers: Servers;
    readonly stages: readonly Stage[];
    readonly cleanup: AsyncDisposableStack;
  },
): Promise<Running> {
  const { cleanup } = world;
  const registryPort = await firstFreePort(wanted.port === undefined ? range(5050) : [wanted.port]);
  const adminPort = await firstFreePort(range(9190).filter((port) => port !== registryPort));
  const adminUrl = `http://127.0.0.1:${adminPort}`;
  const folder = await makeFolder();
  cleanup.defer(() => rm(folder, { recursive: true, force: true }));
  const configFile = join(folder, 'pinnace.yaml');
  const dataFolder = join(folder, 'data');
  await mkdir(dataFolder);
  const facts = { ...world, dataFolder, registryPort, adminPort };
  await writeFile(configFile, demoConfiguration(facts));
  const pinnace = await PinnaceProcess.start({
    configFile,
    logFile: join(folder, 'pinnace.log'),
    readyUrl: `${adminUrl}/readyz`,
    timeoutMs: READY_WITHIN_MS,
  });
  cleanup.defer(() => pinnace.stop());
  // Whatever ends the demo must not leave a Pinnace behind.
  process.once('exit', () => pinnace.kill());
  return { pinnace, folder, registryPort, adminUrl };
}

async function playAll(
  running: Running,
  stages: readonly Stage[],
  report: Report,
): Promise<readonly Played[]> {
  const base = `http://127.0.0.1:${running.registryPort}`;
  const played: Played[] = [];
  for (const [index, scenario] of SCENARIOS.entries()) {
    const stage = stages[index];
    if (stage === undefined) continue;
    report.heading(`${index + 1}. ${scenario.asked}`);
    const result = await scenario.play(stage, {
      say: (text) => report.step(text),
      async pull() {
        report.step(`pull localhost:${running.registryPort}/${stage.path}:${DEMO_TAG}`);
        const pulled = await pull(base, stage.path, DEMO_TAG);
        report.pulled(pulled);
        return pulled;
      },
    });
    played.push({ scenario, stage, result });
  }
  return played;
}

function explain(running: Running, report: Report): void {
  const name = (path: string): string => `localhost:${running.registryPort}/${path}:${DEMO_TAG}`;
  const lines = [
    '',
    'All of it stays up. Try it with a real engine on this machine:',
    `  docker pull ${name('signed')}         served (docker needs no configuration for localhost)`,
    `  docker run --rm ${name('moved')}      prints what was signed`,
    `  docker pull ${name('unsigned')}       refused, with the sentence above`,
    `  podman pull --tls-verify=false ${name('signed')}`,
    'Look inside:',
    `  status page  ${running.adminUrl}/`,
    `  as JSON      ${running.adminUrl}/api/v1/status`,
    `  metrics      ${running.adminUrl}/metrics`,
    `  log          ${join(running.folder, 'pinnace.log')}`,
    'Ctrl-C ends everything and removes its files.',
  ];
  for (const line of lines) report.line(line);
}

async function makeFolder(): Promise<string> {
  try {
    await mkdir(join(CHECKOUT, '.demo'), { recursive: true });
    return await mkdtemp(join(CHECKOUT, '.demo', 'run-'));
  } catch {
    // A read-only checkout is no reason to fail.
    return await mkdtemp(join(tmpdir(), 'pinnace-demo-'));
  }
}

function onInterrupt(cleanup: AsyncDisposableStack): Promise<undefined> {
  const { promise, resolve } = Promise.withResolvers<undefined>();
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  const stop = (): void => resolve(undefined);
  for (const signal of signals) process.on(signal, stop);
  cleanup.defer(() => {
    for (const signal of signals) process.off(signal, stop);
  });
  return promise;
}

function range(first: number): readonly number[] {
  return Array.from({ length: 20 }, (_, index) => first + index);
}

main().then(
  (code) => {
    process.exitCode = code;
  },
  (error: unknown) => {
    process.stderr.write(`demo: ${error instanceof Error ? error.message : String(error)}\n`);
    process.exitCode = 1;
  },
);
