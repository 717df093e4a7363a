import { App } from '../app/app.ts';
import { systemClock } from '../base/clock.ts';
import type { Environment } from '../config/env.ts';
import { formatProblems, printable } from '../config/errors.ts';
import { loadConfig } from '../config/load.ts';
import type { TextSink } from './check-config.ts';
import { EXIT } from './exit-codes.ts';
import { StopSignal } from './stop-signal.ts';

/** What every command prints to and reads from. */
export interface CommandIo {
  readonly stdout: TextSink;
  readonly stderr: TextSink;
  readonly env: Environment;
}

/**
 * Runs the proxy until SIGTERM or SIGINT, then drains. Logs go to standard output as JSON lines.
 *
 * @throws {ConfigError} `config_invalid`
 * @throws {StateError} `state_unreadable`
 * @throws {Error} of `node:net` when an address cannot be bound
 */
export async function serve(configPath: string, io: CommandIo): Promise<number> {
  const stop = new StopSignal();
  try {
    const { config, warnings } = await loadConfig(configPath, { env: io.env });
    if (warnings.length > 0) {
      io.stderr.write(`${printable(configPath)} is doubtful:\n\n${formatProblems(warnings)}\n\n`);
    }
    if (!stop.hasCome) {
      const app = new App({ config, clock: systemClock, logSink: io.stdout, warnings });
      try {
        await app.start();
        await stop.received;
      } finally {
        await app.stop();
      }
    }
  } finally {
    stop.release();
  }
  return EXIT.ok;
}
