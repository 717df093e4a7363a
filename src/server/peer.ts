import type { X509Certificate } from 'node:crypto';
import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import type { Caller } from '../base/caller.ts';
import type { Repository } from '../oci/names.ts';
import type { ByteRange, ClockWitness, StoredFile } from '../resolve/ports.ts';
import type { HttpResponse } from './http-response.ts';

/** Stored content whose sending another process takes over, with what its log line is to say. */
export interface HandedContent {
  readonly file: StoredFile;
  readonly range: ByteRange;
  readonly requestId: string;
  readonly repository: Repository;
  readonly caller: Caller | undefined;
  /** Whether and how it may be sent again without asking; absent: it may not. */
  readonly keep?: FileKeep | undefined;
}

/** How stored content may be sent again to whoever asks for the same, unasked. */
export interface FileKeep extends ClockWitness {
  /** Number of the last forgetting before. */
  readonly epoch: number;
  /** Milliseconds from when it was asked for. */
  readonly forMs: number;
}

/** Who is at the other end of the connection that a request came by. */
export interface Peer {
  /** The address, without the prefix of mapped IPv4; `unknown` when the connection is gone already. */
  readonly address: string;
  /** Whether TLS is spoken. */
  readonly isTls: boolean;
  /** The certificate that was shown, if TLS found that the listener's client CA vouches for it. */
  certificate(): X509Certificate | undefined;
  /**
   * Ends an answer whose headers are set, and has the other end send the content after them, count it and log it; absent
   * where the answer has to carry its content.
   */
  readonly handOver?: (response: HttpResponse, content: HandedContent) => void;
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
