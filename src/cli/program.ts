import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import { CodedError } from '../base/coded-error.ts';
import { VERSION } from '../base/version.ts';
import { processEnvironment } from '../config/env.ts';
import { checkConfig } from './check-config.ts';
import { addCollectionCommands } from './collection.ts';
import type { CommandLineIo } from './collection-io.ts';
import { addMigrateCommands } from './collection-migrate.ts';
import { addDoctorCommand } from './doctor.ts';
import { addEnginesCommand } from './engines.ts';
import { EXIT } from './exit-codes.ts';
import { systemFailureText } from './failure-text.ts';
import { addPolicyCommands } from './policy.ts';
import { printRecord } from './record.ts';
import { resolveImage } from './resolve.ts';
import { type CommandIo, serve } from './serve.ts';
import { resetClock, resetTrust, showTrust } from './trust.ts';

const KEEP_ALIVE_MS = 3_600_000;
const DEFAULT_CONFIG = '/etc/pinnace/pinnace.yaml';
const CONFIG_OPTION = ['-c, --config <file>', 'configuration file', DEFAULT_CONFIG] as const;

/**
 * Runs one command line.
 *
 * @param words - without the interpreter and the script
 * @param io - where it prints and what it reads; default: those of this process
 * @returns the exit code
 */
export async function runCommandLine(
  words: readonly string[],
  io: CommandLineIo = {
    stdout: process.stdout,
    stderr: process.stderr,
    env: processEnvironment(),
  },
): Promise<number> {
  let exitCode: number = EXIT.ok;
  const program = buildProgram(io, (code) => {
    exitCode = code;
  });
  // Timers of the core do not keep a process alive; a command that waits between two tries has nothing else that does.
  const alive = setInterval(() => undefined, KEEP_ALIVE_MS);
  try {
    await program.parseAsync([...words], { from: 'user' });
    return exitCode;
  } catch (error) {
    return report(error, io);
  } finally {
    clearInterval(alive);
  }
}

function buildProgram(io: CommandLineIo, finish: (exitCode: number) => void): Command {
  const program = new Command('pinnace')
    .description(
      'A verifying registry proxy: tags are pinned to signed digests before an engine sees them.',
    )
    .version(VERSION)
    .exitOverride()
    .configureOutput({
      writeOut: (text) => io.stdout.write(text),
      writeErr: (text) => io.stderr.write(text),
    })
    .showHelpAfterError('(pinnace --help shows what there is)');
  program
    .command('serve')
    .description('run the proxy until SIGTERM or SIGINT; SIGHUP has the configuration read anew')
    .option(...CONFIG_OPTION)
    .option('--no-watch', 'do not read it anew by itself when it or a file it names changes')
    .action(async (options: { config: string; watch: boolean }) =>
      finish(await serve({ ...io, ...options })),
    );
  program
    .command('check-config')
    .description('check a configuration file and everything it names; starts nothing')
    .argument('[file]', 'configuration file')
    .option('-c, --config <file>', 'the same, as other commands take it')
    .option('--no-files', 'do not look at the files and variables it names')
    .action(async (file: string | undefined, options: { config?: string; files: boolean }) =>
      finish(await checkConfig(file ?? options.config, { ...io, checkFiles: options.files })),
    );
  program
    .command('resolve')
    .description(
      'say what an image means, step by step (exit 0 pinned, 1 refused, 2 could not find out)',
    )
    .argument('<image>', 'for example registry.example.com/team/app:1.0')
    .option(...CONFIG_OPTION)
    .option('--json', 'print one JSON document')
    .action(async (image: string, options: { config: string; json?: boolean }) =>
      finish(await resolveImage(image, { ...io, ...options })),
    );
  addTrustCommands(program, io, finish);
  addPolicyCommands(program, io, finish);
  addEnginesCommand(program, io, finish);
  addCollectionCommands(program, io, finish);
  addMigrateCommands(program, io, finish);
  addDoctorCommand(program, io, finish);
  program
    .command('record')
    .description('print what ever passed, for pinnace doctor --compare --record on other hosts')
    .option(...CONFIG_OPTION)
    .action(async ({ config }: { config: string }) => finish(await printRecord(config, io)));
  return program;
}

function addTrustCommands(
  program: Command,
  io: CommandIo,
  finish: (exitCode: number) => void,
): void {
  const trust = program.command('trust').description('look at and mend what is trusted');
  trust
    .command('show')
    .description('show roots, keys, versions, expiries and signers of a collection')
    .argument('<gun>', 'for example registry.example.com/team/app')
    .option(...CONFIG_OPTION)
    .option('--offline', 'show what is on record without asking the trust server')
    .option('--json', 'print one JSON document')
    .action(async (gun: string, options: { config: string; offline?: boolean; json?: boolean }) =>
      finish(await showTrust(gun, { ...io, ...options })),
    );
  trust
    .command('reset')
    .description('forget a collection, so that its root is admitted anew by the configured anchor')
    .argument('<gun>', 'for example registry.example.com/team/app')
    .addOption(reasonOption())
    .option(...CONFIG_OPTION)
    .action(async (gun: string, options: { config: string; reason: string }) =>
      finish(await resetTrust(gun, { ...io, ...options })),
    );
  trust
    .command('reset-clock')
    .description('forget that the clock once showed a later time, after a clock that ran ahead')
    .addOption(reasonOption())
    .option(...CONFIG_OPTION)
    .action(async (options: { config: string; reason: string }) =>
      finish(await resetClock({ ...io, ...options })),
    );
}

function reasonOption(): Option {
  return new Option('--reason <text>', 'why; it is kept on record')
    .argParser((text: string) => {
      if (text.trim() === '') throw new InvalidArgumentError('Say why, in a few words.');
      return text;
    })
    .makeOptionMandatory();
}

function report(error: unknown, { stderr }: CommandIo): number {
  // Help and version come this way too, with exit code 0; commander has printed what there is to say.
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
  if (error instanceof CodedError) {
    stderr.write(`${error.message}\n`);
    return EXIT.refused;
  }
  const failure = systemFailureText(error);
  if (failure !== undefined) {
    stderr.write(`pinnace: ${failure}\n`);
    return EXIT.refused;
  }
  stderr.write(
    `pinnace: internal error: ${error instanceof Error ? error.stack : String(error)}\n`,
  );
  return EXIT.internal;
}
