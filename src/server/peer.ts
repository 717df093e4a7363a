import type { X509Certificate } from 'node:crypto';
import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';

/** Who is at the other end of the connection that a request came by. */
export interface Peer {
  /** The address, without the prefix of mapped IPv4; `unknown` when the connection is gone already. */
  readonly address: string;
  /** Whether TLS is spoken. */
  readonly isTls: boolean;
  /** The certificate that was shown, if TLS found that the listener's client CA vouches for it. */
  certificate(): X509Certificate | undefined;
}

/** Reads from a connection who is at its other end. */
export function peerOf(socket: Socket): Peer {
  return {
    address: plainAddress(socket.remoteAddress),
    isTls: socket instanceof TLSSocket,
    certificate: () => provenCertificate(socket),
  };
}

/** An address as logs have it. */
export function plainAddress(address: string | undefined): string {
  if (address === undefined) return 'unknown';
  return address.startsWith('::ffff:') ? address.slice(7) : address;
}

function provenCertificate(socket: Socket): X509Certificate | undefined {
  return socket instanceof TLSSocket && socket.authorized
    ? socket.getPeerX509Certificate()
    : undefined;
}
