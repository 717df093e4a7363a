import { createHash } from 'node:crypto';
import {
  encodeCanonicalJson,
  encodeWireJson,
  fileMeta,
  type Json,
  type JsonObject,
} from './notary-json.ts';
import {
  makeRoleKey,
  type RoleKey,
  type RoleKeyKind,
  type SigningKey,
  type WireSignature,
} from './notary-keys.ts';
import type { BaseRole, PublishedFiles, RoleEdit, SignedContent } from './publication.ts';
import type { SimulatedRepository } from './simulated-repository.ts';
import type { Certificate } from './x509.ts';

/** What a `NotaryRepository` is to be like; everything but the GUN has a default. */
export interface NotaryRepositoryOptions {
  readonly gun: string;
  /** The time at which it is made and published; default 2026-11-23T00:00:00Z. */
  readonly now?: Date | string;
  /** Default: root `ecdsa-x509`, targets and snapshot `ecdsa`, timestamp `ed25519`. */
  readonly keyKinds?: Partial<Record<BaseRole, RoleKeyKind>>;
  /** How many keys a role has, all of which must sign; default 1 each. */
  readonly thresholds?: Partial<Record<BaseRole, number>>;
  /** Days from publishing to expiry, negative for expired ones; default as the Notary tools set them. */
  readonly expiresAfterDays?: Partial<Record<BaseRole, number>>;
  /** Who issues the root certificates; default: they are self-signed. */
  readonly rootCa?: Certificate;
  /** The common name of the root certificates; default: the GUN. */
  readonly rootCommonName?: string;
}

/** What a delegation is to be like. */
export interface DelegationOptions {
  /** Default: one new ecdsa key. */
  readonly keys?: readonly RoleKey[];
  /** Tag prefixes; default `['']`, every tag. An empty list leaves `paths` out of the metadata. */
  readonly paths?: readonly string[];
  /** Default 1. */
  readonly threshold?: number;
}

/** Every file of a repository by the name below `/_trust/tuf/`, old versions included. */

interface TargetsRole {
  readonly name: string;
  keys: readonly RoleKey[];
  readonly threshold: number;
  readonly paths: readonly string[];
  readonly targets: Map<string, SignedContent>;
  isChanged: boolean;
}

const DAY_MS = 86_400_000;
const BASE_ROLES = ['root', 'targets', 'snapshot', 'timestamp'] as const;
const DEFAULT_KINDS = {
  root: 'ecdsa-x509',
  targets: 'ecdsa',
  snapshot: 'ecdsa',
  timestamp: 'ed25519',
} as const;
const DEFAULT_DAYS = { root: 3650, targets: 1095, snapshot: 1095, timestamp: 14 } as const;

/** A publisher and a trust server of the Notary v1 dialect in one, with all keys in hand. */
export class NotaryRepository implements SimulatedRepository {
  readonly dialect = 'notary-v1' as const;
  readonly releaseRole = 'targets/releases';
  readonly gun: string;
  /** The time used for expiry dates from now on. */
  now: Date;
  readonly #options: NotaryRepositoryOptions;
  readonly #keys = new Map<BaseRole, readonly RoleKey[]>();
  readonly #targetsRoles = new Map<string, TargetsRole>();
  readonly #versions = new Map<string, number>();
  /** What snapshot and timestamp say of each role's file. */
  readonly #current = new Map<string, Buffer>();
  readonly #files = new Map<string, Buffer>();
  #formerRootKeys: readonly RoleKey[] = [];
  #formerRootSigners: readonly RoleKey[] = [];
  #isRootChanged = true;

