import { TrustError } from './errors.ts';
import type { Delegation, Target, TargetsBody } from './model.ts';
import type { Search } from './search.ts';
import {
  demandOf,
  findDenied,
  requireSigners,
  type SignedSubject,
  type Signers,
  type SignerWord,
} from './signer-demand.ts';
import type { JsonValue } from './strict-json.ts';

/** A tag's signed meaning. */
export interface FoundTarget {
  /** Lower-case hex. */
  readonly sha256: string;
  /** Bytes, as signed; not always the manifest's length. */
  readonly length: number;
  /** The role that published it. */
  readonly role: string;
  /** What the publisher said of it beyond that. */
  readonly custom?: JsonValue;
  /** When the publisher's word for this tag ends, if it does before the role's, milliseconds since the epoch. */
  readonly expiresAt?: number;
  /** The denied signer who has signed it too. Then it must not be served. */
  readonly deniedSigner?: string;
}

/** How a source's targets are named after tags, and which of its roles publish. */
export interface TargetConvention {
  /** Finds what a tag means; enough signers must have signed the same digest. */
  find(tag: string, signers: Signers): Search<FoundTarget>;
  /** The tags that `find` would find with these signers. */
  list(signers: Signers): Search<readonly string[]>;
  /** The tag that a target stands for; undefined for a target of something else. */
  tagNamed(target: string): string | undefined;
}

/** Docker's convention in Notary v1: a target is a tag, and `targets/releases` publishes before `targets`. */
export const dockerConvention: TargetConvention = {
  find: findTag,
  list: listTags,
  tagNamed: (target) => target,
};

/** The delegation that publishes in Docker's convention. */
export const RELEASES_ROLE = 'targets/releases';
const TARGETS_ROLE = 'targets';
/** How many roles one search may visit. */
const MAX_ROLES = 256;

/**
 * Finds what a tag means by Docker's rule: `targets/releases` if it covers the tag and has it, else `targets`; a tag that
 * only other roles have is not released. Enough of the required signers must have signed the same digest.
 *
 * @throws {TrustError} `tag_not_signed`, `tag_not_released`, `target_unusable`, `required_signer_missing`,
 * `signer_conflict`
 * @source notary: client/reader.go; docker/cli: cli/command/image/trust.go
 */
export function* findTag(tag: string, signers: Signers): Search<FoundTarget> {
  const top = yield* needed(TARGETS_ROLE);
  const found = yield* findReleased(tag, top);
  return yield* endorsed(found, signers, {
    named: { tag },
    roleOf: signerRole,
    wordOf: (signer) => wordOf(signer, { top, found, tag }),
  });
}

/**
 * Lists the tags that `findTag` would find with these signers.
 *
 * @source docker/cli: cli/command/image/trust.go (pull --all-tags)
 */
export function* listTags(signers: Signers): Search<readonly string[]> {
  const top = yield* needed(TARGETS_ROLE);
  const names = new Set(top?.targets.keys());
  const releases = delegationTo(top, RELEASES_ROLE);
  if (releases !== undefined) {
    for (const name of (yield* needed(RELEASES_ROLE))?.targets.keys() ?? []) names.add(name);
  }
  const listed: string[] = [];
  for (const name of names) {
    if (yield* isFound(name, signers)) listed.push(name);
  }
  return listed;
}

function* isFound(tag: string, signers: Signers): Search<boolean> {
  try {
    yield* findTag(tag, signers);
    return true;
  } catch (error) {
    if (error instanceof TrustError && isAboutTheTag(error)) return false;
    throw error;
  }
}

/** Whether the error says something of one tag, not of the collection. */
export function isAboutTheTag({ code }: TrustError): boolean {
  return (
    code === 'tag_not_signed' ||
    code === 'tag_not_released' ||
    code === 'target_unusable' ||
    code === 'required_signer_missing' ||
    code === 'signer_conflict'
  );
}

