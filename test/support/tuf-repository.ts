import { createHash } from 'node:crypto';
import { encodeCanonicalJson, encodeWireJson, type Json, type JsonObject } from './notary-json.ts';
import type { SigningKey } from './notary-keys.ts';
import type { BaseRole, PublishedFiles, RoleEdit, SignedContent } from './publication.ts';
import type { SimulatedRepository } from './simulated-repository.ts';
import { makeTufKey, type TufKey, type TufKeyKind } from './tuf-keys.ts';

/** What a `TufRepository` is to be like; everything has a default. */
export interface TufRepositoryOptions {
  /** The time at which it is made and published; default 2026-11-23T00:00:00Z. */
  readonly now?: Date | string;
  /** Whether file names carry versions; default true. */
  readonly consistentSnapshot?: boolean;
  /** Whether timestamp and snapshot give lengths and hashes beside versions; default true. */
  readonly hashes?: boolean;
  /** Default `ed25519` for every role. */
  readonly keyKinds?: Partial<Record<BaseRole, TufKeyKind>>;
  /** How many keys a role has, all of which must sign; default 1 each. */
  readonly thresholds?: Partial<Record<BaseRole, number>>;
  /** Days from publishing to expiry; default root and targets 365, snapshot 7, timestamp 1. */
  readonly expiresAfterDays?: Partial<Record<BaseRole, number>>;
  /** Default `1.0.31`. */
  readonly specVersion?: string;
  /** Goes before the name in `sign` to make the target's name; default empty. */
  readonly prefix?: string;
}

/** What a delegation is to be like. */
export interface TufDelegationOptions {
  /** The role that delegates; default `targets`. */
  readonly delegator?: string;
  /** Default: one new ed25519 key. */
  readonly keys?: readonly TufKey[];
  /** Default 1. */
  readonly threshold?: number;
  /** Patterns of target names; default: as many components as there are, anything in each. */
  readonly paths?: readonly string[];
  /** Instead of paths. */
  readonly pathHashPrefixes?: readonly string[];
  /** Default false. */
  readonly isTerminating?: boolean;
}

/** What a target is: the content of a tag, and what its publisher says of it. */
export type TargetContent = SignedContent & { readonly custom?: Json };

interface Delegation {
  readonly keys: readonly TufKey[];
  readonly threshold: number;
  readonly paths: readonly string[];
  readonly pathHashPrefixes: readonly string[] | undefined;
  readonly isTerminating: boolean;
}

interface TargetsRole {
  readonly name: string;
  readonly delegations: Map<string, Delegation>;
  readonly targets: Map<string, TargetContent>;
  isChanged: boolean;
}

const DAY_MS = 86_400_000;
const BASE_ROLES = ['root', 'targets', 'snapshot', 'timestamp'] as const;
const DEFAULT_DAYS = { root: 365, targets: 365, snapshot: 7, timestamp: 1 } as const;
const ANY_NAME = ['*', '*/*', '*/*/*', '*/*/*/*'];

/**
 * A publisher and a server of files of TUF 1.0 in one, with all keys in hand. Written independently of `src/`, so that each
 * checks the other.
 *
 * @source TUF 1.0.34 §4 (#document-formats)
 */
export class TufRepository implements SimulatedRepository {
  readonly dialect = 'tuf-1.0' as const;
  readonly releaseRole = 'releases';
  /** The time used for expiry dates from now on. */
  now: Date;
  readonly #options: TufRepositoryOptions;
  readonly #keys = new Map<BaseRole, readonly TufKey[]>();
  readonly #targetsRoles = new Map<string, TargetsRole>();
  readonly #versions = new Map<string, number>();
  /** What timestamp and snapshot say of each role's file. */
  readonly #current = new Map<string, Buffer>();
  readonly #files = new Map<string, Buffer>();
  #formerRootSigners: readonly TufKey[] = [];
  #isRootChanged = true;

  constructor(options: TufRepositoryOptions = {}) {
    this.now = new Date(options.now ?? '2026-11-23T00:00:00Z');
    this.#options = options;
    for (const role of BASE_ROLES) this.#keys.set(role, this.#makeKeys(role));
    this.#targetsRoles.set('targets', newRole('targets'));
  }

  /** What an operator is given to begin with: the first root. */
  get firstRoot(): Buffer {
    return this.file('1.root.json');
  }

  /** A file as it was published. */
  file(name: string): Buffer {
    const bytes = this.#files.get(name);
    if (bytes === undefined) throw new Error(`${name} has not been published`);
    return bytes;
  }

