import { createHash } from 'node:crypto';
import { TrustError } from './errors.ts';
import { asTime } from './fields.ts';
import type { Delegation, Target, TargetsBody } from './model.ts';
import { matchesPathPattern } from './path-pattern.ts';
import type { RoleRequest, Search } from './search.ts';
import type { Signers, SignerWord } from './signer-demand.ts';
import type { JsonValue } from './strict-json.ts';
import { endorsed, type FoundTarget, isAboutTheTag, type TargetConvention } from './tag-search.ts';

/** A target and the role that has it. */
export interface TargetOfRole {
  readonly role: string;
  readonly target: Target;
}

/** How target names are made of tags: `prefix` + tag + `suffix`. */
export interface TargetNaming {
  readonly prefix: string;
  readonly suffix: string;
}

const TOP: RoleRequest = { role: 'targets', delegator: '', isNeeded: true };
/** How many roles one search may visit. */
const MAX_ROLES = 256;

/**
 * Finds a target by the order of precedence that its publisher laid down: pre-order, depth first, each role at most once,
 * not beyond a terminating delegation that covers the name.
 *
 * @throws {TrustError} `tag_not_signed` when no role that may speak for the name has it, `malformed` past 256 roles
 * @source TUF 1.0.34 §5.6.7 (#fetch-target)
 */
export function* findTarget(name: string): Search<TargetOfRole> {
  const stack: RoleRequest[] = [TOP];
  const visited = new Set<string>();
  for (let next = stack.pop(); next !== undefined; next = stack.pop()) {
    if (visited.has(next.role)) continue;
    requireFewRoles(visited, name);
    visited.add(next.role);
    const body = yield next;
    const target = body?.targets.get(name);
    if (target !== undefined) return { role: next.role, target };
    const children = childrenFor(body, next.role, name);
    if (children.isTerminated) stack.length = 0;
    stack.push(...children.requests.toReversed());
  }
  throw new TrustError('tag_not_signed', 'no role that may speak for it has this target', {
    detail: { target: name },
  });
}

/** The convention by which a site's targets stand for tags of one repository. */
export function namedConvention(naming: TargetNaming): TargetConvention {
  const nameOf = (tag: string): string => `${naming.prefix}${tag}${naming.suffix}`;
  function* find(tag: string, signers: Signers): Search<FoundTarget> {
    const target = nameOf(tag);
    const found = yield* findTarget(target);
    return yield* endorsed(usable(tag, found), signers, {
      named: { target },
      roleOf: (signer) => signer,
      wordOf: (signer) => wordOf(target, signer, found.target),
    });
  }
  function* list(signers: Signers): Search<readonly string[]> {
    const tags: string[] = [];
    for (const tag of yield* candidates(naming)) {
      if (yield* isFound(find(tag, signers))) tags.push(tag);
    }
    return tags;
  }
  return { find, list, tagNamed: (target) => tagNamed(target, naming) };
}

function childrenFor(
  body: TargetsBody | undefined,
  delegator: string,
  name: string,
): { readonly requests: readonly RoleRequest[]; readonly isTerminated: boolean } {
  const requests: RoleRequest[] = [];
  for (const delegation of body?.delegations ?? []) {
    if (!isInScope(delegation, name)) continue;
    requests.push({ role: delegation.name, delegator, isNeeded: true });
    if (delegation.isTerminating === true) return { requests, isTerminated: true };
  }
  return { requests, isTerminated: false };
}

/** @source TUF 1.0.34 §4.5 (paths, path_hash_prefixes) */
function isInScope({ paths, pathHashPrefixes }: Delegation, name: string): boolean {
  if (pathHashPrefixes === undefined) {
    return paths.some((pattern) => matchesPathPattern(name, pattern));
  }
  const hash = createHash('sha256').update(name).digest('hex');
  return pathHashPrefixes.some((prefix) => hash.startsWith(prefix));
}

/** Tags that any role has an entry for; whether they are found is another question. */
function* candidates(naming: TargetNaming): Search<ReadonlySet<string>> {
  const tags = new Set<string>();
  const visited = new Set<string>();
  const stack: RoleRequest[] = [TOP];
  for (let next = stack.pop(); next !== undefined; next = stack.pop()) {
    if (visited.has(next.role)) continue;
    requireFewRoles(visited, naming.prefix);
    visited.add(next.role);
    const body = yield next;
    for (const name of body?.targets.keys() ?? []) {
      const tag = tagNamed(name, naming);
      if (tag !== undefined) tags.add(tag);
    }
    for (const { name } of body?.delegations ?? []) {
      stack.push({ role: name, delegator: next.role, isNeeded: false });
    }
  }
  return tags;
}

function tagNamed(target: string, { prefix, suffix }: TargetNaming): string | undefined {
  const isLongEnough = target.length > prefix.length + suffix.length;
  if (!isLongEnough || !target.startsWith(prefix) || !target.endsWith(suffix)) return undefined;
  return target.slice(prefix.length, target.length - suffix.length);
}

function* isFound(search: Search<unknown>): Search<boolean> {
  try {
    yield* search;
    return true;
  } catch (error) {
    if (error instanceof TrustError && isAboutTheTag(error)) return false;
    throw error;
  }
}

/** A signer is a role that `targets` delegates to; to agree it must have the target itself, with the same digest. */
function* wordOf(name: string, signer: string, found: Target): Search<SignerWord> {
  const top = yield TOP;
  const delegation = top?.delegations.find((each) => each.name === signer);
  const isAsked = delegation !== undefined && isInScope(delegation, name);
  const body = isAsked ? yield { role: signer, delegator: TOP.role, isNeeded: true } : undefined;
  const entry = body?.targets.get(name);
  if (entry === undefined) return 'absent';
  return entry.sha256 !== undefined && entry.sha256 === found.sha256 ? 'agrees' : 'differs';
}

function usable(tag: string, { role, target }: TargetOfRole): FoundTarget {
  const { sha256, length, custom } = target;
  if (sha256 === undefined) {
    throw new TrustError('target_unusable', 'the signed entry has no SHA-256', {
      detail: { tag, role },
    });
  }
  const expiresAt = endOf(custom, tag, role);
  return {
    sha256,
    length,
    role,
    ...(custom === undefined ? {} : { custom }),
    ...(expiresAt === undefined ? {} : { expiresAt }),
  };
}

/** When an approval ends by `custom.expiresAt`, which whoever approved it may have said. What is no time ends nothing safely. */
function endOf(custom: JsonValue | undefined, tag: string, role: string): number | undefined {
  const text = custom instanceof Map ? custom.get('expiresAt') : undefined;
  if (text === undefined) return undefined;
  try {
    return asTime(text, 'custom.expiresAt');
  } catch (cause) {
    throw new TrustError('target_unusable', 'the signed entry ends at what is no time', {
      detail: { tag, role },
      cause,
    });
  }
}

function requireFewRoles(visited: ReadonlySet<string>, name: string): void {
  if (visited.size < MAX_ROLES) return;
  throw new TrustError('malformed', `over ${MAX_ROLES} roles would have to be asked`, {
    detail: { target: name },
  });
}