function* findReleased(tag: string, top: TargetsBody | undefined): Search<FoundTarget> {
  const releases = delegationTo(top, RELEASES_ROLE);
  if (releases !== undefined) {
    const body = yield* needed(RELEASES_ROLE);
    if (covers(releases.paths, tag)) {
      const entry = body?.targets.get(tag);
      if (entry !== undefined) return usable(tag, entry, RELEASES_ROLE);
      const shadow = yield* searchBelow(tag, childrenOf(body, releases.paths), true);
      if (shadow !== undefined) throw notReleased(tag, shadow);
    }
  }
  const entry = top?.targets.get(tag);
  if (entry !== undefined) return usable(tag, entry, TARGETS_ROLE);
  const others = childrenOf(top, ['']).filter(({ name }) => name !== RELEASES_ROLE);
  const elsewhere = yield* searchBelow(tag, others, false);
  if (elsewhere !== undefined) throw notReleased(tag, elsewhere);
  throw new TrustError('tag_not_signed', 'no role has signed this tag', { detail: { tag } });
}

/** Breadth first, in the order of the delegations; subtrees whose paths do not cover the tag are not entered. */
function* searchBelow(
  tag: string,
  start: readonly Delegation[],
  isNeeded: boolean,
): Search<string | undefined> {
  const queue = start.filter(({ paths }) => covers(paths, tag));
  let visited = 0;
  // The queue grows while it is walked.
  for (const delegation of queue) {
    if (visited === MAX_ROLES) {
      throw new TrustError('malformed', `over ${MAX_ROLES} delegations cover this tag`, {
        detail: { tag, role: delegation.name },
      });
    }
    visited += 1;
    const body = yield { role: delegation.name, delegator: parentOf(delegation.name), isNeeded };
    if (body?.targets.has(tag) === true) return delegation.name;
    queue.push(...childrenOf(body, delegation.paths).filter(({ paths }) => covers(paths, tag)));
  }
  return undefined;
}

/** What was found, once its signers have been heard; marked when one of them is denied. */
export function* endorsed(
  found: FoundTarget,
  signers: Signers,
  subject: SignedSubject,
): Search<FoundTarget> {
  const demand = demandOf(signers);
  yield* requireSigners(demand, subject);
  const deniedPublisher = demand.deniedSigners.find(
    (signer) => subject.roleOf(signer) === found.role,
  );
  const deniedSigner = deniedPublisher ?? (yield* findDenied(demand, subject));
  return deniedSigner === undefined ? found : { ...found, deniedSigner };
}

interface SignerContext {
  readonly top: TargetsBody | undefined;
  readonly found: FoundTarget;
  readonly tag: string;
}

/**
 * A signer who was never added, or has not signed yet, does not agree.
 *
 * @source the rules of portieris and connaisseur: present in the signer's own role, with one and the same digest
 */
function* wordOf(signer: string, { top, found, tag }: SignerContext): Search<SignerWord> {
  const role = signerRole(signer);
  const delegation = delegationTo(top, role);
  const isInScope = delegation !== undefined && covers(delegation.paths, tag);
  const entry = isInScope ? (yield* needed(role))?.targets.get(tag) : undefined;
  if (entry === undefined) return 'absent';
  return entry.sha256 === found.sha256 ? 'agrees' : 'differs';
}

function signerRole(signer: string): string {
  return `${TARGETS_ROLE}/${signer}`;
}

function* needed(role: string): Search<TargetsBody | undefined> {
  return yield { role, delegator: parentOf(role), isNeeded: true };
}

function parentOf(role: string): string {
  return role.slice(0, Math.max(0, role.lastIndexOf('/')));
}

function delegationTo(body: TargetsBody | undefined, role: string): Delegation | undefined {
  return body?.delegations.find(({ name }) => name === role);
}

/** The delegations of a role with their paths cut down to those within the role's own. */
function childrenOf(body: TargetsBody | undefined, parentPaths: readonly string[]): Delegation[] {
  return (body?.delegations ?? []).map((delegation) => ({
    ...delegation,
    paths: delegation.paths.filter((path) => covers(parentPaths, path)),
  }));
}

function covers(paths: readonly string[], name: string): boolean {
  return paths.some((path) => name.startsWith(path));
}

function usable(tag: string, { sha256, length }: Target, role: string): FoundTarget {
  if (sha256 === undefined) {
    throw new TrustError('target_unusable', 'the signed entry has no usable SHA-256', {
      detail: { tag, role },
    });
  }
  return { sha256, length, role };
}

function notReleased(tag: string, role: string): TrustError {
  return new TrustError('tag_not_released', `only ${role} has signed this tag`, {
    detail: { tag, role },
  });
}
