import { SigningError } from '../signing/errors.ts';
import type { CommandIo } from './serve.ts';

/** Somebody at a keyboard, or nobody. */
export interface Terminal {
  /** Whether there is somebody who can answer. */
  readonly isInteractive: boolean;
  /** Asks and gives back the line that was typed. */
  ask(question: string): Promise<string>;
  /** Asks for something that is not shown while it is typed. */
  askSecret(question: string): Promise<string>;
}

const MAX_LINE = 4096;
const ENTER: ReadonlySet<string> = new Set(['\r', '\n']);
const INTERRUPT = '\u0003';
const END_OF_INPUT = '\u0004';
const ERASE: ReadonlySet<string> = new Set(['\u007f', '\b']);

/** What is read from; `process.stdin` is one. */
export type KeyboardInput = Pick<
  typeof process.stdin,
  'isTTY' | 'setRawMode' | 'on' | 'off' | 'resume' | 'pause'
>;

/** A terminal, questions to which go to `stderr`. */
export function terminalOf(stdin: KeyboardInput, { stderr }: Pick<CommandIo, 'stderr'>): Terminal {
  const keyboard = new Keyboard(stdin);
  return {
    isInteractive: stdin.isTTY === true,
    async ask(question) {
      stderr.write(question);
      return await keyboard.readLine();
    },
    async askSecret(question) {
      stderr.write(question);
      stdin.setRawMode(true);
      try {
        return await keyboard.readLine();
      } finally {
        stdin.setRawMode(false);
        stderr.write('\n');
      }
    },
  };
}

/** Reads lines key by key; on a terminal in line mode the editing has happened already. */
class Keyboard {
  readonly #input: KeyboardInput;
  /** What was typed ahead. */
  readonly #ahead: string[] = [];
  readonly #decoder = new TextDecoder();
  #isOver = false;

  constructor(input: KeyboardInput) {
    this.#input = input;
  }

  async readLine(): Promise<string> {
    let line = '';
    for (;;) {
      const key = this.#ahead.shift() ?? (await this.#more());
      if (key === undefined || ENTER.has(key) || key === END_OF_INPUT) return line;
      if (key === INTERRUPT) throw new SigningError('not_confirmed', 'stopped; nothing was signed');
      if (ERASE.has(key)) line = line.slice(0, -1);
      else if (line.length < MAX_LINE) line += key;
    }
  }

  /** Waits for keys and gives back the first of them; undefined when nobody is going to type any more. */
  async #more(): Promise<string | undefined> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const onData = (chunk: Uint8Array): void => {
      // At once, and with the listener left in place: what comes in the same breath must not be lost.
      this.#input.pause();
      this.#ahead.push(...this.#decoder.decode(chunk, { stream: true }));
      if (this.#ahead.length > 0) resolve();
      else this.#input.resume();
    };
    const onEnd = (): void => {
      this.#isOver = true;
      resolve();
    };
    if (this.#isOver) return undefined;
    this.#input.on('data', onData);
    this.#input.on('end', onEnd);
    this.#input.resume();
    await promise;
    this.#input.pause();
    this.#input.off('data', onData);
    this.#input.off('end', onEnd);
    return this.#ahead.shift();
  }
}
