import type { Answer } from './http-faults.ts';
import { LoopbackServer, type LoopbackServerOptions, type SeenRequest } from './loopback-server.ts';
import { type AuthOptions, json, refusal, TokenGate } from './token-service.ts';

/** How the embedded Notary server is to be. */
export interface NotaryServerOptions extends LoopbackServerOptions {
  /** Default: nobody is asked who they are. */
  readonly auth?: AuthOptions;
}

const FILE = /^\/v2\/([^*]+)\/_trust\/tuf\/(.+)$/;
const VERSIONED = /\.[0-9a-f]{64}\.json$|^\d+\./;

/**
 * A Notary v1 server on the loopback address that serves the published files of any number of collections.
 *
 * @source notary: server/server.go, server/handlers/default.go
 */
export class NotaryServer extends LoopbackServer {
  readonly #collections = new Map<string, ReadonlyMap<string, Uint8Array>>();
  readonly #gate: TokenGate | undefined;

  constructor(options: NotaryServerOptions = {}) {
    super((request) => this.#respond(request), options);
    this.#gate = options.auth === undefined ? undefined : new TokenGate(options.auth);
  }

  /** Serves these files, and no others, for a GUN from the next request on. */
  serve(gun: string, files: ReadonlyMap<string, Uint8Array>): void {
    this.#collections.set(gun, files);
  }

  /** Forgets a collection. */
  remove(gun: string): void {
    this.#collections.delete(gun);
  }

  /** Makes every token given out so far invalid. */
  revokeTokens(): void {
    this.#gate?.revokeAll();
  }

  /** The names of the metadata files asked for, in order, optionally of one GUN only. */
  filesAsked(gun?: string): readonly string[] {
    return this.requests.flatMap((request) => {
      const [, asked, file] = FILE.exec(request.path) ?? [];
      return file === undefined || (gun !== undefined && asked !== gun) ? [] : [file];
    });
  }

  #respond(request: SeenRequest): Answer {
    if (request.path === '/token' && this.#gate !== undefined) return this.#gate.issue(request);
    if (request.path === '/_notary_server/health') return json(200, {});
    if (request.path === '/v2/') {
      return this.#gate?.challenge(request, 'registry:catalog:*', this.url) ?? json(200, {});
    }
    if (request.path.includes('//')) {
      return { status: 301, headers: { location: request.path.replace(/\/{2,}/g, '/') } };
    }
    const [, gun = '', file = ''] = FILE.exec(request.path) ?? [];
    if (gun === '' || request.method !== 'GET') return refusal(404, 'METADATA_NOT_FOUND');
    const challenge = this.#gate?.challenge(request, `repository:${gun}:pull`, this.url);
    if (challenge !== undefined) return challenge;
    const body = this.#collections.get(gun)?.get(file);
    if (body === undefined) return refusal(404, 'METADATA_NOT_FOUND');
    const age = VERSIONED.test(file) ? 2_592_000 : 300;
    const caching = `public, max-age=${age}, s-maxage=${age}`;
    return {
      status: 200,
      headers: {
        'content-type': 'text/plain; charset=utf-8',
        'cache-control': VERSIONED.test(file) ? caching : `${caching}, must-revalidate`,
      },
      body,
    };
  }
}
