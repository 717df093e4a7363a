import type { Authority } from '../trust/authority.ts';
import { encodeCanonicalJson } from '../trust/canonical-json.ts';
import { tuf10 } from '../trust/dialect/tuf-1.0.ts';
import { TrustError } from '../trust/errors.ts';
import type { Delegation, RootBody, TargetsBody } from '../trust/model.ts';
import type { JsonObject } from '../trust/strict-json.ts';
import { decodeDocument, encodeDocument, envelopeOf } from './document-encoding.ts';
import { asVersion, type RoleDocument } from './documents.ts';
import { SigningError } from './errors.ts';
import { withoutMember } from './json.ts';
import { listedVersion, type Repository } from './repository.ts';

/** Role documents that are to replace the current ones, by role, with the signatures gathered so far. */
export type Draft = ReadonlyMap<string, RoleDocument>;

/** How far one authority stands behind a document. */
export interface SignatureState {
  readonly authority: Authority;
  readonly signedBy: ReadonlySet<string>;
  /** How many more distinct keys have to sign; 0 when enough did. */
  readonly missing: number;
}

const EXTENSION = '.json';
const ROLE_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/;

/** A role's content as it will be, or as it is when the draft leaves it alone. */
export function contentOf(
  repository: Repository,
  draft: Draft,
  role: string,
): JsonObject | undefined {
  return (draft.get(role) ?? repository.current.get(role))?.signed;
}

/**
 * The draft with new content for a role, as its next version. Content that says the same as the current file's is no change;
 * signatures on what changes are dropped, since they were given for something else.
 *
 * @param expiresAt - milliseconds since the epoch
 * @param always - make a new version even of the same content; default false
 */
export function withContent(
  repository: Repository,
  draft: Draft,
  change: {
    readonly role: string;
    readonly signed: JsonObject;
    readonly expiresAt: number;
    readonly always?: boolean;
  },
): Draft {
  const { role, signed, expiresAt, always = false } = change;
  const waiting = draft.get(role);
  if (waiting !== undefined && !always && saysSame(waiting.signed, signed)) return draft;
  const current = repository.current.get(role);
  const others = new Map([...draft].filter(([each]) => each !== role));
  if (current !== undefined && !always && saysSame(current.signed, signed)) {
    return waiting === undefined ? draft : others;
  }
  const version = listedVersion(repository, role) + 1;
  const next = asVersion(signed, version, expiresAt);
  return others.set(role, { role, signed: next, signatures: new Map() });
}

/** Whether two documents are equal but for version and expiry. */
export function saysSame(a: JsonObject, b: JsonObject): boolean {
  const bare = (signed: JsonObject): Uint8Array =>
    encodeCanonicalJson(withoutMember(withoutMember(signed, 'version'), 'expires'));
  return Buffer.compare(bare(a), bare(b)) === 0;
}

/**
 * Everyone whose word a document needs: for root the current root and the new one, for the others the newest root or the
 * delegations that lead to the role.
 *
 * @param repository - undefined while the collection has not begun: then the draft stands by itself
 * @throws {TrustError} `malformed` for a draft that no client would take
 */
export function authoritiesFor(
  repository: Repository | undefined,
  draft: Draft,
  role: string,
): readonly Authority[] {
  const newRoot = draftRoot(draft);
  if (role === 'root') {
    const next = newRoot?.roles.get('root');
    const current = repository === undefined ? [] : [repository.root.authority('root')];
    return [...current, ...(next === undefined ? [] : [next])];
  }
  if (role === 'targets' || role === 'snapshot' || role === 'timestamp') {
    const authority = newRoot?.roles.get(role) ?? repository?.root.authority(role);
    return authority === undefined ? [] : [authority];
  }
  return delegationsTo(repository, draft, role).map(({ authority }) => authority);
}

/** Every targets role as it will be, with its name. */
export function targetsBodies(
  repository: Repository | undefined,
  draft: Draft,
): ReadonlyMap<string, TargetsBody> {
  const bodies = new Map<string, TargetsBody>();
  for (const [role, { body }] of repository?.set.targets ?? []) bodies.set(role, body);
  for (const [role, document] of draft) {
    if (role !== 'root') bodies.set(role, tuf10.parseTargets(envelopeOf(document), role));
  }
  return bodies;
}

/** Files that wait for signatures, as they are kept. */
export function encodePending(draft: Draft): ReadonlyMap<string, Uint8Array> {
  return new Map(
    [...draft].map(([role, document]) => [`${role}${EXTENSION}`, encodeDocument(document)]),
  );
}

/**
 * Reads what waits for signatures. What has come into effect in the meantime is left out.
 *
 * @throws {SigningError} `pending_unreadable`, `pending_stale`
 */
export function decodePending(
  repository: Repository | undefined,
  files: ReadonlyMap<string, Uint8Array>,
): Draft {
  const draft = new Map<string, RoleDocument>();
  for (const [file, bytes] of files) {
    const document = decodeFile(file, bytes);
    const { role, signed } = document;
    const current = repository?.current.get(role);
    if (current !== undefined && isSame(current.signed, signed)) continue;
    const version = repository === undefined ? 1 : listedVersion(repository, role) + 1;
    if (signed.get('version') !== version) {
      throw new SigningError(
        'pending_stale',
        `pending/${file} was drafted before someone else changed ${role}: it is version ${String(signed.get('version'))}, where ${version} comes next`,
        { detail: { role, nextVersion: version } },
      );
    }
    draft.set(role, document);
  }
  return draft;
}

function decodeFile(file: string, bytes: Uint8Array): RoleDocument {
  const role = file.slice(0, -EXTENSION.length);
  const isRole = ROLE_NAME.test(role) && role !== 'snapshot' && role !== 'timestamp';
  if (!file.endsWith(EXTENSION) || !isRole) {
    throw new SigningError('pending_unreadable', `pending/${file} is not a change of a role`);
  }
  try {
    const document = decodeDocument(role, bytes);
    const envelope = envelopeOf(document);
    if (role === 'root') tuf10.parseRoot(envelope);
    else tuf10.parseTargets(envelope, role);
    return document;
  } catch (error) {
    if (!(error instanceof TrustError)) throw error;
    const message = `pending/${file} cannot be read: ${error.message}`;
    throw new SigningError('pending_unreadable', message, { cause: error });
  }
}

function draftRoot(draft: Draft): RootBody | undefined {
  const document = draft.get('root');
  return document === undefined ? undefined : tuf10.parseRoot(envelopeOf(document));
}

function delegationsTo(
  repository: Repository | undefined,
  draft: Draft,
  role: string,
): readonly Delegation[] {
  return [...targetsBodies(repository, draft).values()].flatMap(({ delegations }) =>
    delegations.filter(({ name }) => name === role),
  );
}

function isSame(a: JsonObject, b: JsonObject): boolean {
  return Buffer.compare(encodeCanonicalJson(a), encodeCanonicalJson(b)) === 0;
}
