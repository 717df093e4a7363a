import type { Clock } from '../base/clock.ts';
import type { Search } from '../trust/search.ts';
import type { TrustedSet } from '../trust/trusted-set.ts';
import { sha256Hex } from '../trust/verified-file.ts';
import type { Answer, TrustedMetadata } from './trusted-metadata.ts';

/** A metadata file as clients of Notary v1 name it: the newest of its role, or one by version or by checksum. */
export interface HeldFileName {
  readonly role: string;
  readonly version?: number;
  /** Lower-case hex. */
  readonly sha256?: string;
}

/** A metadata file's bytes, exactly as the publisher signed them. */
export interface HeldFile {
  readonly bytes: Uint8Array;
  /** Lower-case hex. */
  readonly sha256: string;
}

const MAX_NAME_LENGTH = 255;
const FILE =
  /^(?:([1-9][0-9]{0,8})\.)?(root|timestamp|snapshot|targets(?:\/[-a-z0-9_]+)*)(?:\.([0-9a-f]{64}))?\.json$/;

/**
 * Reads the name of a metadata file; undefined for what is none, such as the server's keys.
 *
 * @source notary: server/server.go
 */
export function parseHeldFileName(text: string): HeldFileName | undefined {
  const parts = text.length > MAX_NAME_LENGTH ? null : FILE.exec(text);
  const role = parts?.[2];
  if (role === undefined) return undefined;
  const [, version, , sha256] = parts ?? [];
  if (version !== undefined && sha256 !== undefined) return undefined;
  return {
    role,
    ...(version === undefined ? {} : { version: Number(version) }),
    ...(sha256 === undefined ? {} : { sha256 }),
  };
}

/**
 * A file of a collection as far as it is trusted now: fresh, verified, and one with the others that are given out. Undefined
 * when the collection has no such file, or has another one by now.
 *
 * @throws {TrustError} {TrustServerError} {StateError} as `Collection.pin` does; for a delegation also what makes it
 * unacceptable
 */
export async function heldFile(
  metadata: TrustedMetadata,
  name: HeldFileName,
  { clock, signal }: { readonly clock: Clock; readonly signal?: AbortSignal | undefined },
): Promise<Answer<HeldFile | undefined>> {
  return await metadata.answer(signal, async (set) => {
    const visited = new Set<string>();
    const bytes = await bytesOf(metadata, { set, name, visited });
    set.requireFreshAt(clock.now(), visited);
    if (bytes === undefined) return undefined;
    const sha256 = sha256Hex(bytes);
    return name.sha256 === undefined || name.sha256 === sha256 ? { bytes, sha256 } : undefined;
  });
}

interface Wanted {
  readonly set: TrustedSet;
  readonly name: HeldFileName;
  readonly visited: Set<string>;
}

async function bytesOf(
  metadata: TrustedMetadata,
  { set, name, visited }: Wanted,
): Promise<Uint8Array | undefined> {
  const { role, version } = name;
  if (role === 'root' && version !== undefined) return await metadata.rootVersion(version);
  if (role.startsWith('targets')) await metadata.search(set, reach(role), visited);
  const file = fileOf(set, role);
  return version === undefined || version === file?.body.version ? file?.bytes : undefined;
}

function fileOf(
  set: TrustedSet,
  role: string,
): { readonly bytes: Uint8Array; readonly body: { readonly version: number } } | undefined {
  switch (role) {
    case 'root':
      return set.root;
    case 'timestamp':
      return set.timestamp;
    case 'snapshot':
      return set.snapshot;
    default:
      return set.targets.get(role);
  }
}

/** Has a role and those above it accepted, as far as each is delegated by the one before. */
function* reach(role: string): Search<void> {
  const parts = role.split('/');
  let delegator = '';
  for (let depth = 1; depth <= parts.length; depth += 1) {
    const step = parts.slice(0, depth).join('/');
    const body = yield { role: step, delegator, isNeeded: true };
    const child = parts.slice(0, depth + 1).join('/');
    if (body?.delegations.some(({ name }) => name === child) !== true) return;
    delegator = step;
  }
}
