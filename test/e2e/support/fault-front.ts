import {
  createServer,
  request as httpRequest,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http';
import { buffer } from 'node:stream/consumers';
import type { Registry } from './registry.ts';
import type { Scratch } from './scratch.ts';

/** What to do to the body of an answer: other bytes of any length; the headers stay as they were but for the length. */
export type Alteration = (body: Buffer) => Buffer;

/** A request that came through. */
export interface Passed {
  readonly method: string;
  readonly path: string;
}

/** A HTTP server in front of a real registry that alters answers on demand and remembers every request. */
export class FaultFront {
  readonly #upstream: URL;
  readonly #server: Server;
  readonly #alterations = new Map<string, Alteration>();
  #passed: Passed[] = [];

  private constructor(upstream: URL) {
    this.#upstream = upstream;
    this.#server = createServer((request, response) => {
      this.#relay(request, response).catch(() => response.destroy());
    });
  }

  /** Starts one. */
  static async start(scratch: Scratch, registry: Registry): Promise<FaultFront> {
    const front = new FaultFront(new URL(registry.url));
    await new Promise<void>((resolve) => {
      front.#server.listen(0, '127.0.0.1', resolve);
    });
    scratch.defer('fault front', async () => {
      front.#server.closeAllConnections();
      await new Promise((resolve) => {
        front.#server.close(resolve);
      });
    });
    return front;
  }

  /** `127.0.0.1:port`. */
  get host(): string {
    const address = this.#server.address();
    if (address === null || typeof address === 'string') throw new Error('not listening');
    return `127.0.0.1:${address.port}`;
  }

  /** Alters every answer for content with this digest, however it is asked for, from now on. */
  alter(pathEnd: string, alteration: Alteration): void {
    this.#alterations.set(pathEnd, alteration);
  }

  /** Answers truthfully again. */
  heal(): void {
    this.#alterations.clear();
  }

  /** The requests since the last call. */
  takePassed(): readonly Passed[] {
    const passed = this.#passed;
    this.#passed = [];
    return passed;
  }

  async #relay(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = request.url ?? '/';
    const method = request.method ?? 'GET';
    this.#passed.push({ method, path });
    const answer = await this.#ask(method, path, request);
    const body = await buffer(answer);
    const plain = path.split('?')[0] ?? path;
    const alteration = [...this.#alterations].find(([end]) => plain.endsWith(end))?.[1];
    const altered = alteration === undefined || method === 'HEAD' ? body : alteration(body);
    const headers = { ...answer.headers };
    delete headers['transfer-encoding'];
    if (method !== 'HEAD') headers['content-length'] = `${altered.length}`;
    response.writeHead(answer.statusCode ?? 502, headers);
    response.end(altered);
  }

  async #ask(method: string, path: string, request: IncomingMessage): Promise<IncomingMessage> {
    return await new Promise<IncomingMessage>((resolve, reject) => {
      const outgoing = httpRequest(
        new URL(path, this.#upstream),
        { method, headers: { ...request.headers, connection: 'close' } },
        resolve,
      );
      outgoing.once('error', reject);
      request.pipe(outgoing);
    });
  }
}

/** Changes one byte in the middle. */
export const flipOneByte: Alteration = (body) => {
  const altered = Buffer.from(body);
  const at = altered.length >> 1;
  altered[at] = (altered[at] ?? 0) ^ 1;
  return altered;
};
