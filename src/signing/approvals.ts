import type { Delegation } from '../trust/model.ts';
import { matchesPathPattern } from '../trust/path-pattern.ts';
import type { JsonObject } from '../trust/strict-json.ts';
import type { OpenCollection } from './collection.ts';
import { contentOf, type Draft, targetsBodies, withContent } from './draft.ts';
import { rawTarget, type TargetEntry, withoutTarget, withRawTarget, withTarget } from './edits.ts';
import { SigningError } from './errors.ts';
import { plain } from './words.ts';

/** What edits are made on: the collection, and the time in milliseconds since the epoch. */
export interface EditContext {
  readonly open: Pick<OpenCollection, 'repository' | 'pending' | 'settings'>;
  readonly now: number;
}

/** An image to be approved under a target name. */
export interface Approval {
  readonly name: string;
  readonly entry: TargetEntry;
  /** The role that is to sign it; absent: the team that the name was handed to, else `targets`. */
  readonly role?: string;
}

/** An approved image and the role that has it. */
export interface FoundEntry {
  readonly role: string;
  readonly entry: JsonObject;
}

/**
 * The draft with images approved.
 *
 * @throws {SigningError} `name_unfit` for a role that may not sign the name, or whose word would not count
 */
export function approve({ open, now }: EditContext, approvals: readonly Approval[]): Draft {
  const { repository, settings } = open;
  const expiresAt = now + settings.lifetimes.targets;
  let draft = open.pending;
  const contents = new Map<string, JsonObject>();
  for (const { name, entry, role: wanted } of approvals) {
    const role = wanted ?? roleFor(open, name);
    requireScope(open, role, name);
    const content = contents.get(role) ?? targetsContent(open, role);
    contents.set(role, withTarget(content, name, entry));
  }
  for (const [role, signed] of contents) {
    draft = withContent(repository, draft, { role, signed, expiresAt });
  }
  return draft;
}

/**
 * The draft with an approved image under one more name.
 *
 * @throws {SigningError} `not_approved`, `name_unfit`
 */
export function promote(
  { open, now }: EditContext,
  { from, to }: { readonly from: string; readonly to: string },
): Draft {
  const found = findEntry(open, from);
  if (found === undefined) throw notApproved(from);
  const role = roleFor(open, to);
  requireScope(open, role, to);
  const signed = withRawTarget(targetsContent(open, role), to, found.entry);
  const expiresAt = now + open.settings.lifetimes.targets;
  return withContent(open.repository, open.pending, { role, signed, expiresAt });
}

/** The draft without an image, whichever roles approve it. @throws {SigningError} `not_approved` */
export function revoke({ open, now }: EditContext, name: string): Draft {
  const expiresAt = now + open.settings.lifetimes.targets;
  let draft = open.pending;
  const roles = [...targetsBodies(open.repository, open.pending)]
    .filter(([, { targets }]) => targets.has(name))
    .map(([role]) => role);
  if (roles.length === 0) throw notApproved(name);
  for (const role of roles) {
    const signed = withoutTarget(targetsContent(open, role), name);
    draft = withContent(open.repository, draft, { role, signed, expiresAt });
  }
  return draft;
}

/** What a client would find under a name once what is pending is in effect. */
export function findEntry(open: EditContext['open'], name: string): FoundEntry | undefined {
  const team = delegationFor(open, name)?.name;
  for (const role of ['targets', ...(team === undefined ? [] : [team])]) {
    const entry = rawTarget(contentOf(open.repository, open.pending, role), name);
    if (entry !== undefined) return { role, entry };
  }
  return undefined;
}

/** The role that signs a name unless told otherwise: the team it was handed to, else `targets`. */
export function roleFor(open: EditContext['open'], name: string): string {
  return delegationFor(open, name)?.name ?? 'targets';
}

/** The content of a targets role as it will be. @throws {SigningError} `name_unfit` when there is no such role */
export function targetsContent(open: EditContext['open'], role: string): JsonObject {
  const content =
    role === 'root' || role === 'snapshot' || role === 'timestamp'
      ? undefined
      : contentOf(open.repository, open.pending, role);
  if (content !== undefined) return content;
  throw new SigningError('name_unfit', `the collection has no signer called ${plain(role)}`);
}

function requireScope(open: EditContext['open'], role: string, name: string): void {
  if (role === 'targets') return;
  const bodies = targetsBodies(open.repository, open.pending);
  const delegation = bodies.get('targets')?.delegations.find((each) => each.name === role);
  if (delegation === undefined || !covers(delegation, name)) {
    throw new SigningError('name_unfit', `${plain(role)} may not sign ${plain(name)}`);
  }
  if (bodies.get('targets')?.targets.has(name) === true) {
    throw new SigningError(
      'name_unfit',
      `${plain(name)} is approved by targets itself, which comes before ${plain(role)}: revoke it there first`,
    );
  }
}

function delegationFor(open: EditContext['open'], name: string): Delegation | undefined {
  const top = targetsBodies(open.repository, open.pending).get('targets');
  return top?.delegations.find((delegation) => covers(delegation, name));
}

function covers({ paths, pathHashPrefixes }: Delegation, name: string): boolean {
  return (
    pathHashPrefixes === undefined && paths.some((pattern) => matchesPathPattern(name, pattern))
  );
}

function notApproved(name: string): SigningError {
  return new SigningError('not_approved', `${plain(name)} is not approved in this collection`);
}
