import type { Command } from 'commander';
import { type MigrationFacts, migrationFacts } from '../app/collection-notary.ts';
import { type Clock, systemClock } from '../base/clock.ts';
import { loadConfig } from '../config/load.ts';
import { plain } from '../signing/words.ts';
import { EXIT } from './exit-codes.ts';
import type { CommandIo } from './serve.ts';

/** What `migrate report` works with. */
export interface MigrateOptions {
  readonly config: string;
  readonly json?: boolean;
}

const DAY = 86_400_000;
const DEFAULT_CONFIG = '/etc/pinnace/pinnace.yaml';

/** Adds the commands for moving away from services that end. */
export function addMigrateCommands(
  program: Command,
  io: CommandIo,
  finish: (exitCode: number) => void,
): void {
  const group = program.command('migrate').description('move away from services that end');
  group
    .command('report')
    .description('say per repository who signs what today, and when that service ends')
    .argument('[repository...]', 'beside those on record, for example docker.io/library/alpine')
    .option('-c, --config <file>', 'configuration file', DEFAULT_CONFIG)
    .option('--json', 'print one JSON document')
    .action(async (repositories: readonly string[], options: MigrateOptions) =>
      finish(await reportMigration(repositories, { options, io, clock: systemClock })),
    );
}

/** Says what each repository's trust rests on, and until when; returns 0, or 1 when that cannot be said of one of them. */
export async function reportMigration(
  repositories: readonly string[],
  {
    options,
    io,
    clock,
  }: { readonly options: MigrateOptions; readonly io: CommandIo; readonly clock: Clock },
): Promise<number> {
  const { config } = await loadConfig(options.config, { env: io.env });
  const facts = await migrationFacts(config, repositories, clock);
  const text = facts.map((each) => factsText(each, clock.now())).join('');
  io.stdout.write(
    options.json === true
      ? `${JSON.stringify(facts, null, 2)}\n`
      : text || 'No repository is on record yet; name some.\n',
  );
  return facts.some(({ problem }) => problem !== undefined) ? EXIT.refused : EXIT.ok;
}

function factsText(facts: MigrationFacts, now: number): string {
  const { repository, source, kind, ends, signers, problem } = facts;
  const lines = [
    plain(repository),
    ...(source === undefined ? [] : [`  trust source "${plain(source)}" (${kind ?? 'unknown'})`]),
    ...(kind === 'notary' ? [endText(ends, now)] : []),
    ...signers.map(
      ({ role, tags, keys }) =>
        `  ${plain(role)} publishes ${count(tags, 'tag')}, held by ${count(keys, 'key')}`,
    ),
    ...(problem === undefined ? [] : [`  problem: ${plain(problem)}`]),
    ...(kind === 'notary' && problem === undefined
      ? [`  next: pinnace collection approve --from-notary ${plain(repository)}`]
      : []),
  ];
  return `${lines.join('\n')}\n`;
}

function endText(ends: string | undefined, now: number): string {
  if (ends === undefined) return '  a server of your own, or one whose end is not known';
  const days = Math.ceil((Date.parse(`${ends}T00:00:00Z`) - now) / DAY);
  const when = days > 0 ? `in ${count(days, 'day')}` : 'it has ended';
  return `  this service ends on ${ends} (${when})`;
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`;
}
