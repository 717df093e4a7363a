import { type Command, Option } from 'commander';
import { systemClock } from '../base/clock.ts';
import { CANARY_KINDS } from '../oci/canary.ts';
import {
  collectImage,
  collectRegistry,
  type DoctorImages,
  namedFor,
  parseTimeout,
  registriesFor,
} from './doctor-arguments.ts';
import { checkRegistry } from './doctor-check.ts';
import { ENGINE_KINDS } from './doctor-engine.ts';
import { type EngineChoice, type FoundEngine, findEngines } from './doctor-find.ts';
import { runProgram } from './doctor-program.ts';
import { type CompareOptions, compareHost } from './doctor-record.ts';
import { doctorReport, doctorText, engineReport, exitCodeOf } from './doctor-report.ts';
import { EXIT } from './exit-codes.ts';
import { Progress } from './progress.ts';
import type { CommandIo } from './serve.ts';
import { StopSignal } from './stop-signal.ts';

/** What `doctor` works with. */
interface DoctorOptions extends EngineChoice, DoctorImages, CompareOptions {
  readonly compare?: boolean;
  /** Of one pull. */
  readonly timeout: number;
  readonly json?: boolean;
}

const TIMEOUT_MS = 120_000;
const HELP = `
Pulls three canaries of each registry through each engine that is found, and removes them again. Pinnace answers for them
(pinnace-canary/signed, /unsigned and /tampered): the first has to land, the others have to be refused for good.

With --compare nothing is pulled: the images that the engines have are held to Pinnace's record, by digest.

Exit codes: 0 every refusal held (every image passed), 1 a refusal did not hold (an image never passed), 2 could not find out,
64 wrong command line.
docs/doctor.md says what is proven by which outcome.`;

/** Adds `doctor` to the command line. */
export function addDoctorCommand(
  program: Command,
  io: CommandIo,
  finish: (exitCode: number) => void,
): void {
  const command = program
    .command('doctor')
    .description('pull canaries through the engines of this host and say whether refusals hold')
    .addOption(
      new Option('--engine <name>', 'only this engine; default: all that are found').choices(
        ENGINE_KINDS,
      ),
    )
    .option('--address <address>', 'of the engine, as in unix:///run/docker.sock; needs --engine')
    .option('--hosts-dir <folder>', 'containerd: the folder with the hosts.toml files')
    .option('--namespace <name>', 'containerd: the namespace to pull into')
    .addOption(
      repeated('--registry <name>', 'registry as image names have it', collectRegistry).default(
        [],
        'those in the engine’s settings, else docker.io',
      ),
    )
    .addOption(
      new Option('--timeout <duration>', 'longest time for one pull')
        .argParser(parseTimeout)
        .default(TIMEOUT_MS, '2m'),
    )
    .option('--compare', 'list the images of the engines that never passed through Pinnace')
    .addOption(
      new Option('--pinnace <url>', 'with --compare: Pinnace’s admin listener').conflicts('record'),
    )
    .option('--record <file>', 'with --compare: what "pinnace record" printed on Pinnace’s machine')
    .option('--json', 'print one JSON document')
    .addHelpText('after', HELP);
  for (const kind of CANARY_KINDS) {
    const must = kind === 'signed' ? 'has to land' : 'has to be refused';
    const text = `an image of yours that exists at the registry and ${must}`;
    command.addOption(repeated(`--${kind} <image>`, text, collectImage).default([], 'none'));
  }
  command.action(async (options: DoctorOptions) => finish(await examineHost(options, io)));
}

function repeated(
  flags: string,
  text: string,
  collect: (text: string, earlier: readonly string[]) => readonly string[],
): Option {
  return new Option(flags, `${text}; may be repeated`).argParser(collect);
}

/** Examines the engines of this host; returns the exit code. */
async function examineHost(options: DoctorOptions, io: CommandIo): Promise<number> {
  if (options.address !== undefined && options.engine === undefined) {
    io.stderr.write('--address needs --engine: say which engine is there\n');
    return EXIT.usage;
  }
  const hasRecord = options.pinnace !== undefined || options.record !== undefined;
  if (hasRecord !== (options.compare === true)) {
    io.stderr.write('--compare needs --pinnace URL or --record FILE, and they need it\n');
    return EXIT.usage;
  }
  const stop = new StopSignal();
  const abort = new AbortController();
  void stop.received.then(() => abort.abort());
  const progress = new Progress(io.stderr);
  try {
    const session: Session = {
      options,
      signal: abort.signal,
      onStep: (what) => progress.step(what),
    };
    const context = { env: io.env, run: runProgram, signal: abort.signal };
    const found = await findEngines(options, context);
    return options.compare === true
      ? await compareHost(found, { ...options, signal: abort.signal }, io)
      : await pullCanaries(found, session, io);
  } finally {
    progress.end();
    stop.release();
  }
}

async function pullCanaries(
  { engines, problems }: Awaited<ReturnType<typeof findEngines>>,
  session: Session,
  io: CommandIo,
): Promise<number> {
  const { options, signal } = session;
  const reports = [];
  for (const found of engines) {
    const registries = [];
    for (const registry of registriesFor(await found.engine.registries(), options)) {
      if (signal.aborted) break;
      registries.push(await check(found, registry, session));
    }
    reports.push(engineReport(found.engine, found.facts, registries));
  }
  const report = doctorReport(reports, {
    at: new Date(systemClock.now()),
    problems: [...problems, ...(signal.aborted ? ['stopped by a signal'] : [])],
  });
  const isJson = options.json === true;
  io.stdout.write(isJson ? `${JSON.stringify(report, null, 2)}\n` : doctorText(report));
  return exitCodeOf(report.verdict);
}

interface Session {
  readonly options: DoctorOptions;
  readonly signal: AbortSignal;
  readonly onStep: (what: string) => void;
}

async function check(
  { engine, facts }: FoundEngine,
  registry: string,
  { options, signal, onStep }: Session,
): ReturnType<typeof checkRegistry> {
  return await checkRegistry(engine, facts, {
    registry,
    timeoutMs: options.timeout,
    signal,
    onStep,
    named: namedFor(registry, options),
    nonce: () => crypto.randomUUID().replaceAll('-', ''),
  });
}
