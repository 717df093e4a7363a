import type { Socket } from 'node:net';
import type { Clock } from '../base/clock.ts';
import type { ConnectionPlaces } from './connection-places.ts';

/** Options of a `ConnectionDoor`. */
export interface DoorOptions {
  readonly places: ConnectionPlaces;
  readonly clock: Clock;
  /** Whether connections that find no place wait for one, unread. */
  readonly waits: () => boolean;
}

/** How long a connection is kept that is only to hear that there are too many, in milliseconds. */
const SURPLUS_MS = 5_000;

/**
 * Lets connections in as long as there are places. What comes on top waits unread where engines would go round an error, or is
 * let in as surplus: its first request is to be answered with a refusal, and it is closed. Beyond that connections are closed
 * at once, so that a flood of them costs next to nothing.
 */
export class ConnectionDoor {
  readonly #options: DoorOptions;
  /** Those outside the door, and those that are surplus. */
  readonly #held = new Set<Socket>();
  readonly #surplus = new Set<Socket>();
  /** The ends of surplus connections: TLS shows handlers another socket than the one that was accepted. */
  readonly #surplusEnds = new Map<string, Socket>();

  constructor(options: DoorOptions) {
    this.#options = options;
  }

  /** @param enter - lets the connection's requests be read */
  meet(socket: Socket, enter: () => void): void {
    if (this.#options.places.tryEnter()) {
      this.#admit(socket, enter);
    } else if (this.#options.waits()) {
      this.#wait(socket, enter).catch(() => socket.destroy());
    } else {
      this.#turnAway(socket, enter);
    }
  }

  /** Whether a request came by a connection that is surplus. */
  isSurplus(socket: Socket): boolean {
    if (this.#surplus.size === 0) return false;
    if (this.#surplus.has(socket)) return true;
    const end = endOf(socket);
    return end !== undefined && this.#surplusEnds.has(end);
  }

  /** Closes what is outside the door, and what is surplus. */
  stop(): void {
    for (const socket of this.#held) socket.destroy();
  }

  #admit(socket: Socket, enter: () => void): void {
    const { places } = this.#options;
    if (socket.destroyed) {
      places.leave();
      return;
    }
    socket.once('close', () => places.leave());
    enter();
  }

  async #wait(socket: Socket, enter: () => void): Promise<void> {
    const gone = new AbortController();
    const leave = (): void => gone.abort();
    socket.pause();
    socket.on('error', ignore);
    socket.once('close', leave);
    this.#held.add(socket);
    try {
      const end = await this.#options.places.wait(gone.signal);
      const letIn = (): void => {
        enter();
        socket.resume();
      };
      if (end === 'called') this.#admit(socket, letIn);
      else this.#turnAway(socket, letIn);
    } catch (error) {
      if (!gone.signal.aborted) throw error;
    } finally {
      socket.off('close', leave);
      if (!this.#surplus.has(socket)) this.#held.delete(socket);
    }
  }

  #turnAway(socket: Socket, enter: () => void): void {
    const { places, clock } = this.#options;
    if (socket.destroyed || !places.turnAway()) {
      socket.destroy();
      return;
    }
    const end = endOf(socket);
    const timer = clock.after(SURPLUS_MS, () => socket.destroy());
    this.#held.add(socket);
    this.#surplus.add(socket);
    if (end !== undefined) this.#surplusEnds.set(end, socket);
    socket.once('close', () => {
      timer.cancel();
      places.leaveSurplus();
      this.#held.delete(socket);
      this.#surplus.delete(socket);
      // The same end may have come again meanwhile.
      if (end !== undefined && this.#surplusEnds.get(end) === socket) this.#surplusEnds.delete(end);
    });
    enter();
  }
}

/** What tells a connection from all others at this door; undefined where it has no addresses. */
function endOf({ remoteAddress, remotePort, localAddress }: Socket): string | undefined {
  return remotePort === undefined ? undefined : `${remoteAddress} ${remotePort} ${localAddress}`;
}

function ignore(): void {
  // A connection that fails while it waits is closed; nobody else has to hear of it.
}
