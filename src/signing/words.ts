import { encodeCanonicalJson } from '../trust/canonical-json.ts';
import type { JsonObject, JsonValue } from '../trust/strict-json.ts';

const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;
/** Members of a role document that `describeChange` puts in words; any other that differs is named. */
const DESCRIBED: ReadonlySet<string> = new Set([
  'version',
  'expires',
  'targets',
  'delegations',
  'roles',
  'keys',
]);
const KEY_ID_LENGTH = 12;

/**
 * Says in words what a new version of a role changes. Nothing that differs is left unsaid: it is the only thing a signer sees.
 *
 * @param before - undefined when the role is new
 */
export function describeChange(
  before: JsonObject | undefined,
  after: JsonObject,
): readonly string[] {
  return [
    ...describeTargets(before, after),
    ...describeDelegations(before, after),
    ...describeRoles(before, after),
    ...describeOther(before, after),
    `valid until ${plain(after.get('expires'))}${before === undefined ? '' : ` (was ${plain(before.get('expires'))})`}`,
  ];
}

/** One signed image in words. */
export function describeTarget(entry: JsonObject): string {
  const { custom, source, platforms, expiresAt } = customOf(entry);
  const facts = [
    digestOf(entry),
    `${plain(entry.get('length'))} bytes`,
    ...(Array.isArray(platforms) && platforms.length > 0 ? [platforms.map(plain).join(' ')] : []),
    ...(source === undefined ? [] : [`from ${shortSource(plain(source), digestOf(entry))}`]),
    ...(expiresAt === undefined ? [] : [`until ${plain(expiresAt)}`]),
  ];
  const known = new Set(['source', 'platforms', 'expiresAt', 'approvedAt']);
  const others = [...custom.keys()].filter((name) => !known.has(name));
  return [...facts, ...others.map((name) => `${plain(name)} ${plain(custom.get(name))}`)].join(
    ', ',
  );
}

/** A key ID short enough to read and long enough to tell keys apart. */
export function shortKeyId(keyId: string): string {
  return plain(keyId.slice(0, KEY_ID_LENGTH));
}

/** Text for a terminal: what cannot be seen is escaped. */
export function plain(value: JsonValue | undefined): string {
  if (value === undefined) return 'nothing';
  const text =
    typeof value === 'string' ? value : Buffer.from(encodeCanonicalJson(value)).toString();
  return text.replaceAll(
    UNPRINTABLE,
    (character) => `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`,
  );
}

function describeTargets(before: JsonObject | undefined, after: JsonObject): readonly string[] {
  const old = membersOf(before, 'targets');
  const next = membersOf(after, 'targets');
  const changed = [...next].flatMap(([name, entry]) => {
    const earlier = old.get(name);
    if (earlier === undefined) return [`approve ${plain(name)}: ${entryWords(entry)}`];
    if (isEqual(earlier, entry)) return [];
    const what = digestOf(entry) === digestOf(earlier) ? 'approve anew' : 'move';
    return [`${what} ${plain(name)}: to ${entryWords(entry)}; was ${entryWords(earlier)}`];
  });
  const revoked = [...old]
    .filter(([name]) => !next.has(name))
    .map(([name, entry]) => `revoke ${plain(name)}: was ${digestOf(entry)}`);
  return [...changed, ...revoked];
}

function entryWords(entry: JsonValue): string {
  return entry instanceof Map ? describeTarget(entry) : plain(entry);
}

function describeDelegations(before: JsonObject | undefined, after: JsonObject): readonly string[] {
  const old = delegationsOf(before);
  const next = delegationsOf(after);
  const lines: string[] = [];
  for (const [name, entry] of next) {
    const earlier = old.get(name);
    const keys = `${thresholdOf(entry)} of keys ${keyIdsOf(entry)}`;
    const scope = describeScope(entry);
    if (earlier === undefined) lines.push(`let ${plain(name)} sign ${scope}, with ${keys}`);
    else if (!isEqual(earlier, entry)) {
      const was = `${describeScope(earlier)}, with ${thresholdOf(earlier)} of keys ${keyIdsOf(earlier)}`;
      lines.push(`change what ${plain(name)} may sign: ${scope}, with ${keys}; was ${was}`);
    }
  }
  for (const name of old.keys()) {
    if (!next.has(name)) lines.push(`take the right to sign from ${plain(name)}`);
  }
  const names = (of: ReadonlyMap<string, JsonObject>): string => [...of.keys()].join('\n');
  if (lines.length === 0 && names(old) !== names(next)) lines.push('change the order of signers');
  return [
    ...lines,
    ...describeKeys(membersOf(before, 'delegations'), membersOf(after, 'delegations')),
  ];
}

