import { encodeRoleName, tuf10 } from '../trust/dialect/tuf-1.0.ts';
import type { JsonObject } from '../trust/strict-json.ts';
import { encodeDocument, envelopeOf } from './document-encoding.ts';
import { type ListedFile, newListing, type RoleDocument } from './documents.ts';
import { authoritiesFor, type Draft } from './draft.ts';
import type { Signers } from './key-ring.ts';
import { listingOf, loadRepository, type ReadMetadata, type Repository } from './repository.ts';
import { snapshotDueAt } from './schedule.ts';
import type { CollectionSettings } from './settings.ts';
import { signWith } from './sign-draft.ts';

/** What finishing needs. */
export interface FinishOptions {
  readonly settings: CollectionSettings;
  /** Milliseconds since the epoch. */
  readonly now: number;
  readonly ring: Signers;
  /** Reads what is there already. */
  readonly read: ReadMetadata;
}

/**
 * The files that bring a complete draft into effect, with a snapshot and timestamp over them, in the order in which they are to
 * become visible. Before they are given away they are verified as a client would, together with what is there.
 *
 * @param draft - with all its signatures; empty: only what the online keys renew
 * @throws {SigningError} `key_missing` without the online keys, `collection_damaged` when the result would not verify
 */
export async function finishedFiles(
  repository: Repository,
  draft: Draft,
  options: FinishOptions,
): Promise<ReadonlyMap<string, Uint8Array>> {
  const files = new Map<string, Uint8Array>();
  const listed: ListedFile[] = [];
  for (const document of draft.values()) {
    if (document.role === 'root') continue;
    const file = {
      role: document.role,
      version: versionOf(document),
      bytes: encodeDocument(document),
    };
    listed.push(file);
    files.set(nameOf(file), file.bytes);
  }
  const snapshot = await nextSnapshot(repository, draft, { ...options, listed });
  files.set(nameOf(snapshot), snapshot.bytes);
  const root = draft.get('root');
  if (root !== undefined) files.set(`${versionOf(root)}.root.json`, encodeDocument(root));
  files.set('timestamp.json', await nextTimestamp(repository, draft, { ...options, snapshot }));
  await loadRepository(async (file) => files.get(file) ?? (await options.read(file)), options.now);
  return files;
}

/** The files of a collection that begins. */
export async function firstFiles(
  root: RoleDocument,
  targets: RoleDocument,
  options: Omit<FinishOptions, 'read'>,
): Promise<ReadonlyMap<string, Uint8Array>> {
  const { settings, now, ring } = options;
  const body = tuf10.parseRoot(envelopeOf(root));
  const { lifetimes } = settings;
  const sign = async (role: 'snapshot' | 'timestamp', signed: JsonObject): Promise<ListedFile> => {
    const authority = body.roles.get(role) ?? { role, keys: new Map(), threshold: 1 };
    const document = await signWith({ role, signed, signatures: new Map() }, authority, ring);
    return { role, version: 1, bytes: encodeDocument(document) };
  };
  const none = new Map();
  const first = { role: 'targets', version: 1, bytes: encodeDocument(targets) };
  const snapshotAt = { version: 1, expiresAt: now + lifetimes.snapshot };
  const snapshot = await sign(
    'snapshot',
    newListing('snapshot', snapshotAt, { listed: none, files: [first] }),
  );
  const timestampAt = { version: 1, expiresAt: now + lifetimes.timestamp };
  const timestamp = await sign(
    'timestamp',
    newListing('timestamp', timestampAt, { listed: none, files: [snapshot] }),
  );
  const files = new Map([
    ['1.targets.json', first.bytes],
    ['1.snapshot.json', snapshot.bytes],
    ['1.root.json', encodeDocument(root)],
    ['timestamp.json', timestamp.bytes],
  ]);
  await loadRepository((file) => Promise.resolve(files.get(file)), now);
  return files;
}

async function nextSnapshot(
  repository: Repository,
  draft: Draft,
  options: FinishOptions & { readonly listed: readonly ListedFile[] },
): Promise<ListedFile> {
  const { settings, now, listed } = options;
  const current = repository.set.snapshot;
  const { version } = current.body;
  const isYoung = now < snapshotDueAt(repository, settings);
  // A new root may have given the role to other keys, whose signature the old file lacks.
  if (isYoung && draft.size === 0) return { role: 'snapshot', version, bytes: current.bytes };
  const at = { version: version + 1, expiresAt: now + settings.lifetimes.snapshot };
  const listing = { listed: listingOf(repository, 'snapshot'), files: listed };
  const signed = newListing('snapshot', at, listing);
  const bytes = await signOnline(repository, draft, { ...options, role: 'snapshot', signed });
  return { role: 'snapshot', version: at.version, bytes };
}

async function nextTimestamp(
  repository: Repository,
  draft: Draft,
  options: FinishOptions & { readonly snapshot: ListedFile },
): Promise<Uint8Array> {
  const { settings, now, snapshot } = options;
  const { version } = repository.set.timestamp.body;
  const at = { version: version + 1, expiresAt: now + settings.lifetimes.timestamp };
  const listing = { listed: listingOf(repository, 'timestamp'), files: [snapshot] };
  const signed = newListing('timestamp', at, listing);
  return await signOnline(repository, draft, { ...options, role: 'timestamp', signed });
}

async function signOnline(
  repository: Repository,
  draft: Draft,
  {
    role,
    signed,
    ring,
  }: {
    readonly role: 'snapshot' | 'timestamp';
    readonly signed: JsonObject;
    readonly ring: Signers;
  },
): Promise<Uint8Array> {
  let document: RoleDocument = { role, signed, signatures: new Map() };
  for (const authority of authoritiesFor(repository, draft, role)) {
    document = await signWith(document, authority, ring);
  }
  return encodeDocument(document);
}

/** @source TUF 1.0.34 §6.2 (#consistent-snapshots) */
function nameOf({ role, version }: ListedFile): string {
  return `${version}.${encodeRoleName(role)}.json`;
}

function versionOf({ signed }: RoleDocument): number {
  const version = signed.get('version');
  return typeof version === 'number' ? version : 0;
}
