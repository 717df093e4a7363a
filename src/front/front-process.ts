import { type ChildProcess, fork } from 'node:child_process';
import type { Socket } from 'node:net';
import { fileURLToPath } from 'node:url';
import { type FromFront, isFromFront, type ToFront } from './messages.ts';

/** A front in a process of its own, as the core sees it. */
export interface FrontProcess {
  readonly pid: number;
  /** Tells it something, with the socket of a connection it shall serve; never throws, a dead front hears nothing. */
  send(message: ToFront, socket?: Socket): void;
  /** Ends it at once. */
  kill(): void;
  /** Called for everything it says. */
  onMessage(listener: (message: FromFront) => void): void;
  /** Called once, when it is gone, with how that came about. */
  onExit(listener: (how: string) => void): void;
}

/** Starts the program of fronts. */
export function startFrontProcess(program: URL): FrontProcess {
  const child = fork(fileURLToPath(program), [], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    // Whoever debugs the core does not mean its fronts, which could not have the same port.
    execArgv: process.execArgv.filter((argument) => !argument.startsWith('--inspect')),
  });
  return new ForkedFront(child);
}

class ForkedFront implements FrontProcess {
  readonly #child: ChildProcess;

  constructor(child: ChildProcess) {
    this.#child = child;
    // A channel that breaks is the end of the front; that is told by 'exit'.
    child.on('error', () => this.kill());
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  send(message: ToFront, socket?: Socket): void {
    if (!this.#child.connected) return;
    // The socket stays open here until the front says that it has it: else a front that dies takes it along.
    const ignore = (): void => undefined;
    if (socket === undefined) this.#child.send(message, ignore);
    else this.#child.send(message, socket, { keepOpen: true }, ignore);
  }

  kill(): void {
    this.#child.kill('SIGKILL');
  }

  onMessage(listener: (message: FromFront) => void): void {
    this.#child.on('message', (message: unknown) => {
      if (isFromFront(message)) listener(message);
    });
  }

  onExit(listener: (how: string) => void): void {
    const child = this.#child;
    child.once('exit', (code, signal) => {
      const how = signal ?? `exit code ${code}`;
      // What it said before it died is still on the way: which connections it took has to be known first.
      if (child.connected) child.once('disconnect', () => listener(how));
      else listener(how);
    });
    // One that could not even be started never exits.
    child.once('error', (error) => {
      if (child.pid === undefined) listener(error.message);
    });
  }
}
