/**
 * Shows the main job on this machine alone: an upstream registry, a Notary server and a collection of the site's own are made
 * on the spot, the real Pinnace is put in front of them, and images are pulled through it that may be served and others that
 * may not.
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
import { ACT_ONE } from './act-one.ts';
import { ACT_TWO, OwnStage } from './act-two.ts';
import { demoConfiguration } from './configuration.ts';
import { pull } from './engine.ts';
import { type CommandSeen, OwnCollection, PASSPHRASE, PROGRAM } from './own-collection.ts';
import { PinnaceProcess } from './pinnace-process.ts';
import { firstFreePort } from './ports.ts';
import { Report } from './report.ts';
import {
  type Actor,
  isAsExpected,
  type Played,
  playAct,
  type Scenario,
  type Setting,
} from './scenario.ts';
import { DEMO_REGISTRY, DEMO_TAG, OWN_PATHS, type Servers, Stage } from './stage.ts';

interface Arguments {
  readonly isOnce: boolean;
  readonly port: number | undefined;
}

interface Running {
  readonly pinnace: PinnaceProcess;
  readonly folder: string;
  readonly collection: OwnCollection;
  /** How the collection was made. */
  readonly made: CommandSeen;
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
  const stages = ACT_ONE.map((scenario) => new Stage(scenario.path, servers));
  const interrupted = onInterrupt(cleanup);
  const running = await startPinnace(wanted, { servers, stages, cleanup });
  report.line(`  Pinnace            http://127.0.0.1:${running.registryPort}  (the real one)`);
  report.line(`  its configuration  ${join(running.folder, 'pinnace.yaml')}`);
  const playing = playBothActs(running, { servers, stages, report });
  const played = await Promise.race([playing, interrupted]);
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
  // Its first root has to be there before a Pinnace can be told of it.
  const collection = cleanup.use(new OwnCollection(folder));
  const made = await collection.init();
  const facts = { ...world, collection, dataFolder, registryPort, adminPort };
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
  return { pinnace, folder, collection, made, registryPort, adminUrl };
}

async function playBothActs(
  running: Running,
  world: {
    readonly servers: Servers;
    readonly stages: readonly Stage[];
    readonly report: Report;
  },
): Promise<readonly Played[]> {
  const { report, servers } = world;
  const { collection } = running;
  let count = 0;
  const actorFor = ({ path, asked }: Pick<Scenario<Setting>, 'path' | 'asked'>): Actor => {
    count += 1;
    report.heading(`${count}. ${asked}`);
    return actorAt(path, running.registryPort, report);
  };
  report.act('Act one: tags that their publishers have signed, with a Notary v1 server');
  const stages = new Map(world.stages.map((stage) => [stage.path, stage]));
  const first = await playAct(ACT_ONE, stages, actorFor);
  report.act("Act two: images that nobody signs, in a collection of the site's own (TUF 1.0)");
  report.command(running.made);
  const show = (seen: CommandSeen): void => report.command(seen);
  const own = { registry: servers.registry, collection };
  const paths = new Set(ACT_TWO.map((scenario) => scenario.path));
  const ownStages = [...paths].map((path) => new OwnStage(path, own, show));
  const second = await playAct(
    ACT_TWO,
    new Map(ownStages.map((stage) => [stage.path, stage])),
    actorFor,
  );
  return [...first, ...second];
}

function actorAt(path: string, registryPort: number, report: Report): Actor {
  return {
    say: (text) => report.step(text),
    async pull() {
      report.step(`pull localhost:${registryPort}/${path}:${DEMO_TAG}`);
      const pulled = await pull(`http://127.0.0.1:${registryPort}`, path, DEMO_TAG);
      report.pulled(pulled);
      return pulled;
    },
  };
}

function explain(running: Running, report: Report): void {
  const name = (path: string): string => `localhost:${running.registryPort}/${path}:${DEMO_TAG}`;
  const lines = [
    '',
    'All of it stays up. Try it with a real engine on this machine:',
    `  docker pull ${name('signed')}          served (docker needs no configuration for localhost)`,
    `  docker run --rm ${name('moved')}       prints what was signed`,
    `  docker pull ${name('unsigned')}        refused, with the sentence above`,
    `  docker pull ${name(`${OWN_PATHS}/approved`)}    served, from the site's own collection`,
    `  podman pull --tls-verify=false ${name('signed')}`,
    'Keep the collection yourself:',
    `  cd ${running.folder} && export PINNACE_PASSPHRASE='${PASSPHRASE}'`,
    `  alias pinnace="${PROGRAM.map((word) => `'${word}'`).join(' ')}"`,
    '  pinnace collection list --dir vetted',
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
