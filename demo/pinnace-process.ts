import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

/** How to start Pinnace. */
export interface StartOptions {
  readonly configFile: string;
  /** Gets everything that Pinnace prints. */
  readonly logFile: string;
  readonly readyUrl: string;
  /** Milliseconds until it has to be ready. */
  readonly timeoutMs: number;
}

const MAIN = fileURLToPath(new URL('../src/cli/main.ts', import.meta.url));
const GRACE_MS = 5_000;
const LINES_KEPT = 20;

/** The real Pinnace in a process of its own. */
export class PinnaceProcess {
  readonly #child: ChildProcess;
  readonly #lastLines: string[] = [];
  #hasEnded = false;

  private constructor(child: ChildProcess, logFile: string) {
    this.#child = child;
    const log = createWriteStream(logFile);
    // The log file is for the curious; a full disk must not end the demo.
    log.on('error', () => undefined);
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on('data', (chunk: Buffer) => {
        log.write(chunk);
        this.#remember(chunk.toString('utf8'));
      });
    }
    child.once('exit', () => {
      this.#hasEnded = true;
      log.end();
    });
    child.once('error', (error) => {
      this.#hasEnded = true;
      this.#remember(error.message);
    });
  }

  /** Starts Pinnace and waits until it is ready. @throws {Error} when it ends or is not ready in time */
  static async start(options: StartOptions): Promise<PinnaceProcess> {
    const child = spawn(process.execPath, [MAIN, 'serve', '--config', options.configFile], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const started = new PinnaceProcess(child, options.logFile);
    try {
      await started.#untilReady(options);
    } catch (error) {
      await started.stop();
      throw error;
    }
    return started;
  }

  /** Resolves when Pinnace has ended by itself. */
  async ended(): Promise<void> {
    if (!this.#hasEnded) await once(this.#child, 'exit');
  }

  /** The last lines it printed. */
  get lastLines(): readonly string[] {
    return this.#lastLines;
  }

  /** Ends it: kindly, then not. */
  async stop(): Promise<void> {
    if (this.#hasEnded) return;
    this.#child.kill('SIGTERM');
    const isOver = await Promise.race([
      this.ended().then(() => true),
      wait(GRACE_MS, false, { ref: false }),
    ]);
    if (!isOver) this.kill();
  }

  /** Ends it at once; for the moment when the demo itself goes down. */
  kill(): void {
    if (!this.#hasEnded) this.#child.kill('SIGKILL');
  }

  async #untilReady(options: StartOptions): Promise<void> {
    const deadline = performance.now() + options.timeoutMs;
    while (performance.now() < deadline) {
      if (this.#hasEnded) throw new Error(this.#complaint('ended instead of becoming ready'));
      if (await isReady(options.readyUrl)) return;
      await wait(100);
    }
    throw new Error(this.#complaint(`was not ready after ${options.timeoutMs / 1000} s`));
  }

  #complaint(what: string): string {
    const lines = this.#lastLines.map((line) => `  ${line}`).join('\n');
    const said = lines === '' ? 'It printed nothing.' : `It said:\n${lines}`;
    return `Pinnace ${what}. ${said}`;
  }

  #remember(text: string): void {
    this.#lastLines.push(...text.split('\n').filter((line) => line.trim() !== ''));
    this.#lastLines.splice(0, this.#lastLines.length - LINES_KEPT);
  }
}

async function isReady(url: string): Promise<boolean> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(1_000) });
    await response.body?.cancel();
    return response.status === 200;
  } catch {
    // Nobody listens yet.
    return false;
  }
}
