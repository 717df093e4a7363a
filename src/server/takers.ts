import type { Socket } from 'node:net';
import type { Taker, Took } from './client-pace.ts';
import type { StreamResponse } from './stream-response.ts';

/** Told of a client that is cut off. */
type OnCut = (took: Took) => void;

/** The client at the other end of a connection. A write that is not over counts as not taken. */
export class SocketTaker implements Taker {
  readonly #socket: Socket;
  readonly #onCut: OnCut;

  constructor(socket: Socket, onCut: OnCut) {
    this.#socket = socket;
    this.#onCut = onCut;
  }

  taken(): number {
    return this.#socket.bytesWritten - this.#socket.writableLength;
  }

  isOwed(): boolean {
    return this.#socket.writableLength > 0;
  }

  cut(took: Took): void {
    this.#onCut(took);
    this.#socket.destroy();
  }
}

/** The taker of one answer by HTTP/2: it can be slow while its connection is not. */
export class StreamTaker implements Taker {
  readonly #response: StreamResponse;
  readonly #onCut: OnCut;

  constructor(response: StreamResponse, onCut: OnCut) {
    this.#response = response;
    this.#onCut = onCut;
  }

  taken(): number {
    return this.#response.bytesTaken;
  }

  isOwed(): boolean {
    return this.#response.writableLength > 0;
  }

  cut(took: Took): void {
    this.#onCut(took);
    this.#response.destroy();
  }
}
