import { tuf10 } from '../trust/dialect/tuf-1.0.ts';
import { TrustError } from '../trust/errors.ts';
import type { WeakAlgorithms } from '../trust/keys.ts';
import type { FileMeta } from '../trust/model.ts';
import type { JsonObject } from '../trust/strict-json.ts';
import { TrustedRoot } from '../trust/trusted-root.ts';
import { NO_EARLIER_FILES, TrustedSet } from '../trust/trusted-set.ts';
import { decodeDocument } from './document-encoding.ts';
import type { RoleDocument } from './documents.ts';
import { SigningError } from './errors.ts';

/** Reads one metadata file of a repository; undefined when there is none of that name. */
export type ReadMetadata = (file: string) => Promise<Uint8Array | undefined>;

/** One role's current file, verified. */
export interface CurrentFile extends RoleDocument {
  /** Its name in the repository. */
  readonly file: string;
  readonly bytes: Uint8Array;
  readonly version: number;
  /** Milliseconds since the epoch. */
  readonly expiresAt: number;
}

/** What a repository holds now; every file has been verified as a client would. */
export interface Repository {
  readonly root: TrustedRoot;
  readonly set: TrustedSet;
  /** All root files, oldest first, by name. */
  readonly roots: ReadonlyMap<string, Uint8Array>;
  /** The current files of all roles: root, timestamp, snapshot, targets, then delegations in the order of the search. */
  readonly current: ReadonlyMap<string, CurrentFile>;
}

/** No key or signature of an older kind is taken. */
export const NO_WEAK_ALGORITHMS: WeakAlgorithms = { rsaPkcs1v15: false, p224: false };

const MAX_ROOTS = 1024;
const MAX_ROLES = 256;

/**
 * Reads a repository and verifies it as a client would that starts with its first root.
 *
 * @param now - milliseconds since the epoch, or no expiry check
 * @throws {SigningError} `collection_missing`, `collection_damaged`
 */
export async function loadRepository(
  read: ReadMetadata,
  now: number | 'ignore-expiry',
): Promise<Repository> {
  try {
    const { root, roots } = await loadRoots(read);
    const weak = NO_WEAK_ALGORITHMS;
    const set = new TrustedSet(root, { now, weak, earlier: NO_EARLIER_FILES });
    const files = new Map([['root', `${root.body.version}.root.json`]]);
    const need = async (role: string, meta: FileMeta): Promise<Uint8Array> => {
      const file = tuf10.fileName(role, meta, root.body);
      files.set(role, file);
      return (await read(file)) ?? damaged(`${file} is missing`);
    };
    files.set('timestamp', 'timestamp.json');
    set.acceptTimestamp((await read('timestamp.json')) ?? damaged('timestamp.json is missing'));
    set.acceptSnapshot(await need('snapshot', set.timestamp.body.snapshot));
    await acceptAllTargets(set, need);
    return { root, roots, set, current: currentFiles(set, files) };
  } catch (error) {
    if (!(error instanceof TrustError)) throw error;
    throw new SigningError('collection_damaged', `the metadata does not verify: ${error.message}`, {
      detail: { ...error.detail, reason: error.code },
      cause: error,
    });
  }
}

/** The highest version of a role that was ever listed; 0 when it never was. */
export function listedVersion({ set, current }: Repository, role: string): number {
  return set.snapshot.body.files.get(role)?.version ?? current.get(role)?.version ?? 0;
}

/** The members of a snapshot's or timestamp's `meta`, as they are. */
export function listingOf(repository: Repository, role: 'snapshot' | 'timestamp'): JsonObject {
  const meta = repository.current.get(role)?.signed.get('meta');
  return meta instanceof Map ? meta : new Map();
}

async function loadRoots(
  read: ReadMetadata,
): Promise<{ readonly root: TrustedRoot; readonly roots: ReadonlyMap<string, Uint8Array> }> {
  const first = await read('1.root.json');
  if (first === undefined) {
    throw new SigningError('collection_missing', 'there is no 1.root.json');
  }
  const anchor = { kind: 'first-use' } as const;
  const rules = { dialect: tuf10, gun: '', anchor, weak: NO_WEAK_ALGORITHMS };
  const roots = new Map([['1.root.json', first]]);
  let root = TrustedRoot.admit(first, rules, 0);
  for (let version = 2; version <= MAX_ROOTS; version += 1) {
    const file = `${version}.root.json`;
    const bytes = await read(file);
    if (bytes === undefined) break;
    root = root.successor(bytes);
    roots.set(file, bytes);
  }
  return { root, roots };
}

async function acceptAllTargets(
  set: TrustedSet,
  need: (role: string, meta: FileMeta) => Promise<Uint8Array>,
): Promise<void> {
  const queue = [{ role: 'targets', delegator: '' }];
  const seen = new Set<string>();
  for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
    const { role, delegator } = next;
    if (seen.has(role)) continue;
    if (seen.size >= MAX_ROLES) damaged(`it has over ${MAX_ROLES} targets roles`);
    seen.add(role);
    const meta = set.expected(role) ?? damaged(`the snapshot does not list ${role}`);
    const { body } = set.acceptTargets(role, await need(role, meta), delegator);
    for (const { name } of body.delegations) queue.push({ role: name, delegator: role });
  }
}

function currentFiles(
  set: TrustedSet,
  files: ReadonlyMap<string, string>,
): ReadonlyMap<string, CurrentFile> {
  const { root, timestamp, snapshot, targets } = set;
  const verified = [
    ['root', { bytes: root.bytes, body: root.body }],
    ['timestamp', timestamp],
    ['snapshot', snapshot],
    ...targets,
  ] as const;
  return new Map(
    verified.map(([role, { bytes, body }]) => {
      const { version, expiresAt } = body;
      const file = files.get(role) ?? '';
      return [role, { ...decodeDocument(role, bytes), file, bytes, version, expiresAt }] as const;
    }),
  );
}

function damaged(what: string): never {
  throw new SigningError('collection_damaged', `the metadata is not complete: ${what}`);
}