  constructor(options: NotaryRepositoryOptions) {
    this.gun = options.gun;
    this.now = new Date(options.now ?? '2026-11-23T00:00:00Z');
    this.#options = options;
    for (const role of BASE_ROLES) this.#keys.set(role, this.#makeKeys(role));
    this.#targetsRoles.set('targets', {
      name: 'targets',
      keys: [],
      threshold: 0,
      paths: [''],
      targets: new Map(),
      isChanged: true,
    });
  }

  /** The TUF key ids of the current root keys: what an operator pins. */
  get rootKeyIds(): readonly string[] {
    return this.keys('root').map((key) => key.keyId);
  }

  /** The ids of the bare public keys inside the current root certificates. */
  get rootPublicKeyIds(): readonly string[] {
    return this.keys('root').map((key) => key.canonicalKeyId);
  }

  /** The certificate authority of the root certificates, if there is one. */
  get caPem(): string | undefined {
    return this.#options.rootCa?.certPem;
  }

  /** The keys with which a role signs now. */
  keys(role: string): readonly RoleKey[] {
    if (isBaseRole(role)) return this.#keys.get(role) ?? [];
    return this.#targetsRole(role).keys;
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

  targetName(tag: string): string {
    return tag;
  }

  /** A publisher with keys of its own who gives out its own roots for the same collection. */
  stranger(): NotaryRepository {
    return new NotaryRepository({ gun: this.gun, now: this.now });
  }

  /** A key that no role has. */
  strangersKey(): RoleKey {
    return makeRoleKey('ecdsa');
  }

  /** What a file that names another one says of it. */
  meta(bytes: Uint8Array): JsonObject {
    return fileMeta(bytes);
  }

  /** Signs a tag in `targets` or a delegation; visible with the next `publish`. */
  sign(tag: string, content: SignedContent, role = 'targets'): void {
    const targetsRole = this.#targetsRole(role);
    targetsRole.targets.set(tag, content);
    targetsRole.isChanged = true;
  }

  /** Removes a tag from a role. */
  removeTag(tag: string, role = 'targets'): void {
    const targetsRole = this.#targetsRole(role);
    targetsRole.targets.delete(tag);
    targetsRole.isChanged = true;
  }

  /** Delegates to `targets/<name>`; the role has no file until something is signed in it, as with the real tools. */
  addDelegation(name: string, options: DelegationOptions = {}): void {
    this.#targetsRole(parentOf(name)).isChanged = true;
    this.#targetsRoles.set(name, {
      name,
      keys: options.keys ?? [makeRoleKey('ecdsa')],
      threshold: options.threshold ?? 1,
      paths: options.paths ?? [''],
      targets: new Map(),
      isChanged: false,
    });
  }

  /** Takes a delegation back. */
  removeDelegation(name: string): void {
    this.#targetsRole(parentOf(name)).isChanged = true;
    this.#targetsRoles.delete(name);
    this.#current.delete(name);
  }

  /** Gives a role new keys: by a new root for a base role, by a new parent for a delegation. */
  rotateKey(role: Exclude<BaseRole, 'root'> | `targets/${string}`): void {
    if (isBaseRole(role)) {
      this.#keys.set(role, this.#makeKeys(role));
      this.#isRootChanged = true;
    } else {
      this.#targetsRole(parentOf(role)).isChanged = true;
      this.#targetsRole(role).keys = [makeRoleKey('ecdsa')];
    }
    if (role !== 'snapshot' && role !== 'timestamp') this.#targetsRole(role).isChanged = true;
  }

  /** Gives root new keys; the next root is signed by the old and the new ones. Publish before rotating again. */
  rotateRoot(): void {
    this.#formerRootSigners = this.keys('root');
    this.#formerRootKeys = [...this.#formerRootKeys, ...this.keys('root')];
    this.#keys.set('root', this.#makeKeys('root'));
    this.#isRootChanged = true;
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

  #write(role: string, signedPart: () => JsonObject, edit: RoleEdit = {}): void {
    const version = this.version(role) + 1;
    this.#versions.set(role, version);
    const plain: JsonObject = { ...signedPart(), version, expires: this.#expiryOf(role) };
    const signed = edit.signed?.(plain) ?? plain;
    const message = encodeCanonicalJson(signed);
    const former = role === 'root' ? this.#formerRootSigners : [];
    const signers: readonly SigningKey[] = edit.signers ?? [...this.keys(role), ...former];
    const made = signers.map((key) => key.sign(message));
    const signatures = edit.signatures?.(made) ?? made;
    const file = encodeWireFile(signed, signatures);
    const bytes = edit.bytes?.(file) ?? file;
    this.#current.set(role, bytes);
    const served = edit.served?.(bytes) ?? bytes;
    this.#files.set(`${role}.json`, served);
    this.#files.set(`${version}.${role}.json`, served);
    this.#files.set(`${role}.${sha256Hex(bytes)}.json`, served);
  }

  #rootPart(): JsonObject {
    const all = [...BASE_ROLES.flatMap((role) => this.keys(role)), ...this.#formerRootKeys];
    const roles = BASE_ROLES.map((role): [string, Json] => {
      const keyids = this.keys(role).map((key) => key.keyId);
      return [role, { keyids, threshold: keyids.length }];
    });
    return {
      _type: 'Root',
      consistent_snapshot: false,
      keys: new Map(all.map((key) => [key.keyId, key.keyObject])),
      roles: new Map(roles),
    };
  }

  #targetsPart(role: TargetsRole): JsonObject {
    const children = [...this.#targetsRoles.values()].filter(
      (child) => child.name !== 'targets' && parentOf(child.name) === role.name,
    );
    const keys = children.flatMap((child) => child.keys);
    const targets = [...role.targets].map(([tag, content]): [string, Json] => {
      const sha256 = Buffer.from(content.sha256.replace(/^sha256:/, ''), 'hex').toString('base64');
      return [tag, { hashes: { sha256 }, length: content.length }];
    });
    return {
      _type: 'Targets',
      delegations: {
        keys: new Map(keys.map((key) => [key.keyId, key.keyObject])),
        roles: children.map((child) => ({
          keyids: child.keys.map((key) => key.keyId),
          name: child.name,
          threshold: child.threshold,
          ...(child.paths.length > 0 ? { paths: child.paths } : {}),
        })),
      },
      targets: new Map(targets),
    };
  }

  #snapshotPart(): JsonObject {
    const named = [...this.#current].filter(
      ([role]) => role !== 'snapshot' && role !== 'timestamp',
    );
    return {
      _type: 'Snapshot',
      meta: new Map(named.map(([role, file]) => [role, fileMeta(file)])),
    };
  }

  #timestampPart(): JsonObject {
    return { _type: 'Timestamp', meta: { snapshot: fileMeta(this.bytes('snapshot')) } };
  }

  #expiryOf(role: string): string {
    const kind = isBaseRole(role) ? role : 'targets';
    const days = this.#options.expiresAfterDays?.[kind] ?? DEFAULT_DAYS[kind];
    return new Date(this.now.getTime() + days * DAY_MS).toISOString();
  }

  #makeKeys(role: BaseRole): readonly RoleKey[] {
    const kind = this.#options.keyKinds?.[role] ?? DEFAULT_KINDS[role];
    const count = this.#options.thresholds?.[role] ?? 1;
    const issuer = this.#options.rootCa;
    return Array.from({ length: count }, () =>
      makeRoleKey(kind, {
        commonName: this.#options.rootCommonName ?? this.gun,
        notBefore: new Date(this.now.getTime() - DAY_MS),
        notAfter: new Date(this.now.getTime() + 3650 * DAY_MS),
        // A code-signing certificate, which the tools make, does not chain to a pinned authority.
        ...(issuer === undefined ? { extendedKeyUsages: ['codeSigning'] } : { issuer }),
      }),
    );
  }

  #targetsRole(name: string): TargetsRole {
    const role = this.#targetsRoles.get(name);
    if (role === undefined) throw new Error(`no targets role ${name}`);
    return role;
  }
}

function encodeWireFile(signed: JsonObject, signatures: readonly WireSignature[]): Buffer {
  const head = Buffer.from('{"signed":');
  const list = encodeWireJson(signatures);
  return Buffer.concat([
    head,
    encodeWireJson(signed),
    Buffer.from(',"signatures":'),
    list,
    Buffer.from('}'),
  ]);
}

function sha256Hex(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

function parentOf(role: string): string {
  return role.slice(0, role.lastIndexOf('/'));
}

function isBaseRole(role: string): role is BaseRole {
  return (BASE_ROLES as readonly string[]).includes(role);
}
