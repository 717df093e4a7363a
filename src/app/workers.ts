import { availableParallelism } from 'node:os';
import type { Config } from '../config/config.ts';
import { ConfigError } from '../config/errors.ts';

/** The machine, as far as it matters here. */
export interface WorkerMachine {
  /** As Node names it. */
  readonly platform: string;
  readonly cores: number;
}

const THIS_MACHINE: WorkerMachine = {
  platform: process.platform,
  cores: availableParallelism(),
};

/**
 * How many processes serve connections.
 *
 * @throws {ConfigError} `config_invalid` for more than one where connections cannot be handed to another process
 */
export function workersOf(
  { workers }: Pick<Config, 'workers'>,
  { platform, cores }: WorkerMachine = THIS_MACHINE,
): number {
  if (platform !== 'win32') return workers === 'auto' ? cores : workers;
  if (workers === 'auto' || workers === 1) return 1;
  throw new ConfigError('the configuration', [
    {
      path: 'workers',
      problem: 'more than one process is not supported on Windows',
      fix: 'write workers: 1, or auto, which means 1 there',
    },
  ]);
}
