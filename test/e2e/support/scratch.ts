import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { killAllNow } from './process.ts';

/**
 * One test file's folder and the list of what has to be undone at its end. What was started last is undone first, and
 * an undoing that fails does not keep the others from being tried. Should the test process itself be ended, programs are
 * killed, mounts below the folder released and the folder removed all the same.
 */
export class Scratch {
  readonly path: string;
  readonly #undo: { readonly what: string; readonly action: () => Promise<void> }[] = [];
  readonly #onExit = (): void => this.#removeNow();
  readonly #onSignal = (): void => process.exit(1);

  constructor() {
    this.path = mkdtempSync(join(tmpdir(), 'pinnace-e2e-'));
    process.on('exit', this.#onExit);
    process.on('SIGTERM', this.#onSignal);
    process.on('SIGINT', this.#onSignal);
  }

  /** A folder of this name, made if it is missing. */
  folder(...names: readonly string[]): string {
    const path = join(this.path, ...names);
    mkdirSync(path, { recursive: true });
    return path;
  }

  /** Registers what undoes something. */
  defer(what: string, action: () => Promise<void>): void {
    this.#undo.push({ what, action });
  }

  /** Undoes everything and removes the folder. @throws {AggregateError} of what could not be undone */
  async close(): Promise<void> {
    const failures: Error[] = [];
    for (const { what, action } of this.#undo.reverse()) {
      try {
        await action();
      } catch (cause) {
        failures.push(new Error(`could not undo: ${what}`, { cause }));
      }
    }
    this.#undo.length = 0;
    process.off('exit', this.#onExit);
    process.off('SIGTERM', this.#onSignal);
    process.off('SIGINT', this.#onSignal);
    this.#removeNow();
    if (failures.length > 0) throw new AggregateError(failures, 'the lab was not left clean');
  }

  #removeNow(): void {
    killAllNow();
    for (const point of mountsBelow(this.path)) spawnSync('umount', ['-l', point]);
    if (process.env['PINNACE_E2E_KEEP'] === undefined) {
      rmSync(this.path, { recursive: true, force: true, maxRetries: 5 });
    }
  }
}

/** Makes a folder and gives back its path. */
export async function makeFolder(...names: readonly string[]): Promise<string> {
  const path = join(...names);
  await mkdir(path, { recursive: true });
  return path;
}

function mountsBelow(folder: string): readonly string[] {
  return readFileSync('/proc/self/mounts', 'utf8')
    .split('\n')
    .map((line) => line.split(' ')[1] ?? '')
    .filter((point) => point.startsWith(`${folder}/`))
    .reverse();
}
