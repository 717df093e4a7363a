import type { IncomingMessage } from 'node:http';
import { readBody } from './read-body.ts';

/** The body of a refresh request, or why it is none. */
export type RefreshBody =
  | { readonly kind: 'good'; readonly repository: string | undefined }
  | { readonly kind: 'bad'; readonly status: number; readonly message: string };

/**
 * Says whether a browser sent this request for another site, or for a name that merely points here (DNS rebinding).
 * Tools other than browsers send neither header.
 */
export function isForeignRequest(request: IncomingMessage): boolean {
  const site = request.headers['sec-fetch-site'];
  if (site !== undefined && site !== 'same-origin' && site !== 'none') return true;
  const { origin, host } = request.headers;
  if (origin === undefined) return false;
  if (!URL.canParse(origin)) return true;
  const { host: originHost, hostname } = new URL(origin);
  if (originHost !== host?.toLowerCase()) return true;
  // A socket on loopback is reached by loopback names; any other name was made to point at it.
  const isLoopbackSocket = /^(?:127\.|::1$|::ffff:127\.)/.test(request.socket.localAddress ?? '');
  return isLoopbackSocket && !/^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])$/.test(hostname);
}

/** Reads `{ "repository"?: string }`, at most `maxBytes` of it; no body at all means all repositories. */
export async function readJsonBody(
  request: IncomingMessage,
  maxBytes: number,
): Promise<RefreshBody> {
  const body = await readBody(request, maxBytes);
  if (body === undefined) return bad(413, `the body is longer than ${maxBytes} bytes`);
  if (body.length === 0) return { kind: 'good', repository: undefined };
  return parseBody(body.toString('utf8'));
}

const EXPECTED = '{"repository": "registry/path"}';

function parseBody(body: string): RefreshBody {
  let value: unknown;
  try {
    value = JSON.parse(body);
  } catch {
    return bad(400, 'the body is not JSON');
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return bad(400, `expected ${EXPECTED}`);
  }
  const entries = new Map<string, unknown>(Object.entries(value));
  const repository = entries.get('repository');
  entries.delete('repository');
  if (entries.size > 0) return bad(400, `unknown member; expected ${EXPECTED}`);
  if (repository === undefined) return { kind: 'good', repository: undefined };
  if (typeof repository !== 'string' || repository.length > 512) {
    return bad(400, `expected ${EXPECTED}`);
  }
  return { kind: 'good', repository };
}

function bad(status: number, message: string): RefreshBody {
  return { kind: 'bad', status, message };
}
