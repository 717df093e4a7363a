import type { IncomingMessage } from 'node:http';
import { readBody } from './read-body.ts';

/** Why a body is not taken. */
export interface BadBody {
  readonly kind: 'bad';
  readonly status: number;
  readonly message: string;
}

/** The body of a refresh request, or why it is none. */
export type RefreshBody = { readonly kind: 'good'; readonly repository?: string } | BadBody;

/** The body of a question about digests, or why it is none. */
export type PassedBody = { readonly kind: 'good'; readonly question: PassedQuestion } | BadBody;

/** Which content is asked about: whether it is on record, and which repositories are relayed without one. */
export interface PassedQuestion {
  readonly digests: ReadonlySet<string>;
  /** Full names; nothing is known of their grammar. */
  readonly repositories: readonly string[];
}

/** The most digests, and the most repositories, in one question. */
export const MAX_ASKED = 1_000;

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

/** Reads a JSON body of at most `maxBytes`; no body at all is undefined. */
export async function readJsonBody(
  request: IncomingMessage,
  maxBytes: number,
): Promise<{ readonly kind: 'good'; readonly value: unknown } | BadBody> {
  const body = await readBody(request, maxBytes);
  if (body === undefined) return bad(413, `the body is longer than ${maxBytes} bytes`);
  if (body.length === 0) return { kind: 'good', value: undefined };
  try {
    return { kind: 'good', value: JSON.parse(body.toString('utf8')) };
  } catch {
    return bad(400, 'the body is not JSON');
  }
}

/** Parses `{ "repository"?: string }`; no body at all means all repositories. */
export function parseRefresh(value: unknown): RefreshBody {
  if (value === undefined) return { kind: 'good' };
  const members = membersOf(value, ['repository']);
  if (members === undefined) return bad(400, `expected ${REFRESH}`);
  const repository = members.get('repository');
  if (repository === undefined) return { kind: 'good' };
  return isName(repository) ? { kind: 'good', repository } : bad(400, `expected ${REFRESH}`);
}

/** Parses `{ "digests": string[], "repositories"?: string[] }`, each at most `MAX_ASKED` long. */
export function parsePassed(value: unknown): PassedBody {
  const members = membersOf(value, ['digests', 'repositories']);
  const digests = members?.get('digests');
  const repositories = members?.get('repositories') ?? [];
  if (!isNames(digests) || !isNames(repositories)) {
    return bad(400, `expected ${PASSED}, at most ${MAX_ASKED} of each`);
  }
  return { kind: 'good', question: { digests: new Set(digests), repositories } };
}

const REFRESH = '{"repository": "registry/path"}';
const PASSED = '{"digests": ["sha256:…"], "repositories": ["registry/path"]}';

/** The members of an object that has none but the known ones. */
function membersOf(
  value: unknown,
  known: readonly string[],
): ReadonlyMap<string, unknown> | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
  const members = new Map<string, unknown>(Object.entries(value));
  return [...members.keys()].every((name) => known.includes(name)) ? members : undefined;
}

function isName(value: unknown): value is string {
  return typeof value === 'string' && value.length <= 512;
}

function isNames(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.length <= MAX_ASKED && value.every(isName);
}

function bad(status: number, message: string): BadBody {
  return { kind: 'bad', status, message };
}
