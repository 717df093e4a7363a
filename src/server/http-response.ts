import type { OutgoingHttpHeader, OutgoingHttpHeaders } from 'node:http';
import type { Writable } from 'node:stream';

/** What handlers use of an answer, over HTTP/1.1 and HTTP/2 alike; `ServerResponse` has it all. */
export interface HttpResponse extends Writable {
  statusCode: number;
  /** Set to false, it gives up the connection after this answer. */
  shouldKeepAlive: boolean;
  readonly headersSent: boolean;
  setHeader(name: string, value: number | string | readonly string[]): unknown;
  getHeaderNames(): string[];
  removeHeader(name: string): void;
  /** @param headers - by name, or alternately names and values */
  writeHead(status: number, headers?: OutgoingHttpHeaders | OutgoingHttpHeader[]): unknown;
}
