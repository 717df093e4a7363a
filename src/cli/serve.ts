import { App } from '../app/app.ts';
import { requireUsableCollections } from '../app/usable-collections.ts';
import { systemClock } from '../base/clock.ts';
import { ConfigFiles } from '../config/config-files.ts';
import { ConfigWatch } from '../config/config-watch.ts';
import type { Environment } from '../config/env.ts';
import { formatProblems, printable } from '../config/errors.ts';
import type { LoadedConfig } from '../config/load.ts';
import { openFileLimit } from '../config/open-files.ts';
import type { TextSink } from './check-config.ts';
import { EXIT } from './exit-codes.ts';
import { HangupSignal } from './hangup-signal.ts';
import { StopSignal } from './stop-signal.ts';

/** What every command prints to and reads from. */
export interface CommandIo {
  readonly stdout: TextSink;
  readonly stderr: TextSink;
  readonly env: Environment;
}

/** What `serve` is told beside the configuration file. */
export interface ServeOptions extends CommandIo {
  readonly config: string;
  /** Whether changed files are taken over without a signal; default true. */
  readonly watch?: boolean;
}

/**
 * Runs the proxy until SIGTERM or SIGINT, then drains. SIGHUP, or a change of the configuration file or of a file it names,
 * has the configuration read anew. Logs go to standard output as JSON lines.
 *
 * @throws {ConfigError} `config_invalid`
 * @throws {StateError} `state_unreadable`
 * @throws {Error} of `node:net` when an address cannot be bound
 */
export async function serve(options: ServeOptions): Promise<number> {
  const stop = new StopSignal();
  const hangup = new HangupSignal();
  try {
    const files = new ConfigFiles(options.config, { env: options.env });
    const read = await files.load();
    const found = await requireUsableCollections(read.config, systemClock);
    const loaded = { ...read, warnings: [...read.warnings, ...found] };
    warn(loaded, options);
    if (!stop.hasCome) await runUntil(stop.received, { loaded, files, hangup, options });
  } finally {
    stop.release();
    hangup.release();
  }
  return EXIT.ok;
}

/** Beside this file, with the same ending. */
const FRONT_PROGRAM = new URL(import.meta.url.replace(/serve(\.[jt]s)$/, 'front-main$1'));

function warn({ warnings }: LoadedConfig, { config, stderr }: ServeOptions): void {
  if (warnings.length === 0) return;
  stderr.write(`${printable(config)} is doubtful:\n\n${formatProblems(warnings)}\n\n`);
}

async function runUntil(
  stopped: Promise<void>,
  running: {
    readonly loaded: LoadedConfig;
    readonly files: ConfigFiles;
    readonly hangup: HangupSignal;
    readonly options: ServeOptions;
  },
): Promise<void> {
  const { loaded, files, hangup, options } = running;
  const load = (): Promise<LoadedConfig> => files.load();
  const shared = { clock: systemClock, logSink: options.stdout, frontProgram: FRONT_PROGRAM };
  const openFiles = await openFileLimit();
  const app = new App({ ...loaded, ...shared, load, openFiles });
  const onChange = (): Promise<void> => app.reload('files');
  const watch = new ConfigWatch(files, { clock: systemClock, onChange });
  try {
    await app.start();
    hangup.listen(() => void app.reload('signal'));
    if (options.watch ?? true) watch.start();
    await stopped;
  } finally {
    watch.stop();
    await app.stop();
  }
}
