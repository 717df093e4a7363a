import type { JsonObject } from './notary-json.ts';
import type { SigningKey } from './notary-keys.ts';
import type { BaseRole, PublishedFiles, RoleEdit, SignedContent } from './publication.ts';

/** What the simulated publishers of both dialects can do, as far as the damages need it. */
export interface SimulatedRepository {
  readonly dialect: 'notary-v1' | 'tuf-1.0';
  /** The time used for expiry dates from now on. */
  now: Date;
  /** The delegation that publishes `DAMAGED_TAG` in the undamaged state. */
  readonly releaseRole: string;
  keys(role: string): readonly SigningKey[];
  /** The name of the target that stands for a tag. */
  targetName(tag: string): string;
  version(role: string): number;
  bytes(role: string): Buffer;
  sign(tag: string, content: SignedContent, role?: string): void;
  removeTag(tag: string, role?: string): void;
  addDelegation(name: string): void;
  rotateKey(role: Exclude<BaseRole, 'root'>): void;
  rotateRoot(): void;
  publish(edits?: ReadonlyMap<string, RoleEdit>): PublishedFiles;
  /** A publisher with keys of its own. */
  stranger(): SimulatedRepository;
  /** A key that no role has. */
  strangersKey(): SigningKey;
  /** What a file that names another one says of it. */
  meta(bytes: Uint8Array, version: number): JsonObject;
}
