import { roleStatuses } from '../app/status.ts';
import { printable } from '../config/errors.ts';
import type { Collection } from '../metadata/collection.ts';

/** What `trust show` says of a collection; `--json` prints it as it is. */
export interface TrustFacts {
  readonly gun: string;
  readonly trust: string;
  readonly admission?: string;
  readonly admittedAt?: string;
  readonly checkedAt?: string;
  readonly rootKeys: readonly {
    readonly id: string;
    readonly publicKeyId: string;
    readonly type: string;
  }[];
  readonly roles: readonly {
    readonly role: string;
    readonly version: number;
    readonly expiresAt: string;
  }[];
  readonly delegations: readonly {
    readonly role: string;
    readonly keys: readonly string[];
    readonly paths: readonly string[];
  }[];
  readonly tags: readonly SignedTag[];
  readonly problem?: string;
}

interface SignedTag {
  readonly tag: string;
  readonly role: string;
  readonly digest?: string;
  /** Whether a pull of the tag would be answered; absent when the trust server was not asked. */
  readonly isServed?: boolean;
}

/** The most tags that the text shows; a registry's whole list is for programs. */
const MAX_TAGS_SHOWN = 50;

/**
 * Draws the facts from a collection.
 *
 * @param asked.served - the tags that pulls would be answered with; undefined when that is not known
 * @param asked.failure - what went wrong in asking
 */
export function trustFacts(
  collection: Collection,
  asked: { readonly served: readonly string[] | undefined; readonly failure: unknown },
): TrustFacts {
  const { key, state } = collection;
  const { failure } = asked;
  const set = state?.set;
  return {
    gun: key.gun,
    trust: key.source,
    ...(state === undefined
      ? {}
      : { admission: state.admission, admittedAt: new Date(state.admittedAt).toISOString() }),
    ...(state === undefined || state.checkedAt === 0
      ? {}
      : { checkedAt: new Date(state.checkedAt).toISOString() }),
    rootKeys: [...(state?.root.authority('root').keys.values() ?? [])].map((rootKey) => ({
      id: rootKey.id,
      publicKeyId: rootKey.canonicalId,
      type: rootKey.keyType,
    })),
    roles: set === undefined ? [] : roleStatuses(set),
    delegations: [...(set?.targets.values() ?? [])].flatMap(({ body }) =>
      body.delegations.map(({ name, authority, paths }) => ({
        role: name,
        keys: [...authority.keys.keys()],
        paths,
      })),
    ),
    tags: signedTags(collection, asked.served),
    ...(failure === undefined
      ? {}
      : { problem: failure instanceof Error ? failure.message : String(failure) }),
  };
}

function signedTags(
  collection: Collection,
  served: readonly string[] | undefined,
): readonly SignedTag[] {
  const servable = served && new Set(served);
  return [...(collection.state?.set?.targets.values() ?? [])].flatMap(({ role, body }) =>
    [...body.targets].flatMap(([target, { sha256 }]) => {
      const tag = collection.tagNamed(target);
      if (tag === undefined) return [];
      return {
        tag,
        role,
        ...(sha256 === undefined ? {} : { digest: `sha256:${sha256}` }),
        ...(servable === undefined ? {} : { isServed: servable.has(tag) }),
      };
    }),
  );
}

/** Writes the facts for a terminal; of many tags, the first. */
export function trustText(facts: TrustFacts): string {
  const lines = [
    `${facts.gun} (trust source "${facts.trust}")`,
    ...admissionLines(facts),
    ...section(
      'root keys',
      facts.rootKeys.map(({ id, publicKeyId, type }) => `${id} ${type}, bare key ${publicKeyId}`),
    ),
    ...section(
      'roles',
      facts.roles.map(
        ({ role, version, expiresAt }) => `${role} version ${version}, expires ${expiresAt}`,
      ),
    ),
    ...section(
      'delegations',
      facts.delegations.map(({ role, keys, paths }) => `${role} ${scopeOf(paths)}, ${held(keys)}`),
    ),
    ...tagLines(facts.tags),
    ...(facts.problem === undefined ? [] : [`  problem: ${facts.problem}`]),
  ];
  // Names of roles and tags come from whoever signed them.
  return `${lines.map(printable).join('\n')}\n`;
}

function admissionLines(facts: TrustFacts): readonly string[] {
  if (facts.admission === undefined) return ['  nothing is on record'];
  const by = facts.admission === 'anchor' ? 'the configured anchor' : 'first use';
  return [
    `  root admitted by ${by} on ${facts.admittedAt}`,
    `  trust server last seen ${facts.checkedAt ?? 'never'}`,
  ];
}

function scopeOf(paths: readonly string[]): string {
  if (paths.includes('')) return 'for every tag';
  return paths.length === 0
    ? 'for no tag'
    : `for tags ${paths.map((path) => `${path}*`).join(', ')}`;
}

function held(keys: readonly string[]): string {
  return `${keys.length === 1 ? 'key' : 'keys'} ${keys.join(', ')}`;
}

function tagLines(tags: readonly SignedTag[]): readonly string[] {
  const shown = tags.slice(0, MAX_TAGS_SHOWN).map(({ tag, role, digest, isServed }) => {
    const note = isServed === false ? ' (not served: see pinnace resolve)' : '';
    return `${tag} by ${role} as ${digest ?? 'nothing that can be used'}${note}`;
  });
  const more = tags.length - shown.length;
  const count = more > 0 ? `${tags.length} signed tags, the first ${shown.length}` : 'signed tags';
  return [
    ...section(count, shown),
    ...(more > 0 ? [`    ... and ${more} more: --json shows all`] : []),
  ];
}

function section(title: string, lines: readonly string[]): readonly string[] {
  return lines.length === 0 ? [] : [`  ${title}:`, ...lines.map((line) => `    ${line}`)];
}
