import type { Authority } from './authority.ts';
import type { Key } from './keys.ts';
import type { Signature } from './signature.ts';
import type { JsonObject, JsonValue } from './strict-json.ts';

/** A metadata file taken apart but not yet believed. */
export interface Envelope {
  /** Exactly as received. */
  readonly bytes: Uint8Array;
  readonly signed: JsonObject;
  /** Canonical JSON of `signed`, which is what the signatures are over. */
  readonly signedBytes: Uint8Array;
  readonly signatures: readonly Signature[];
}

/** What every role's metadata carries. */
export interface RoleBody {
  /** At least 1. */
  readonly version: number;
  /** Milliseconds since the epoch. */
  readonly expiresAt: number;
}

/** The four roles every repository has. */
export const TOP_LEVEL_ROLES = ['root', 'targets', 'snapshot', 'timestamp'] as const;
export type TopLevelRole = (typeof TOP_LEVEL_ROLES)[number];

/** @source TUF 1.0.34 §4.3; notary: tuf/data/root.go */
export interface RootBody extends RoleBody {
  /** Whether file names carry versions; only TUF 1.0 goes by it. */
  readonly consistentSnapshot: boolean;
  readonly keys: ReadonlyMap<string, Key>;
  readonly roles: ReadonlyMap<TopLevelRole, Authority>;
}

/** What one file says of another, as far as it says it: length, version, and hashes in lower-case hex by algorithm. */
export interface FileMeta {
  /** Exact length in bytes. */
  readonly length: number | undefined;
  readonly version: number | undefined;
  readonly hashes: ReadonlyMap<'sha256' | 'sha512', string>;
}

/** @source TUF 1.0.34 §4.6; notary: tuf/data/timestamp.go */
export interface TimestampBody extends RoleBody {
  readonly snapshot: FileMeta;
}

/** @source TUF 1.0.34 §4.4; notary: tuf/data/snapshot.go */
export interface SnapshotBody extends RoleBody {
  /** The root it belongs to; only Notary v1 names it. */
  readonly root: FileMeta | undefined;
  /** By role name, `root` included. */
  readonly files: ReadonlyMap<string, FileMeta>;
}

/** One signed entry: for us, what a tag means. */
export interface Target {
  /** Bytes. */
  readonly length: number;
  /** Lower-case hex, or undefined when the entry has no SHA-256 of the right size. */
  readonly sha256: string | undefined;
  /** Lower-case hex; read in TUF 1.0 only, where an entry may have this one alone. */
  readonly sha512?: string;
  /** What the publisher said of it beyond that. */
  readonly custom?: JsonValue;
}

/** Part of a targets role's right, handed to other keys. */
export interface Delegation {
  readonly name: string;
  readonly authority: Authority;
  /** Which names are in scope: prefixes in Notary v1, shell-style patterns in TUF 1.0. */
  readonly paths: readonly string[];
  /** TUF 1.0: instead of paths, prefixes of the hex SHA-256 of names in scope. */
  readonly pathHashPrefixes?: readonly string[];
  /** TUF 1.0: the search does not go on behind this delegation. */
  readonly isTerminating?: boolean;
}

/** @source TUF 1.0.34 §4.5; notary: tuf/data/targets.go */
export interface TargetsBody extends RoleBody {
  readonly targets: ReadonlyMap<string, Target>;
  /** In search order. */
  readonly delegations: readonly Delegation[];
}
