import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { eventually } from './wait.ts';

/** What a finished command left behind; `output` is both streams as a person at a terminal sees them. */
export interface Finished {
  readonly code: number;
  readonly stdout: string;
  readonly output: string;
}

/** How a command runs; `timeoutMs` is 90 000 unless told. */
export interface RunOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly timeoutMs?: number;
  readonly input?: string;
}

const MAX_OUTPUT = 4 * 1024 * 1024;

/**
 * Runs a command to its end and gives back how it ended, whatever its exit code.
 *
 * @throws {Error} when it cannot be started or does not end in time
 */
export async function run(command: readonly string[], options: RunOptions = {}): Promise<Finished> {
  const [program = '', ...rest] = command;
  const signal = AbortSignal.timeout(options.timeoutMs ?? 90_000);
  const child = spawn(program, rest, {
    stdio: ['pipe', 'pipe', 'pipe'],
    env: { ...ownEnvironment(), ...options.env },
    signal,
    killSignal: 'SIGKILL',
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
  });
  commands.add(child);
  const parts = { stdout: '', output: '' };
  const take = (text: string): void => {
    if (parts.output.length < MAX_OUTPUT) parts.output += text;
  };
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    if (parts.stdout.length < MAX_OUTPUT) parts.stdout += text;
    take(text);
  });
  child.stderr.setEncoding('utf8').on('data', take);
  child.stdin.on('error', () => {}); // a command may end without reading its input
  child.stdin.end(options.input ?? '');
  const code = await new Promise<number>((resolve, reject) => {
    child.once('error', (cause) => {
      reject(new Error(`${command.join(' ')}: ${cause.message}\n${parts.output}`, { cause }));
    });
    child.once('close', (status) => resolve(status ?? 255));
  }).finally(() => commands.delete(child));
  return { code, ...parts };
}

/**
 * Runs a command that has to succeed and gives back what it printed on standard output.
 *
 * @throws {Error} with everything the command printed
 */
export async function runOk(command: readonly string[], options: RunOptions = {}): Promise<string> {
  const done = await run(command, options);
  if (done.code !== 0) {
    throw new Error(`${command.join(' ')} ended with ${done.code}:\n${done.output}`);
  }
  return done.stdout;
}

/** A background program: its output goes to a file, it is stopped by its own process id. */
export class Daemon {
  readonly logFile: string;
  readonly #child: ChildProcess;
  #ended = false;

  private constructor(child: ChildProcess, logFile: string) {
    this.#child = child;
    this.logFile = logFile;
    child.once('exit', () => {
      this.#ended = true;
      running.delete(this);
    });
    child.once('error', () => {
      this.#ended = true;
      running.delete(this);
    });
    running.add(this);
  }

  /** Starts `command` in its own session with both streams appended to `logFile`. */
  static start(
    command: readonly string[],
    logFile: string,
    options: Pick<RunOptions, 'cwd' | 'env'> = {},
  ): Daemon {
    const [program = '', ...rest] = command;
    const log = openSync(logFile, 'a');
    const child = spawn(program, rest, {
      stdio: ['ignore', log, log],
      detached: true,
      env: { ...ownEnvironment(), ...options.env },
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    });
    closeSync(log);
    return new Daemon(child, logFile);
  }

  /** The process id, also after the end. */
  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** Says whether the program is over. */
  get isOver(): boolean {
    return this.#ended;
  }

  /** Everything printed so far. */
  async log(): Promise<string> {
    return await readFile(this.logFile, 'utf8');
  }

  /**
   * Waits until `isReady` answers true.
   *
   * @throws {Error} with the log when the program ends first or `timeoutMs` (30 000 unless told) pass
   */
  async ready(isReady: () => Promise<boolean>, timeoutMs = 30_000): Promise<void> {
    await eventually(
      async () => {
        if (this.#ended) return true;
        return await isReady();
      },
      { what: `program of ${this.logFile}`, timeoutMs, detail: async () => await this.log() },
    );
    if (this.#ended) throw new Error(`a program ended at its start:\n${await this.log()}`);
  }

  /** Sends a signal. */
  signal(name: NodeJS.Signals): void {
    if (!this.#ended && this.pid !== 0) this.#child.kill(name);
  }

  /** Asks the program to end, kills it when it has not after `graceMs`, and waits for its end. */
  async stop(name: NodeJS.Signals = 'SIGTERM', graceMs = 15_000): Promise<void> {
    if (this.#ended) return;
    const end = new Promise<void>((resolve) => {
      this.#child.once('exit', () => resolve());
    });
    this.signal(name);
    const timer = setTimeout(() => this.signal('SIGKILL'), graceMs);
    await end;
    clearTimeout(timer);
  }
}

const running = new Set<Daemon>();
const commands = new Set<ChildProcess>();

/** Kills every program still running, background programs with all they started; for the moment the process itself goes away. */
export function killAllNow(): void {
  for (const daemon of running) killGroup(daemon.pid);
  for (const child of commands) child.kill('SIGKILL');
}

/** A background program leads a process group: its workers would outlive it. */
function killGroup(pid: number): void {
  try {
    if (pid !== 0) process.kill(-pid, 'SIGKILL');
  } catch {
    // The last of the group is over already.
  }
}

/** This process's environment without what would send the lab's traffic elsewhere or change how engines behave. */
function ownEnvironment(): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(
    ([name]) =>
      !/^(?:(?:https?|all|no)_proxy|docker_.*|notary_.*|containers_.*|node_test.*)$/i.test(name),
  );
  return Object.fromEntries(kept);
}
