import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import type { OciRequestCode } from '../oci/errors.ts';

/** Answers on the bare socket, for what never became a request, and closes it. */
export function writeRawAnswer(
  socket: Socket,
  status: number,
  error: { readonly code: OciRequestCode; readonly message: string },
): void {
  if (!socket.writable || socket.destroyed) {
    socket.destroy();
    return;
  }
  const body = JSON.stringify({ errors: [error] });
  const head = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? 'Error'}`,
    'Content-Type: application/json',
    `Content-Length: ${Buffer.byteLength(body)}`,
    'Docker-Distribution-Api-Version: registry/2.0',
    'Connection: close',
  ];
  // A peer that has gone away makes the write fail; there is nobody left to tell.
  socket.on('error', () => socket.destroy());
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`, () => socket.destroySoon());
}
