import { Command, CommanderError } from 'commander';
import { CodedError } from '../base/coded-error.ts';
import { VERSION } from '../base/version.ts';
import { processEnvironment } from '../config/env.ts';
import { ConfigError } from '../config/errors.ts';
import { checkConfig } from './check-config.ts';
import { addCollectionCommands } from './collection.ts';
import { addMigrateCommands } from './collection-migrate.ts';
import { EXIT } from './exit-codes.ts';
import { resolveImage } from './resolve.ts';
import { serve } from './serve.ts';
import { resetTrust, showTrust } from './trust.ts';

const DEFAULT_CONFIG = '/etc/pinnace/pinnace.yaml';
const CONFIG_OPTION = ['-c, --config <file>', 'configuration file', DEFAULT_CONFIG] as const;

/**
 * Runs one command line.
 *
 * @param words - without the interpreter and the script
 * @returns the exit code
 */
export async function runCommandLine(words: readonly string[]): Promise<number> {
  let exitCode: number = EXIT.ok;
  const program = buildProgram((code) => {
    exitCode = code;
  });
  try {
    await program.parseAsync([...words], { from: 'user' });
    return exitCode;
  } catch (error) {
    return report(error);
  }
}

function buildProgram(finish: (exitCode: number) => void): Command {
  const io = { stdout: process.stdout, stderr: process.stderr, env: processEnvironment() };
  const program = new Command('pinnace')
    .description(
      'A verifying registry proxy: tags are pinned to signed digests before an engine sees them.',
    )
    .version(VERSION)
    .exitOverride()
    .showHelpAfterError('(pinnace --help shows what there is)');
  program
    .command('serve')
    .description('run the proxy until SIGTERM or SIGINT')
    .option(...CONFIG_OPTION)
    .action(async ({ config }: { config: string }) => finish(await serve(config, io)));
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
  addCollectionCommands(program, io, finish);
  addMigrateCommands(program, io, finish);
  return program;
}

type Io = Parameters<typeof serve>[1];

function addTrustCommands(program: Command, io: Io, finish: (exitCode: number) => void): void {
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
    .requiredOption('--reason <text>', 'why; it is kept on record')
    .option(...CONFIG_OPTION)
    .action(async (gun: string, options: { config: string; reason: string }) =>
      finish(await resetTrust(gun, { ...io, ...options })),
    );
}

function report(error: unknown): number {
  // Help and version come this way too, with exit code 0; commander has printed what there is to say.
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
  if (error instanceof ConfigError || error instanceof CodedError) {
    process.stderr.write(`${error.message}\n`);
    return EXIT.refused;
  }
  if (error instanceof Error && 'syscall' in error) {
    process.stderr.write(`pinnace: ${error.message}\n`);
    return EXIT.refused;
  }
  process.stderr.write(
    `pinnace: internal error: ${error instanceof Error ? error.stack : String(error)}\n`,
  );
  return EXIT.internal;
}
