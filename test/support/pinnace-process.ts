import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { delimiter, dirname } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const MAIN = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));

/** How a finished command ended. */
export interface Ended {
  /** The exit code, or undefined when a signal ended it. */
  readonly code: number | undefined;
  readonly signal: string | undefined;
  readonly stdout: string;
  readonly stderr: string;
}

/** The program in a process of its own. */
export class PinnaceProcess implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #ended: Promise<Ended>;
  readonly #isGroup: boolean;
  #stdout = '';
  #stderr = '';
  #hasEnded = false;

  private constructor(command: readonly string[], isGroup: boolean) {
    const [program = '', ...words] = command;
    this.#isGroup = isGroup;
    this.#child = spawn(program, words, {
      cwd: ROOT,
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: isGroup,
      // npm is to find the Node that runs this test.
      env: {
        ...process.env,
        PATH: `${dirname(process.execPath)}${delimiter}${process.env['PATH']}`,
      },
    });
    this.#child.stdout?.on('data', (chunk: Buffer) => {
      this.#stdout += chunk.toString();
    });
    this.#child.stderr?.on('data', (chunk: Buffer) => {
      this.#stderr += chunk.toString();
    });
    this.#ended = this.#watch();
  }

  /** Starts one command: `['resolve', 'alpine']`. */
  static start(...words: readonly string[]): PinnaceProcess {
    return new PinnaceProcess([process.execPath, MAIN, ...words], false);
  }

  /** Starts one command by npm, in a process group of its own. */
  static startByNpm(...words: readonly string[]): PinnaceProcess {
    return new PinnaceProcess(['npm', 'run', '--silent', 'pinnace', '--', ...words], true);
  }

  /** Runs one command to its end. */
  static async run(...words: readonly string[]): Promise<Ended> {
    await using command = PinnaceProcess.start(...words);
    return await command.ended();
  }

  /**
   * Starts `serve` and waits until it takes pulls.
   *
   * @param openFiles - how many files the system lets it open; default: as many as this process
   * @throws {Error} when it ends instead
   */
  static async serve(configFile: string, openFiles?: number): Promise<PinnaceProcess> {
    const words = ['serve', '--config', configFile];
    const limited = `ulimit -n ${openFiles} && exec "$@"`;
    const served =
      openFiles === undefined
        ? PinnaceProcess.start(...words)
        : new PinnaceProcess(['sh', '-c', limited, 'sh', process.execPath, MAIN, ...words], false);
    await served.untilLogged('server.started');
    return served;
  }

  get stdout(): string {
    return this.#stdout;
  }

  /** The log lines of one event. */
  logged(event: string): readonly Record<string, unknown>[] {
    return this.#stdout
      .split('\n')
      .slice(0, -1)
      .map((line): Record<string, unknown> => JSON.parse(line))
      .filter((line) => line['event'] === event);
  }

  /** Waits for so many lines of an event. @throws {Error} when the process ends without */
  async untilLogged(event: string, count = 1): Promise<void> {
    while (this.logged(event).length < count) {
      if (this.#hasEnded) throw new Error(`ended without ${event}: ${this.#stderr}`);
      await Promise.race([once(this.#child.stdout ?? this.#child, 'data'), this.#ended]);
    }
  }

  /** The port of a listener, `admin` included. */
  port(listener = 'registry'): number {
    const line = this.logged('listener.started').find((each) => each['listener'] === listener);
    return Number(line?.['port']);
  }

  /** Sends a signal, to the whole group if it has one of its own. */
  kill(signal: NodeJS.Signals): void {
    const { pid } = this.#child;
    if (pid === undefined || this.#hasEnded) return;
    process.kill(this.#isGroup ? -pid : pid, signal);
  }

  /** Waits for the end. */
  ended(): Promise<Ended> {
    return this.#ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.kill('SIGKILL');
    await this.#ended;
  }

  async #watch(): Promise<Ended> {
    const [code, signal] = await once(this.#child, 'close');
    this.#hasEnded = true;
    const [stdout, stderr] = [this.#stdout, this.#stderr];
    return { code: code ?? undefined, signal: signal ?? undefined, stdout, stderr };
  }
}
