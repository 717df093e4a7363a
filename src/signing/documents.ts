import type { TopLevelRole } from '../trust/model.ts';
import type { JsonObject, JsonValue } from '../trust/strict-json.ts';
import { sha256Hex } from '../trust/verified-file.ts';
import { objectOf, withMember } from './json.ts';
import type { PublicKey } from './signing-key.ts';

/** Keys of a role and how many of them must sign. */
export interface RoleKeys {
  readonly keys: readonly PublicKey[];
  readonly threshold: number;
}

/** A role's content with the signatures gathered so far. */
export interface RoleDocument {
  readonly role: string;
  readonly signed: JsonObject;
  /** Lower-case hex by key ID. */
  readonly signatures: ReadonlyMap<string, string>;
}

/** A metadata file as another one describes it. */
export interface ListedFile {
  readonly role: string;
  readonly version: number;
  readonly bytes: Uint8Array;
}

/** @source TUF 1.0.34 §4.2.1 */
const SPEC_VERSION = '1.0.34';

/** A time as metadata has it: RFC 3339 in UTC, whole seconds. */
export function formatTime(time: number): string {
  return `${new Date(time).toISOString().slice(0, 19)}Z`;
}

/** The content of a first root. @source TUF 1.0.34 §4.3 */
export function newRoot(roles: ReadonlyMap<TopLevelRole, RoleKeys>, expiresAt: number): JsonObject {
  const keys = new Map<string, JsonValue>();
  const entries = new Map<string, JsonValue>();
  for (const [role, own] of roles) {
    for (const { keyId, object } of own.keys) keys.set(keyId, object);
    entries.set(role, roleEntry(own));
  }
  return new Map<string, JsonValue>([
    ...header('root', 1, expiresAt),
    ['consistent_snapshot', true],
    ['keys', keys],
    ['roles', entries],
  ]);
}

/** The content of a first targets or delegated targets file. @source TUF 1.0.34 §4.5 */
export function newTargets(expiresAt: number): JsonObject {
  return new Map<string, JsonValue>([...header('targets', 1, expiresAt), ['targets', new Map()]]);
}

/**
 * The content of a snapshot or timestamp.
 *
 * @param listed - the entries of the last one, which stay unless a file replaces them
 * @source TUF 1.0.34 §4.4, §4.6
 */
export function newListing(
  type: 'snapshot' | 'timestamp',
  { version, expiresAt }: { readonly version: number; readonly expiresAt: number },
  { listed, files }: { readonly listed: JsonObject; readonly files: readonly ListedFile[] },
): JsonObject {
  const entries = files.map((file) => [`${file.role}.json`, fileEntry(file)] as const);
  const meta = new Map<string, JsonValue>([...listed, ...entries]);
  return new Map<string, JsonValue>([...header(type, version, expiresAt), ['meta', meta]]);
}

/** A role's keys and threshold as root and delegations list them. */
export function roleEntry({ keys, threshold }: RoleKeys): JsonObject {
  return objectOf({ keyids: keys.map(({ keyId }) => keyId), threshold });
}

/** The same content as the next version. */
export function asVersion(signed: JsonObject, version: number, expiresAt: number): JsonObject {
  return withMember(withMember(signed, 'version', version), 'expires', formatTime(expiresAt));
}

function header(
  type: string,
  version: number,
  expiresAt: number,
): readonly (readonly [string, JsonValue])[] {
  return [
    ['_type', type],
    ['spec_version', SPEC_VERSION],
    ['version', version],
    ['expires', formatTime(expiresAt)],
  ];
}

function fileEntry({ version, bytes }: ListedFile): JsonObject {
  return objectOf({ version, length: bytes.length, hashes: { sha256: sha256Hex(bytes) } });
}