  /** The keys with which a role signs now. */
  keys(role: string): readonly TufKey[] {
    if (isBaseRole(role)) return this.#keys.get(role) ?? [];
    return [...this.#delegationsOf(role)][0]?.keys ?? [];
  }

  /** The version of a role's newest file; 0 before its first. */
  version(role: string): number {
    return this.#versions.get(role) ?? 0;
  }

  /** The bytes of a role's newest file, as the files that name it know them. */
  bytes(role: string): Buffer {
    const bytes = this.#current.get(role);
    if (bytes === undefined) throw new Error(`${role} has not been published`);
    return bytes;
  }

  /** The full name of the target that stands for a tag. */
  targetName(tag: string): string {
    return `${this.#options.prefix ?? ''}${tag}`;
  }

  /** Signs a target in `targets` or a delegated role; visible with the next `publish`. */
  sign(tag: string, content: TargetContent, role = 'targets'): void {
    this.#role(role).targets.set(this.targetName(tag), content);
    this.#role(role).isChanged = true;
  }

  /** Removes a target from a role. */
  removeTag(tag: string, role = 'targets'): void {
    this.#role(role).targets.delete(this.targetName(tag));
    this.#role(role).isChanged = true;
  }

  /** Delegates to a role; a role may be delegated to by several. It has a file from the next `publish` on. */
  addDelegation(name: string, options: TufDelegationOptions = {}): void {
    const { delegator = 'targets', pathHashPrefixes } = options;
    const parent = this.#role(delegator);
    parent.isChanged = true;
    parent.delegations.set(name, {
      keys: options.keys ?? [makeTufKey()],
      threshold: options.threshold ?? 1,
      paths: options.paths ?? ANY_NAME,
      isTerminating: options.isTerminating ?? false,
      pathHashPrefixes,
    });
    if (!this.#targetsRoles.has(name)) this.#targetsRoles.set(name, newRole(name));
  }

  /** Gives a base role new keys, by a new root. */
  rotateKey(role: Exclude<BaseRole, 'root'>, kind?: TufKeyKind): void {
    this.#keys.set(role, this.#makeKeys(role, kind));
    this.#isRootChanged = true;
    if (role === 'targets') this.#role(role).isChanged = true;
  }

  /** Sets a base role's keys, by a new root. */
  setKeys(role: Exclude<BaseRole, 'root'>, keys: readonly TufKey[]): void {
    this.#keys.set(role, keys);
    this.#isRootChanged = true;
    if (role === 'targets') this.#role(role).isChanged = true;
  }

  /** Gives root new keys; the next root is signed by the old and the new ones. Publish before rotating again. */
  rotateRoot(kind?: TufKeyKind): void {
    this.#formerRootSigners = this.keys('root');
    this.#keys.set('root', this.#makeKeys('root', kind));
    this.#isRootChanged = true;
  }

  /** Lowers a role's version, as a publisher does who recovers from versions pushed up by a thief. */
  setVersion(role: string, version: number): void {
    this.#versions.set(role, version);
  }

  /**
   * Writes new versions of what has changed or is edited, and of snapshot and timestamp always.
   *
   * @param edits - damage to do, by role
   * @returns every file ever published, by name; a copy
   */
  publish(edits: ReadonlyMap<string, RoleEdit> = new Map()): PublishedFiles {
    if (this.#isRootChanged || edits.has('root')) {
      this.#write('root', () => this.#rootPart(), edits.get('root'));
      this.#isRootChanged = false;
      this.#formerRootSigners = [];
    }
    for (const role of this.#targetsRoles.values()) {
      if (!role.isChanged && !edits.has(role.name)) continue;
      this.#write(role.name, () => this.#targetsPart(role), edits.get(role.name));
      role.isChanged = false;
    }
    this.#write('snapshot', () => this.#snapshotPart(), edits.get('snapshot'));
    this.#write('timestamp', () => this.#timestampPart(), edits.get('timestamp'));
    return new Map(this.#files);
  }

  /** A publisher with keys of its own who gives out its own roots. */
  stranger(): TufRepository {
    return new TufRepository({ ...this.#options, now: this.now });
  }

  /** A key that no role has. */
  strangersKey(): TufKey {
    return makeTufKey();
  }

  /** What a file that names another one says of it. */
  meta(bytes: Uint8Array, version: number): JsonObject {
    if (this.#options.hashes === false) return { version };
    const sha256 = createHash('sha256').update(bytes).digest('hex');
    const sha512 = createHash('sha512').update(bytes).digest('hex');
    return { version, length: bytes.length, hashes: { sha256, sha512 } };
  }

  #write(role: string, signedPart: () => JsonObject, edit: RoleEdit = {}): void {
    const version = this.version(role) + 1;
    this.#versions.set(role, version);
    const plain: JsonObject = {
      ...signedPart(),
      version,
      expires: this.#expiryOf(role),
      spec_version: this.#options.specVersion ?? '1.0.31',
    };
    const signed = edit.signed?.(plain) ?? plain;
    const message = encodeCanonicalJson(signed);
    const former = role === 'root' ? this.#formerRootSigners : [];
    const signers: readonly SigningKey[] = edit.signers ?? [...this.keys(role), ...former];
    const made = signers.map((key) => key.sign(message));
    const signatures = edit.signatures?.(made) ?? made;
    const file = encodeWireJson({ signatures, signed });
    const bytes = edit.bytes?.(file) ?? file;
    this.#current.set(role, bytes);
    const served = edit.served?.(bytes) ?? bytes;
    const name = `${encodeURIComponent(role)}.json`;
    const stated = role === 'root' ? version : (versionOf(bytes) ?? version);
    this.#files.set(`${stated}.${name}`, served);
    if (role === 'timestamp' || (role !== 'root' && !this.#isConsistent)) {
      this.#files.set(name, served);
    }
  }

  get #isConsistent(): boolean {
    return this.#options.consistentSnapshot ?? true;
  }

  #rootPart(): JsonObject {
    const all = BASE_ROLES.flatMap((role) => this.keys(role));
    const roles = BASE_ROLES.map((role): [string, Json] => {
      const keyids = this.keys(role).map((key) => key.keyId);
      return [role, { keyids, threshold: this.#options.thresholds?.[role] ?? keyids.length }];
    });
    return {
      _type: 'root',
      consistent_snapshot: this.#isConsistent,
      keys: new Map(all.map((key) => [key.keyId, key.keyObject])),
      roles: new Map(roles),
    };
  }

  #targetsPart(role: TargetsRole): JsonObject {
    const keys = [...role.delegations.values()].flatMap((delegation) => delegation.keys);
    const targets = [...role.targets].map(([name, content]): [string, Json] => {
      const { length, custom } = content;
      const sha256 = content.sha256.replace(/^sha256:/, '');
      return [name, { length, hashes: { sha256 }, ...(custom === undefined ? {} : { custom }) }];
    });
    const roles = [...role.delegations].map(([name, delegation]): JsonObject => {
      const { threshold, paths, pathHashPrefixes, isTerminating } = delegation;
      return {
        name,
        keyids: delegation.keys.map((key) => key.keyId),
        threshold,
        terminating: isTerminating,
        ...(pathHashPrefixes === undefined ? { paths } : { path_hash_prefixes: pathHashPrefixes }),
      };
    });
    const delegations = { keys: new Map(keys.map((key) => [key.keyId, key.keyObject])), roles };
    const isLeaf = roles.length === 0;
    return { _type: 'targets', targets: new Map(targets), ...(isLeaf ? {} : { delegations }) };
  }

  #snapshotPart(): JsonObject {
    const named = [...this.#current].filter(
      ([role]) => role !== 'root' && role !== 'snapshot' && role !== 'timestamp',
    );
    const meta = named.map(([role, bytes]): [string, Json] => [
      `${role}.json`,
      this.meta(bytes, versionOf(bytes) ?? this.version(role)),
    ]);
    return { _type: 'snapshot', meta: new Map(meta) };
  }

  #timestampPart(): JsonObject {
    const bytes = this.bytes('snapshot');
    const meta = this.meta(bytes, versionOf(bytes) ?? this.version('snapshot'));
    return { _type: 'timestamp', meta: { 'snapshot.json': meta } };
  }

  #expiryOf(role: string): string {
    const kind = isBaseRole(role) ? role : 'targets';
    const days = this.#options.expiresAfterDays?.[kind] ?? DEFAULT_DAYS[kind];
    return `${new Date(this.now.getTime() + days * DAY_MS).toISOString().slice(0, 19)}Z`;
  }

  #makeKeys(role: BaseRole, kind?: TufKeyKind): readonly TufKey[] {
    const count = this.#options.thresholds?.[role] ?? 1;
    const made = kind ?? this.#options.keyKinds?.[role];
    return Array.from({ length: count }, () => makeTufKey(made));
  }

  #role(name: string): TargetsRole {
    const role = this.#targetsRoles.get(name);
    if (role === undefined) throw new Error(`no targets role ${name}`);
    return role;
  }

  *#delegationsOf(name: string): Iterable<{ readonly keys: readonly TufKey[] }> {
    for (const { delegations } of this.#targetsRoles.values()) {
      const found = delegations.get(name);
      if (found !== undefined) yield found;
    }
  }
}

function newRole(name: string): TargetsRole {
  return { name, delegations: new Map(), targets: new Map(), isChanged: true };
}

/** The version that a file itself states, where it can be read: an old file stays an old file. */
function versionOf(bytes: Uint8Array): number | undefined {
  const version = /"version":([0-9]+)\}\}$/.exec(Buffer.from(bytes).toString('latin1'))?.[1];
  return version === undefined ? undefined : Number(version);
}

function isBaseRole(role: string): role is BaseRole {
  return (BASE_ROLES as readonly string[]).includes(role);
}
