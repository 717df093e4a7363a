import { createHash } from 'node:crypto';
import { type Agent, get } from 'node:http';
import { run } from '../e2e/support/process.ts';
import { pinnedTo } from './cores.ts';
import { MANIFEST_ACCEPT } from './engine.ts';

/** One answer, held to its digest. */
export interface Fetched {
  readonly digest: string;
  readonly bytes: number;
}

/** Fetches over an agent's connections. @throws {Error} any other status than 200 */
export function fetchOver(agent: Agent, url: string): Promise<Fetched> {
  const { promise, resolve, reject } = Promise.withResolvers<Fetched>();
  const outgoing = get(url, { agent, headers: { accept: MANIFEST_ACCEPT } }, (incoming) => {
    const hash = createHash('sha256');
    let bytes = 0;
    incoming.on('data', (chunk: Buffer) => {
      hash.update(chunk);
      bytes += chunk.length;
    });
    incoming.on('error', reject);
    incoming.on('end', () => {
      if (incoming.statusCode !== 200) reject(new Error(`${url}: ${incoming.statusCode}`));
      else resolve({ digest: `sha256:${hash.digest('hex')}`, bytes });
    });
  });
  outgoing.on('error', reject);
  return promise;
}

/** Times of one download by curl, in seconds. */
export interface Download {
  readonly firstByteSeconds: number;
  readonly totalSeconds: number;
}

/** Downloads with curl, on the load's core, and throws the bytes away. @throws {Error} when it fails or is of another size */
export async function download(url: string, bytes: number): Promise<Download> {
  const format = '%{http_code} %{time_starttransfer} %{time_total} %{size_download}';
  const words = ['curl', '-sS', '-o', '/dev/null', '-w', format, url];
  const done = await run(pinnedTo('load', words));
  const [status, first, total, size] = done.stdout.split(' ');
  if (done.code !== 0 || status !== '200' || Number(size) !== bytes) {
    throw new Error(`curl ${url}: ${done.output}`);
  }
  return { firstByteSeconds: Number(first), totalSeconds: Number(total) };
}
