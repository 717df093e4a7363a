import { createHash } from 'node:crypto';
import type { Contender } from './contender.ts';
import { MANIFEST_ACCEPT } from './engine.ts';

/** Part of a blob: the first and last byte that are wanted, and the digest of what lies between. */
export interface BlobRange {
  readonly first: number;
  readonly last: number;
  readonly digest: string;
}

type Asked = Pick<Contender, 'name' | 'url'>;

/**
 * Fetches a path once and holds the body to its digest, so that nobody is measured at sending something else.
 *
 * @throws {Error} another status than 200, or other bytes
 */
export async function requireBytes(at: Asked, path: string, digest: string): Promise<void> {
  const response = await fetch(`${at.url}${path}`, { headers: { accept: MANIFEST_ACCEPT } });
  await requireStatus(response, 200, `${at.name} answers ${path}`);
  await requireBody(response, digest, `${at.name} answers ${path}`);
}

/**
 * Asks for the head of a manifest and holds it to its digest.
 *
 * @throws {Error} another status than 200, another digest, or a body
 */
export async function requireHead(at: Asked, path: string, digest: string): Promise<void> {
  const headers = { accept: MANIFEST_ACCEPT };
  const response = await fetch(`${at.url}${path}`, { method: 'HEAD', headers });
  await requireStatus(response, 200, `${at.name} answers HEAD ${path}`);
  const got = response.headers.get('docker-content-digest');
  if (got !== digest) throw new Error(`${at.name} answers HEAD ${path} with ${got}, not ${digest}`);
}

/**
 * Fetches part of a blob and holds it to its digest.
 *
 * @throws {Error} another status than 206, another part, or other bytes
 */
export async function requireRange(at: Asked, path: string, range: BlobRange): Promise<void> {
  const { first, last, digest } = range;
  const what = `${at.name} answers bytes ${first} to ${last} of ${path}`;
  const response = await fetch(`${at.url}${path}`, {
    headers: { range: `bytes=${first}-${last}` },
  });
  await requireStatus(response, 206, what);
  const part = response.headers.get('content-range') ?? '';
  if (!part.startsWith(`bytes ${first}-${last}/`)) throw new Error(`${what} with "${part}"`);
  await requireBody(response, digest, what);
}

/** Holds Pinnace to refusing a tag that nobody signed. @throws {Error} when it is served */
export async function requireRefusal(at: Asked, path: string): Promise<void> {
  const response = await fetch(`${at.url}${path}`, { headers: { accept: MANIFEST_ACCEPT } });
  await response.body?.cancel();
  const reason = response.headers.get('x-pinnace-reason');
  if (response.status !== 403 || reason !== 'tag_not_signed') {
    throw new Error(`${path} should be refused, but is answered with ${response.status} ${reason}`);
  }
}

async function requireStatus(response: Response, status: number, what: string): Promise<void> {
  if (response.status === status) return;
  await response.body?.cancel();
  throw new Error(`${what} with ${response.status}, not ${status}`);
}

async function requireBody(response: Response, digest: string, what: string): Promise<void> {
  const hash = createHash('sha256');
  for await (const chunk of response.body ?? []) hash.update(chunk);
  const got = `sha256:${hash.digest('hex')}`;
  if (got !== digest) throw new Error(`${what} with ${got}, not ${digest}`);
}
