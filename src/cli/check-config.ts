import { requireUsableRoots } from '../app/trust-sources.ts';
import { requireUsableCollections } from '../app/usable-collections.ts';
import { systemClock } from '../base/clock.ts';
import type { Config } from '../config/config.ts';
import type { Environment } from '../config/env.ts';
import { ConfigError, formatProblems, printable } from '../config/errors.ts';
import { type LoadedConfig, loadConfig } from '../config/load.ts';
import type { ReadFile } from '../config/read-file.ts';
import { formatAddress } from '../config/values.ts';

/** Somewhere to print to; `process.stdout` is one. */
export interface TextSink {
  write(text: string): unknown;
  /** Whether a person reads it as it comes; default false. */
  readonly isTTY?: boolean;
}

/** What `checkConfig` works with. */
export interface CheckConfigIo {
  readonly stdout: TextSink;
  readonly stderr: TextSink;
  readonly env: Environment;
  /** How files are read; default: from disk. */
  readonly readFile?: ReadFile;
  /** False for `--no-files`: files and variables named in the configuration are not looked at; default true. */
  readonly checkFiles?: boolean;
}

const EXIT_OK = 0;
const EXIT_PROBLEMS = 1;
const EXIT_USAGE = 64;

/**
 * Checks a configuration file without starting anything and prints the result for a person: what it sets up and the
 * warnings on `stdout`, or every problem on `stderr`.
 *
 * @param path - the file; empty or undefined when the command line named none
 * @returns the exit code: 0 usable, 1 not usable, 64 no file named
 */
export async function checkConfig(path: string | undefined, io: CheckConfigIo): Promise<number> {
  if (path === undefined || path === '') {
    io.stderr.write('check-config needs the file to check: pinnace check-config FILE\n');
    return EXIT_USAGE;
  }
  try {
    const loaded = await loadConfig(path, {
      env: io.env,
      ...(io.readFile === undefined ? {} : { readFile: io.readFile }),
      ...(io.checkFiles === undefined ? {} : { checkFiles: io.checkFiles }),
    });
    const warnings = [...loaded.warnings];
    if (io.checkFiles !== false) {
      requireUsableRoots(loaded.config);
      warnings.push(...(await requireUsableCollections(loaded.config, systemClock)));
    }
    io.stdout.write(report(path, { ...loaded, warnings }, io.checkFiles !== false));
    return EXIT_OK;
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    io.stderr.write(`${error.message}\n`);
    return EXIT_PROBLEMS;
  }
}

function report(path: string, loaded: LoadedConfig, filesChecked: boolean): string {
  const { config, warnings } = loaded;
  const lines = [`${printable(path)} is OK`, ...describeConfig(config)];
  if (!filesChecked) lines.push('  (the files it names were not looked at)');
  if (warnings.length > 0) {
    lines.push('', `${count(warnings.length, 'warning')}:`, '', formatProblems(warnings));
  }
  return `${lines.join('\n')}\n`;
}

function describeConfig(config: Config): readonly string[] {
  const unverified = config.rules.filter((rule) => rule.requirement.kind === 'unverified').length;
  const rules = count(config.rules.length, 'rule');
  return [
    `  listeners  ${config.listeners.map(describeListener).join(', ')}`,
    `  upstreams  ${list(config.upstreams.keys())}`,
    `  trust      ${list(config.trust.keys())}`,
    ...(config.collections.length === 0
      ? []
      : [`  renews     ${list(config.collections.map(({ name }) => name))}`]),
    `  policy     ${unverified === 0 ? rules : `${rules}, ${unverified} of them unverified`}`,
  ];
}

function describeListener(listener: Config['listeners'][number]): string {
  const { name, address, refusal } = listener;
  return `${name} (${formatAddress(address)}, ${refusal})`;
}

function list(names: Iterable<string>): string {
  const all = [...names];
  return all.length === 0 ? 'none' : all.join(', ');
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`;
}
