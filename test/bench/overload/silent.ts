import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

/** Connections that are opened, say some words, and never read or say anything again. */
export class SilentConnections {
  readonly #sockets: readonly Socket[];

  private constructor(sockets: readonly Socket[]) {
    this.#sockets = sockets;
  }

  /** Opens so many, one after the other. @param words - what each one says; nothing by default */
  static async open(url: string, count: number, words = ''): Promise<SilentConnections> {
    const { hostname, port } = new URL(url);
    const sockets: Socket[] = [];
    for (let index = 0; index < count; index += 1) {
      const socket = connect(Number(port), hostname).pause();
      socket.on('error', () => undefined);
      await once(socket, 'connect');
      if (words !== '') socket.write(words);
      sockets.push(socket);
    }
    return new SilentConnections(sockets);
  }

  /** How many the other end has not closed. */
  get open(): number {
    return this.#sockets.filter(({ destroyed }) => !destroyed).length;
  }

  close(): void {
    for (const socket of this.#sockets) socket.destroy();
  }
}
