import type { TopLevelRole } from '../trust/model.ts';
import type { JsonObject } from '../trust/strict-json.ts';
import type { EditContext } from './approvals.ts';
import { targetsContent } from './approvals.ts';
import { newTargets, type RoleKeys } from './documents.ts';
import { authoritiesFor, contentOf, type Draft, targetsBodies, withContent } from './draft.ts';
import { withDelegation, withoutDelegation, withRoleKeys } from './edits.ts';
import { SigningError } from './errors.ts';
import { keyObjects } from './role-keys.ts';
import type { PublicKey } from './signing-key.ts';
import { patternsFor } from './target-name.ts';
import { plain, shortKeyId } from './words.ts';

/** A team that is to sign for a part of the images. */
export interface NewSigner extends RoleKeys {
  readonly name: string;
  /** `registry/team/` for all repositories below it, `registry/team/app` for one. */
  readonly prefixes: readonly string[];
}

/** A change of a role's keys. */
export interface KeyChange {
  readonly role: string;
  readonly add: readonly PublicKey[];
  /** Key IDs or beginnings of them that mean one key each. */
  readonly remove: readonly string[];
  /** Absent: as it is. */
  readonly threshold?: number;
}

const SIGNER_NAME = /^[a-z0-9][a-z0-9-]{0,63}$/;
const RESERVED: ReadonlySet<string> = new Set(['root', 'targets', 'snapshot', 'timestamp']);

/**
 * The draft with a team that may sign a part of the images, or with the keys and the part of one that is there replaced.
 *
 * @throws {SigningError} `name_unfit`, `threshold_impossible`
 */
export function addSigner({ open, now }: EditContext, signer: NewSigner): Draft {
  const { name, prefixes } = signer;
  if (!SIGNER_NAME.test(name) || RESERVED.has(name)) {
    throw new SigningError(
      'name_unfit',
      `${JSON.stringify(name)} cannot be a signer: names are lower-case letters, digits and hyphens`,
    );
  }
  const { repository, pending, settings } = open;
  const expiresAt = now + settings.lifetimes.targets;
  const patterns = prefixes.flatMap((prefix) => patternsFor(settings.template, prefix));
  const top = withDelegation(targetsContent(open, 'targets'), { ...signer, patterns });
  const draft = withContent(repository, pending, { role: 'targets', signed: top, expiresAt });
  if (draft === pending) return draft;
  const own = contentOf(repository, pending, name) ?? newTargets(expiresAt);
  return withContent(repository, draft, { role: name, signed: own, expiresAt, always: true });
}

/** The draft without a team. @throws {SigningError} `name_unfit` */
export function removeSigner({ open, now }: EditContext, name: string): Draft {
  const { repository, pending, settings } = open;
  const top = targetsContent(open, 'targets');
  requireDelegation(open, name);
  const expiresAt = now + settings.lifetimes.targets;
  const others = new Map([...pending].filter(([role]) => role !== name));
  return withContent(repository, others, {
    role: 'targets',
    signed: withoutDelegation(top, name),
    expiresAt,
  });
}

/**
 * The draft with other keys for a role. What the role itself has signed is signed anew with them.
 *
 * @throws {SigningError} `name_unfit`, `key_missing` for a key to be removed that the role does not have,
 * `threshold_impossible`
 */
export function changeKeys({ open, now }: EditContext, change: KeyChange): Draft {
  const { repository, pending, settings } = open;
  const { role } = change;
  const expiresAt = now + settings.lifetimes[role === 'root' ? 'root' : 'targets'];
  if (isTopLevel(role)) {
    const root = contentOf(repository, pending, 'root') ?? new Map();
    const keys = changedKeys(open, root, change);
    const signed = withRoleKeys(root, role, keys);
    const rootEnd = now + settings.lifetimes.root;
    const draft = withContent(repository, pending, { role: 'root', signed, expiresAt: rootEnd });
    if (draft === pending || role !== 'targets') return draft;
    const targets = targetsContent(open, 'targets');
    return withContent(repository, draft, { role, signed: targets, expiresAt, always: true });
  }
  const { paths } = requireDelegation(open, role);
  const top = targetsContent(open, 'targets');
  const holder = top.get('delegations');
  const keys = changedKeys(open, holder instanceof Map ? holder : new Map(), change);
  const signed = withDelegation(top, { ...keys, name: role, patterns: paths });
  const draft = withContent(repository, pending, { role: 'targets', signed, expiresAt });
  if (draft === pending) return draft;
  const own = targetsContent(open, role);
  return withContent(repository, draft, { role, signed: own, expiresAt, always: true });
}

/** The draft with a new version of a role that says the same for longer. @throws {SigningError} `name_unfit` */
export function extend({ open, now }: EditContext, role: string): Draft {
  const { repository, pending, settings } = open;
  const signed =
    role === 'root' ? contentOf(repository, pending, 'root') : targetsContent(open, role);
  if (signed === undefined) return pending;
  const expiresAt = now + settings.lifetimes[role === 'root' ? 'root' : 'targets'];
  return withContent(repository, pending, { role, signed, expiresAt, always: true });
}

/** The keys of a role as it will be, by ID. @throws {SigningError} `name_unfit` */
export function keysOf(open: EditContext['open'], role: string): ReadonlyMap<string, number> {
  if (!isTopLevel(role)) requireDelegation(open, role);
  const authority = authoritiesFor(open.repository, open.pending, role).at(-1);
  return new Map([...(authority?.keys.keys() ?? [])].map((id) => [id, authority?.threshold ?? 1]));
}

function changedKeys(
  open: EditContext['open'],
  holder: JsonObject,
  { role, add, remove, threshold }: KeyChange,
): RoleKeys {
  const authority = authoritiesFor(open.repository, open.pending, role).at(-1);
  const ids = [...(authority?.keys.keys() ?? [])];
  const removed = new Set(remove.map((start) => matching(ids, start, role)));
  const objects = keyObjects(holder);
  const kept = ids
    .filter((id) => !removed.has(id))
    .map((keyId) => ({ keyId, object: objects.get(keyId) ?? new Map() }));
  const keptIds = new Set(kept.map(({ keyId }) => keyId));
  const added = add.filter(({ keyId }) => !keptIds.has(keyId));
  return { keys: [...kept, ...added], threshold: threshold ?? authority?.threshold ?? 1 };
}

function matching(ids: readonly string[], start: string, role: string): string {
  const found = ids.filter((id) => id.startsWith(start));
  const [only] = found;
  if (only !== undefined && found.length === 1 && start.length >= 6) return only;
  throw new SigningError(
    'key_missing',
    `${JSON.stringify(start)} does not say which key of ${plain(role)} is meant; its keys are ${ids.map(shortKeyId).join(', ')}`,
  );
}

function requireDelegation(
  open: EditContext['open'],
  name: string,
): { readonly paths: readonly string[] } {
  const top = targetsBodies(open.repository, open.pending).get('targets');
  const delegation = top?.delegations.find((each) => each.name === name);
  if (delegation !== undefined) return delegation;
  throw new SigningError('name_unfit', `the collection has no signer called ${plain(name)}`);
}

function isTopLevel(role: string): role is TopLevelRole {
  return RESERVED.has(role);
}
