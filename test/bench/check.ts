import { createHash } from 'node:crypto';
import type { Contender } from './contender.ts';
import { MANIFEST_ACCEPT } from './engine.ts';

/**
 * Fetches a path once and holds the body to its digest, so that nobody is measured at sending something else.
 *
 * @throws {Error} another status than 200, or other bytes
 */
export async function requireBytes(at: Contender, path: string, digest: string): Promise<void> {
  const response = await fetch(`${at.url}${path}`, { headers: { accept: MANIFEST_ACCEPT } });
  if (response.status !== 200 || response.body === null) {
    throw new Error(`${at.name} answers ${path} with ${response.status}`);
  }
  const hash = createHash('sha256');
  for await (const chunk of response.body) hash.update(chunk);
  const got = `sha256:${hash.digest('hex')}`;
  if (got !== digest) throw new Error(`${at.name} answers ${path} with ${got}, not ${digest}`);
}

/** Holds Pinnace to refusing a tag that nobody signed. @throws {Error} when it is served */
export async function requireRefusal(at: Contender, path: string): Promise<void> {
  const response = await fetch(`${at.url}${path}`, { headers: { accept: MANIFEST_ACCEPT } });
  await response.body?.cancel();
  const reason = response.headers.get('x-pinnace-reason');
  if (response.status !== 403 || reason !== 'tag_not_signed') {
    throw new Error(`${path} should be refused, but is answered with ${response.status} ${reason}`);
  }
}
