import type { Digest } from '../oci/digest.ts';
import { allFailed, type ServerFailure } from './all-failed.ts';
import { attempt, type Call, type Work } from './attempt.ts';
import { ExchangeError } from './errors.ts';
import { RegistryUpstream, type ServerOptions, type UpstreamContext } from './registry-upstream.ts';
import { type Setback, Setbacks } from './setbacks.ts';

/** One upstream registry as configured. */
export interface UpstreamOptions extends ServerOptions {
  /** Servers that are asked, in this order, when the one before did not give content that a digest names. */
  readonly fallbacks?: readonly ServerOptions[];
}

/**
 * One registry: the server at its URL, and the fallbacks for content that a digest names, since nobody has to believe a
 * fallback for that. What a tag means, and whatever else no digest vouches for, is asked of the first alone.
 */
export class UpstreamChain {
  readonly main: RegistryUpstream;
  readonly servers: readonly RegistryUpstream[];
  readonly #registry: string;
  readonly #context: UpstreamContext;
  readonly #setbacks: Setbacks;

  constructor(registry: string, options: UpstreamOptions, context: UpstreamContext) {
    const { fallbacks = [], ...main } = options;
    this.#registry = registry;
    this.#context = context;
    this.main = new RegistryUpstream(registry, main, context);
    const further = fallbacks.map(
      (fallback) =>
        new RegistryUpstream(fallbackName(registry, new URL(fallback.url)), fallback, context),
    );
    this.servers = [this.main, ...further];
    this.#setbacks = new Setbacks(context.clock);
  }

  /** How long one call may take altogether, in milliseconds: each server has its own time. */
  get totalMs(): number {
    return this.servers.reduce((sum, { timeouts }) => sum + timeouts.totalMs, 0);
  }

  /** Asks the first server alone. @throws {ExchangeError} */
  ask<Value>(call: Call, work: Work<Value>): Promise<Value> {
    return attempt(this.main, call, work);
  }

  /**
   * Asks each server once, until one gives what the digest names. Whatever a server fails with, the next is asked.
   *
   * @throws {ExchangeError} that names every server with its reason
   */
  async askByDigest<Value>(digest: Digest, call: Call, work: Work<Value>): Promise<Value> {
    const failures: ServerFailure[] = [];
    for (const server of this.#inOrder(digest, failures)) {
      try {
        const value = await attempt(server, call, work);
        if (server !== this.main) this.#context.events.fellBack(this.#registry);
        return value;
      } catch (error) {
        if (!(error instanceof ExchangeError)) throw error;
        failures.push({ host: server.base.host, error });
        if (error.code === 'mismatch') this.noteWrong(server, digest);
      }
    }
    throw allFailed(failures);
  }

  /**
   * Tells that a server sent something else for a digest. It is not asked for it again for a minute, if there are others.
   *
   * @returns whether another server may have the right content
   */
  noteWrong(server: RegistryUpstream, digest: Digest): boolean {
    this.#context.events.mismatch(server.name);
    this.#note(server, digest, 'wrong');
    return this.servers.some((other) => this.#setbackOf(other, digest) !== 'wrong');
  }

  /** Tells that content broke off at a server: others are asked for it first, for a minute. */
  noteBrokenOff(server: RegistryUpstream, digest: Digest): void {
    this.#note(server, digest, 'broken-off');
  }

  close(): Promise<unknown> {
    return Promise.all(this.servers.map((server) => server.close()));
  }

  /** The servers to ask; those that are passed over for wrong content are put among the failures. */
  #inOrder(digest: Digest, failures: ServerFailure[]): readonly RegistryUpstream[] {
    if (this.servers.length === 1) return this.servers;
    const later: RegistryUpstream[] = [];
    const first = this.servers.filter((server) => {
      const setback = this.#setbackOf(server, digest);
      if (setback === 'broken-off') later.push(server);
      if (setback === 'wrong')
        failures.push({ host: server.base.host, error: wrongContent(server) });
      return setback === undefined;
    });
    return [...first, ...later];
  }

  #note(server: RegistryUpstream, digest: Digest, setback: Setback): void {
    if (this.servers.length > 1) this.#setbacks.note(server.name, digest, setback);
  }

  #setbackOf(server: RegistryUpstream, digest: Digest): Setback | undefined {
    // Where there is nobody else, the next request asks again, and what it gets is checked again.
    return this.servers.length === 1 ? 'wrong' : this.#setbacks.of(server.name, digest);
  }
}

/** What a fallback is called in events: `docker.io (mirror.example.com/hub)`. */
export function fallbackName(registry: string, { host, pathname }: URL): string {
  return `${registry} (${host}${pathname.replace(/\/+$/, '')})`;
}

/** The failure of a server that sent something else. */
export function wrongContent({ base }: RegistryUpstream): ExchangeError {
  const message = `${base.host} sent other content than the digest names`;
  return new ExchangeError('mismatch', message, { detail: { host: base.host } });
}
