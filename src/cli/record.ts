import { exportRecord } from '../app/passed-record.ts';
import { systemClock } from '../base/clock.ts';
import { loadConfig } from '../config/load.ts';
import { EXIT } from './exit-codes.ts';
import type { CommandIo } from './serve.ts';

/**
 * Prints what was ever vouched for, one line each, for `pinnace doctor --compare --record` on hosts that do not reach Pinnace.
 *
 * @throws {ConfigError} `config_invalid`
 * @throws {StateError} `state_unreadable`
 */
export async function printRecord(configPath: string, io: CommandIo): Promise<number> {
  const { config } = await loadConfig(configPath, { env: io.env });
  for await (const line of exportRecord(config, systemClock)) io.stdout.write(`${line}\n`);
  return EXIT.ok;
}
