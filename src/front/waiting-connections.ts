import type { HandedConnection } from './member.ts';

/** More connections than this do not wait for a front. */
const MAX_WAITING = 4_096;

/** Connections for which there is no front at the moment. */
export class WaitingConnections {
  #waiting: HandedConnection[] = [];
  #hasEnded = false;

  /** Lets one wait, or closes it when too many do. */
  add(connection: HandedConnection): void {
    if (this.#hasEnded || this.#waiting.length >= MAX_WAITING) connection.socket.destroy();
    else this.#waiting.push(connection);
  }

  /** Those that wait, the oldest first; none waits any more. */
  takeAll(): readonly HandedConnection[] {
    const waiting = this.#waiting;
    this.#waiting = [];
    return waiting;
  }

  /** Closes those that wait, and all that come later. */
  end(): void {
    this.#hasEnded = true;
    for (const { socket } of this.takeAll()) socket.destroy();
  }
}