function describeScope(entry: JsonObject): string {
  const paths = entry.get('paths');
  const isTerminating = entry.get('terminating') === true;
  const scope = Array.isArray(paths)
    ? pathWords(paths)
    : `names by hash ${plain(entry.get('path_hash_prefixes'))}`;
  return isTerminating ? `${scope} (nobody listed later may)` : scope;
}

/** Patterns that only differ in how many levels they go down are said once. */
function pathWords(paths: readonly JsonValue[]): string {
  const [first = ''] = paths.map(plain);
  const star = first.indexOf('*');
  const isFamily =
    paths.length > 1 &&
    star >= 0 &&
    paths.every((path, level) => {
      const expected = `${first.slice(0, star)}${'*/'.repeat(level)}${first.slice(star)}`;
      return typeof path === 'string' && path === expected;
    });
  return isFamily ? `${first} and ${paths.length - 1} levels below` : paths.map(plain).join(' ');
}

function describeRoles(before: JsonObject | undefined, after: JsonObject): readonly string[] {
  const old = membersOf(before, 'roles');
  const lines: string[] = [];
  for (const [role, entry] of membersOf(after, 'roles')) {
    const earlier = old.get(role);
    if (!(entry instanceof Map) || (earlier !== undefined && isEqual(earlier, entry))) continue;
    const was =
      earlier instanceof Map ? `; was ${thresholdOf(earlier)} of ${keyIdsOf(earlier)}` : '';
    lines.push(`keys of ${plain(role)}: ${thresholdOf(entry)} of ${keyIdsOf(entry)}${was}`);
  }
  return [...lines, ...describeKeys(before ?? new Map(), after)];
}

/** A key ID is only a name: if another key hides behind one that stays, that has to be said. */
function describeKeys(before: JsonObject, after: JsonObject): readonly string[] {
  const old = membersOf(before, 'keys');
  return [...membersOf(after, 'keys')].flatMap(([id, key]) => {
    const earlier = old.get(id);
    const isChanged = earlier !== undefined && !isEqual(earlier, key);
    return isChanged ? [`REPLACE the key behind the ID ${plain(id)}: ${plain(key)}`] : [];
  });
}

function describeOther(before: JsonObject | undefined, after: JsonObject): readonly string[] {
  if (before === undefined) return [];
  const names = new Set([...before.keys(), ...after.keys()]);
  return [...names]
    .filter((name) => !DESCRIBED.has(name) && !isEqual(before.get(name), after.get(name)))
    .map((name) => `${plain(name)}: ${plain(after.get(name))}; was ${plain(before.get(name))}`);
}

/** The digest has been said already, unless it is another one. */
function shortSource(source: string, digest: string): string {
  const end = `@${digest}`;
  return source.endsWith(end) ? source.slice(0, -end.length) : source;
}

function customOf(entry: JsonObject): {
  readonly custom: JsonObject;
  readonly source: JsonValue | undefined;
  readonly platforms: JsonValue | undefined;
  readonly expiresAt: JsonValue | undefined;
} {
  const value = entry.get('custom');
  const custom: JsonObject = value instanceof Map ? value : new Map();
  return {
    custom,
    source: custom.get('source'),
    platforms: custom.get('platforms'),
    expiresAt: custom.get('expiresAt'),
  };
}

function digestOf(entry: JsonValue): string {
  if (!(entry instanceof Map)) return plain(entry);
  const sha256 = membersOf(entry, 'hashes').get('sha256');
  return sha256 === undefined ? plain(entry.get('hashes')) : `sha256:${plain(sha256)}`;
}

function delegationsOf(signed: JsonObject | undefined): ReadonlyMap<string, JsonObject> {
  const roles = membersOf(signed, 'delegations').get('roles');
  const list: readonly JsonValue[] = Array.isArray(roles) ? roles : [];
  return new Map(
    list.flatMap((role) =>
      role instanceof Map ? [[String(role.get('name')), role] as const] : [],
    ),
  );
}

function thresholdOf(entry: JsonObject): string {
  return plain(entry.get('threshold'));
}

function keyIdsOf(entry: JsonObject): string {
  const ids = entry.get('keyids');
  const list: readonly JsonValue[] = Array.isArray(ids) ? ids : [];
  return list.map((id) => shortKeyId(String(id))).join(', ');
}

function membersOf(holder: JsonObject | undefined, name: string): JsonObject {
  const member = holder?.get(name);
  return member instanceof Map ? member : new Map();
}

function isEqual(a: JsonValue | undefined, b: JsonValue | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  return Buffer.compare(encodeCanonicalJson(a), encodeCanonicalJson(b)) === 0;
}
