import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';

/** An address that is bound for the fronts: connections wait here, in the system, even while no front is there. */
export class Door {
  readonly #server: Server;

  readonly #onAcceptError: (code: string) => void;

  /**
   * @param take - called for each connection, of which nothing has been read
   * @param onAcceptError - told of connections that the system could not hand over, by its error code
   */
  constructor(take: (socket: Socket) => void, onAcceptError: (code: string) => void) {
    this.#onAcceptError = onAcceptError;
    this.#server = createServer({ pauseOnConnect: true }, (socket) => {
      // A client that is gone before a front has taken it over: there is nobody to tell.
      socket.on('error', () => socket.destroy());
      take(socket);
    });
  }

  /** Binds the address; port 0 takes any free one. @throws {Error} of `node:net`, for example with code `EADDRINUSE` */
  async start({
    host,
    port,
  }: {
    readonly host: string;
    readonly port: number;
  }): Promise<AddressInfo> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#server.once('error', reject);
    this.#server.listen(port, host, resolve);
    await promise;
    this.#server.off('error', reject);
    this.#server.on('error', (error: Error & { code?: string }) => {
      this.#onAcceptError(error.code ?? 'unknown');
    });
    const address = this.#server.address();
    if (address === null || typeof address === 'string') throw new Error('the door has no address');
    return address;
  }

  /** Takes no more connections; those that were taken are not its own any more. */
  close(): void {
    if (this.#server.listening) this.#server.close();
  }
}
