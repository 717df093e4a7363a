import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { TestContext } from 'node:test';
import type { TlsOptions } from 'node:tls';

/** Answers one request of a test. */
export type Handler = (request: IncomingMessage, response: ServerResponse) => void;

/** What was asked of a loopback server. */
interface SeenRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  readonly body: string;
}

/** A server on the loopback address that remembers what it was asked. */
export interface Loopback {
  readonly url: string;
  readonly host: string;
  readonly port: number;
  readonly requests: SeenRequest[];
  /** How many connections are open. */
  openConnections(): Promise<number>;
}

/** Starts a server for one test and stops it with the test; with `tls` it speaks https. */
export async function serve(
  context: TestContext,
  handler: Handler,
  tls?: TlsOptions,
): Promise<Loopback> {
  const requests: SeenRequest[] = [];
  const listener: Handler = (request, response) => {
    const parts: Buffer[] = [];
    request.on('data', (part: Buffer) => parts.push(part));
    request.on('end', () => {
      const { method = '', url = '', headers } = request;
      requests.push({ method, url, headers, body: Buffer.concat(parts).toString() });
      handler(request, response);
    });
  };
  const server = tls === undefined ? createServer(listener) : createTlsServer(tls, listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  context.after(() => {
    server.close();
    server.closeAllConnections();
  });
  const { port } = server.address() as AddressInfo;
  const host = `127.0.0.1:${port}`;
  return {
    url: `${tls === undefined ? 'http' : 'https'}://${host}`,
    host,
    port,
    requests,
    openConnections: () =>
      new Promise((resolve, reject) => {
        server.getConnections((error, count) => (error === null ? resolve(count) : reject(error)));
      }),
  };
}

/** Ends a response with a JSON body. */
export function json(response: ServerResponse, value: unknown, status = 200): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value));
}

/** Ends a response with a bearer challenge. */
export function challenge(response: ServerResponse, realm: string, more = ''): void {
  const value = `Bearer realm="${realm}",service="test-service"${more}`;
  response.writeHead(401, { 'www-authenticate': value }).end('{}');
}

/** Answers by the path of the request. */
export function routes(table: Readonly<Record<string, Handler>>): Handler {
  return (request, response) => {
    const path = new URL(request.url ?? '/', 'http://loopback').pathname;
    const handler = Object.hasOwn(table, path) ? table[path] : undefined;
    if (handler === undefined) response.writeHead(404).end();
    else handler(request, response);
  };
}

/** Answers the first requests with the given statuses, and then as `next` does. */
export function failing(statuses: readonly number[], next: Handler): Handler {
  const left = [...statuses];
  return (request, response) => {
    const status = left.shift();
    if (status === undefined) next(request, response);
    else response.writeHead(status).end();
  };
}
