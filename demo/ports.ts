import { createServer } from 'node:net';

/** The first port of those that can be listened on at 127.0.0.1. @throws {Error} when none is free */
export async function firstFreePort(candidates: readonly number[]): Promise<number> {
  for (const port of candidates) {
    if (await isFree(port)) return port;
  }
  const [first, ...more] = candidates;
  const range = more.length === 0 ? `port ${first} is` : `ports ${first} to ${more.at(-1)} are`;
  throw new Error(`${range} taken on 127.0.0.1; choose another one with --port`);
}

async function isFree(port: number): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const server = createServer();
  server.once('error', () => resolve(false));
  server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  return await promise;
}
