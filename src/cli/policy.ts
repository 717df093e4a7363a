import type { Command } from 'commander';
import { showPolicy } from './policy-show.ts';
import { testPolicy } from './policy-test.ts';
import type { CommandIo } from './serve.ts';

/** Adds `policy show` and `policy test`. */
export function addPolicyCommands(
  program: Command,
  io: CommandIo,
  finish: (exitCode: number) => void,
): void {
  const policy = program.command('policy').description('look at the policy and try it');
  policy
    .command('show')
    .description('say which rule applies to an image and what it demands; asks nobody')
    .argument('<image>', 'for example registry.example.com/team/app:1.0')
    .option('-c, --config <file>', 'configuration file', '/etc/pinnace/pinnace.yaml')
    .option('--json', 'print one JSON document')
    .action(async (image: string, options: { config: string; json?: boolean }) =>
      finish(await showPolicy(image, { ...io, ...options })),
    );
  policy
    .command('test')
    .description(
      'compare what becomes of images with a file of expected verdicts (exit 0 all as expected, 1 not, 2 could not find out, 64 unreadable file)',
    )
    .argument('<file>', 'YAML: config, and cases of image, client, expect, reason, rule, digest')
    .option('-c, --config <file>', 'configuration file, instead of the one the file names')
    .option('--online', 'ask trust servers and registries, as resolve does')
    .option('--json', 'print one JSON document')
    .action(async (file: string, options: { config?: string; online?: boolean; json?: boolean }) =>
      finish(await testPolicy(file, { ...io, ...options })),
    );
}
