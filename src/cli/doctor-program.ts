import { spawn } from 'node:child_process';
import { systemClock } from '../base/clock.ts';
import type { Environment } from '../config/env.ts';

/** How a program is run. */
export interface ProgramOptions {
  readonly env: Environment;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

/** How a program ended, and what it printed. */
export interface ProgramEnd {
  /** `missing`: there is no such program, or it may not be run; `late`: it was ended at the time limit; `stopped`: by `signal`. */
  readonly how: 'ended' | 'missing' | 'late' | 'stopped';
  /** The exit code; undefined unless it ended by itself. */
  readonly code: number | undefined;
  /** The first 16 MiB of standard output. */
  readonly stdout: string;
  /** The last 64 KiB of standard error, where the reason for a failure stands. */
  readonly stderr: string;
}

/** Runs a program to its end. */
export type RunProgram = (
  command: readonly [string, ...string[]],
  options: ProgramOptions,
) => Promise<ProgramEnd>;

const MAX_STDOUT = 16 * 1024 * 1024;
const MAX_STDERR = 64 * 1024;
/** After being asked to end, a program gets so long before it is made to; milliseconds. */
const GRACE_MS = 5_000;

/**
 * Runs a program without a shell and waits for its end, at most `timeoutMs`. It is found by `PATH`, gets no input, and content
 * trust of the Docker client is off: it would ask a trust server by itself and never show what the engine does.
 */
export const runProgram: RunProgram = async ([program, ...words], { env, timeoutMs, signal }) => {
  if (signal.aborted) return { how: 'stopped', code: undefined, stdout: '', stderr: '' };
  const child = spawn(program, words, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...env, DOCKER_CONTENT_TRUST: '0', LC_ALL: 'C' },
  });
  const output = { stdout: '', stderr: '' };
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    if (output.stdout.length < MAX_STDOUT) output.stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    output.stderr = `${output.stderr}${text}`.slice(-MAX_STDERR);
  });
  let how: ProgramEnd['how'] = 'ended';
  const end = (reason: 'late' | 'stopped'): void => {
    how = reason;
    child.kill('SIGTERM');
    kill = systemClock.after(GRACE_MS, () => child.kill('SIGKILL'));
  };
  let kill = systemClock.after(timeoutMs, () => end('late'));
  const onAbort = (): void => {
    kill.cancel();
    end('stopped');
  };
  signal.addEventListener('abort', onAbort, { once: true });
  const { promise, resolve } = Promise.withResolvers<number | undefined>();
  child.once('error', () => {
    how = 'missing';
    resolve(undefined);
  });
  child.once('close', (code) => resolve(code ?? undefined));
  const code = await promise;
  kill.cancel();
  signal.removeEventListener('abort', onAbort);
  return { how, code: how === 'ended' ? code : undefined, ...output };
};
