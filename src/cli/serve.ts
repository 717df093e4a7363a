import { once } from 'node:events';
import { App } from '../app/app.ts';
import { systemClock } from '../base/clock.ts';
import type { Environment } from '../config/env.ts';
import { formatProblems } from '../config/errors.ts';
import { loadConfig } from '../config/load.ts';
import type { TextSink } from './check-config.ts';
import { EXIT } from './exit-codes.ts';

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
  const { config, warnings } = await loadConfig(configPath, { env: io.env });
  if (warnings.length > 0) io.stderr.write(`${formatProblems(warnings)}\n`);
  const app = new App({ config, clock: systemClock, logSink: io.stdout, warnings });
  const stopping = new AbortController();
  const stopped = Promise.race([
    once(process, 'SIGTERM', { signal: stopping.signal }),
    once(process, 'SIGINT', { signal: stopping.signal }),
  ]);
  try {
    await app.start();
    await stopped;
  } finally {
    stopping.abort();
    // The loser of the race is told to let go of its signal.
    stopped.catch(() => undefined);
    await app.stop();
  }
  return EXIT.ok;
}
