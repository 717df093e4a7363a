import { connect, createServer, type Server, type Socket } from 'node:net';
import type { Scratch } from './scratch.ts';

/** A TCP door in front of a server on this machine: open it relays bytes as they are, closed it refuses connections. */
export class Gate {
  readonly #target: { readonly host: string; readonly port: number };
  readonly #sockets = new Set<Socket>();
  #server: Server | undefined;
  #port = 0;

  private constructor(target: string) {
    const colon = target.lastIndexOf(':');
    this.#target = { host: target.slice(0, colon), port: Number(target.slice(colon + 1)) };
  }

  /** Opens a door to `target` (`host:port`) on a port of its own. */
  static async open(scratch: Scratch, target: string): Promise<Gate> {
    const gate = new Gate(target);
    await gate.open();
    scratch.defer('gate', async () => await gate.close());
    return gate;
  }

  /** `127.0.0.1:port`, the same before and after a closing. */
  get host(): string {
    return `127.0.0.1:${this.#port}`;
  }

  /** Refuses new connections and cuts the ones there are. */
  async close(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    if (server === undefined) return;
    const closed = new Promise((resolve) => {
      server.close(resolve);
    });
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  /** Accepts connections (again). */
  async open(): Promise<void> {
    const server = createServer((near) => this.#join(near));
    this.#server = server;
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(this.#port, '127.0.0.1', resolve);
    });
    const address = server.address();
    if (address !== null && typeof address !== 'string') this.#port = address.port;
  }

  #join(near: Socket): void {
    const far = connect(this.#target);
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const) {
      this.#sockets.add(one);
      one.on('data', (bytes) => other.write(bytes));
      one.on('end', () => other.end());
      one.on('error', () => other.destroy());
      one.on('close', () => {
        this.#sockets.delete(one);
        other.destroy();
      });
    }
  }
}
