import type { TestContext } from 'node:test';
import { silentEvents, type UpstreamEvents } from '../../../src/upstream/events.ts';
import type { RegistryClient } from '../../../src/upstream/registry-client.ts';
import type { UpstreamOptions } from '../../../src/upstream/upstream-chain.ts';
import { HurryingClock } from './hurrying-clock.ts';
import { type Handler, type Loopback, serve } from './loopback.ts';
import { CONTENT } from './registry-fixture.ts';
import { clientOf } from './registry-setup.ts';

export const RETRY = { tries: 1, baseDelayMs: 1 };

export const gives: Handler = (_request, response) => void response.end(CONTENT);
export const poisons: Handler = (_request, response) => {
  response.end(Buffer.from(CONTENT).fill('x', 0, 1));
};
export const answers =
  (status: number, headers: Readonly<Record<string, string>> = {}): Handler =>
  (_request, response) =>
    void response.writeHead(status, headers).end();
export const resets: Handler = (request) => void request.socket.resetAndDestroy();
export const hangs: Handler = () => undefined;
export const notHttp: Handler = (request) => void request.socket.end('nonsense\r\n\r\n');

/** What was told of an upstream, by event. */
function recorder(): { readonly told: string[]; readonly events: UpstreamEvents } {
  const told: string[] = [];
  const events: UpstreamEvents = {
    ...silentEvents,
    breaker: (host, state) => void told.push(`${host} ${state}`),
    mismatch: (host) => void told.push(`${host} mismatch`),
    fellBack: (host) => void told.push(`${host} fell back`),
  };
  return { told, events };
}

/** A client of one upstream, the servers behind it, and what was told. */
export interface Scene {
  readonly client: RegistryClient;
  readonly servers: readonly Loopback[];
  readonly told: readonly string[];
  readonly clock: HurryingClock;
}

/** An upstream whose first server is the first handler's, with a fallback for each of the others. */
export async function sceneOf(
  context: TestContext,
  handlers: readonly Handler[],
  options: Omit<UpstreamOptions, 'url'> = {},
): Promise<Scene> {
  const servers = await Promise.all(handlers.map((handler) => serve(context, handler)));
  const [main, ...others] = servers.map(({ url }) => url);
  const fallbacks = others.map((url) => ({ url, ...options }));
  const { told, events } = recorder();
  const clock = new HurryingClock();
  const upstream = { url: main ?? '', ...options, fallbacks };
  const client = clientOf(context, upstream, { clock, events, retry: RETRY });
  return { client, servers, told, clock };
}

/** How many requests each server has had. */
export function asked(servers: readonly Loopback[]): readonly number[] {
  return servers.map(({ requests }) => requests.length);
}
