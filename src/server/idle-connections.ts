import type { Socket } from 'node:net';
import type { Clock, Timer } from '../base/clock.ts';
import type { HttpLimits } from './http-limits.ts';

interface Connection {
  readonly socket: Socket;
  /** Bytes in both directions at the last look. */
  bytes: number;
  /** Monotonic milliseconds of the look that last found it busy. */
  sinceMs: number;
}

/** Between two looks: a connection is kept for at most a fifth longer than it has to be. */
const LOOKS = 10;

/**
 * Cuts connections of HTTP/1.1 on which nothing moves any more: kept for the next request, or waiting for an answer.
 *
 * It looks now and then at all of them. A timer for each, as `node:http` has it, is set anew twice with every answer.
 */
export class IdleConnections {
  readonly #clock: Clock;
  readonly #limits: Pick<HttpLimits, 'keepAliveTimeoutMs' | 'idleTimeoutMs'>;
  readonly #isKept: (socket: Socket) => boolean;
  readonly #connections = new Set<Connection>();
  #timer: Timer | undefined;

  /** @param isKept - whether a connection has had its answers, and is kept for the next request */
  constructor(
    clock: Clock,
    limits: Pick<HttpLimits, 'keepAliveTimeoutMs' | 'idleTimeoutMs'>,
    isKept: (socket: Socket) => boolean,
  ) {
    this.#clock = clock;
    this.#limits = limits;
    this.#isKept = isKept;
  }

  start(): void {
    const { keepAliveTimeoutMs, idleTimeoutMs } = this.#limits;
    this.#timer = this.#clock.after(Math.min(keepAliveTimeoutMs, idleTimeoutMs) / LOOKS, () => {
      this.#lookAtAll();
      this.start();
    });
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  /** Watches a connection until it closes. */
  watch(socket: Socket): void {
    const connection = { socket, bytes: 0, sinceMs: this.#clock.monotonicMs() };
    this.#connections.add(connection);
    socket.once('close', () => this.#connections.delete(connection));
  }

  #lookAtAll(): void {
    const now = this.#clock.monotonicMs();
    const overdue = [...this.#connections].filter((each) => this.#lookAt(each, now));
    if (overdue.length === 0) return;
    // Before it ends, what has come meanwhile is read: a request may be among it.
    setImmediate(() => {
      for (const each of overdue) if (this.#lookAt(each, now)) this.#end(each.socket);
    });
  }

  /** @returns whether nothing has moved on it for too long */
  #lookAt(connection: Connection, now: number): boolean {
    const { socket } = connection;
    const bytes = socket.bytesRead + socket.bytesWritten - socket.writableLength;
    if (bytes !== connection.bytes) {
      connection.bytes = bytes;
      connection.sinceMs = now;
      return false;
    }
    const { keepAliveTimeoutMs, idleTimeoutMs } = this.#limits;
    const limitMs = this.#isKept(socket)
      ? Math.min(keepAliveTimeoutMs, idleTimeoutMs)
      : idleTimeoutMs;
    return now - connection.sinceMs >= limitMs;
  }

  #end(socket: Socket): void {
    if (socket.writableLength === 0) socket.destroy();
    // Of a large write some may have gone without being counted here; a timer of Node's sees that.
    else if (!socket.timeout) socket.setTimeout(this.#limits.idleTimeoutMs, () => socket.destroy());
  }
}
