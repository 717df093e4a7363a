import { lstat, mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Argument, type Command, Option } from 'commander';
import { loadConfig } from '../config/load.ts';
import { type EngineOptions, parseRequest } from './engine-request.ts';
import { containerdSettings } from './engine-settings/containerd.ts';
import { dockerSettings } from './engine-settings/docker.ts';
import { egressRules } from './engine-settings/egress.ts';
import { containersSettings } from './engine-settings/podman.ts';
import {
  ENGINES,
  type Engine,
  type EngineSettings,
  type SettingsRequest,
} from './engine-settings/settings.ts';
import { EXIT } from './exit-codes.ts';
import type { CommandIo } from './serve.ts';

/** What `pinnace engines` is told. */
interface EnginesOptions extends CommandIo, EngineOptions {
  readonly config?: string;
  readonly json?: boolean;
  /** Folder beneath which the files are written, as if it were the root of the machine. */
  readonly write?: string;
  /** Whether files that are there already are replaced; default false. */
  readonly force?: boolean;
}

/** The options of `engines` as commander gives them. */
type EnginesFlags = Pick<
  EnginesOptions,
  'config' | 'listener' | 'address' | 'store' | 'json' | 'write' | 'force'
>;

/** Adds the `engines` command. */
export function addEnginesCommand(
  program: Command,
  io: CommandIo,
  finish: (exitCode: number) => void,
): void {
  program
    .command('engines')
    .description('print the settings that make an engine pull through Pinnace and nowhere else')
    .addArgument(new Argument('<engine>', 'whose settings').choices(ENGINES))
    .option('--upstream <host...>', 'registries it is for (default: all of the configuration)')
    .option('-c, --config <file>', 'configuration of Pinnace to take listener and upstreams from')
    .option('--listener <name>', 'listener of that configuration (default: the one that suits)')
    .option('--address <url>', 'where engines reach it, for example https://pinnace.example:5001')
    .addOption(
      new Option('--store <store>', 'where Docker keeps images; containerd is for 28 and newer')
        .choices(['classic', 'containerd'])
        .default('classic'),
    )
    .option('--json', 'print one JSON document')
    .option('--write <folder>', 'write the files beneath a folder instead')
    .option('--force', 'with --write: replace files that are there')
    .action(
      async (
        engine: Engine,
        { upstream = [], ...options }: EnginesFlags & { readonly upstream?: readonly string[] },
      ) => finish(await printEngineSettings({ ...io, ...options, engine, upstreams: upstream })),
    );
}

/**
 * Prints the settings that make an engine pull through Pinnace and nowhere else, as whole files with their places, and in
 * words what they leave open; or writes them into a folder.
 *
 * @returns the exit code: 0, 1 when a file is in the way, 64 when something is missing on the command line
 * @throws {ConfigError} `config_invalid`
 */
async function printEngineSettings(options: EnginesOptions): Promise<number> {
  const config =
    options.config === undefined
      ? undefined
      : (await loadConfig(options.config, { env: options.env, checkFiles: false })).config;
  const parsed = parseRequest(options, config);
  if (!parsed.ok) {
    options.stderr.write(`pinnace engines: ${parsed.problem}\n`);
    return EXIT.usage;
  }
  const { request } = parsed;
  const settings = settingsOf(options.engine, request);
  const egress = egressRules(request.address.hostname, portOf(request.address));
  if (options.write !== undefined) {
    return await writeFiles(settings, options.write, options);
  }
  options.stdout.write(
    options.json === true
      ? `${JSON.stringify({ engine: options.engine, ...settings, egress }, undefined, 2)}\n`
      : report(settings, egress),
  );
  return EXIT.ok;
}

function settingsOf(engine: Engine, request: SettingsRequest): EngineSettings {
  switch (engine) {
    case 'docker':
      return dockerSettings(request);
    case 'containerd':
      return containerdSettings(request);
    case 'podman':
    case 'crio':
      return containersSettings(request, engine);
  }
}

function portOf({ port, protocol }: URL): number {
  if (port !== '') return Number(port);
  return protocol === 'https:' ? 443 : 80;
}

function report(settings: EngineSettings, egress: string): string {
  return [
    ...settings.files.map(({ path, text }) => `==> ${path}\n${text}`),
    ...settings.additions.map(({ path, text }) => `==> to be in ${path}\n${text}`),
    `Then:\n${list(settings.steps)}`,
    `What this leaves open:\n${list(settings.leavesOpen)}`,
    `Settings bind nobody who has root on the machine, nor other tools, nor the next version of the engine. What closes all of\nit is a filter on the way out:\n\n${egress}`,
    'Then see for yourself: pull a signed tag and an unsigned one, and see that the second is refused.\n',
  ].join('\n');
}

function list(sentences: readonly string[]): string {
  return sentences.map((sentence) => `  - ${sentence}\n`).join('');
}

async function writeFiles(
  { files, additions }: EngineSettings,
  folder: string,
  { force = false, stdout, stderr }: EnginesOptions,
): Promise<number> {
  const targets = files.map(({ path, text }) => ({ target: join(folder, path), text }));
  for (const { target } of targets) {
    if (force || !(await isThere(target))) continue;
    stderr.write(
      `pinnace engines: ${target} is there already; nothing was written. --force replaces it\n`,
    );
    return EXIT.refused;
  }
  for (const { target, text } of targets) {
    await mkdir(dirname(target), { recursive: true });
    await writeFile(target, text, { flag: force ? 'w' : 'wx' });
    stdout.write(`${target}\n`);
  }
  for (const { path } of additions) {
    stdout.write(`not written: lines for ${path}; run the command without --write to see them\n`);
  }
  return EXIT.ok;
}

async function isThere(path: string): Promise<boolean> {
  try {
    await lstat(path);
    return true;
  } catch {
    // Whatever else it is, writing will say.
    return false;
  }
}
