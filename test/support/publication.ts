import type { JsonObject } from './notary-json.ts';
import type { SigningKey, WireSignature } from './notary-keys.ts';

/** The roles every repository has. */
export type BaseRole = 'root' | 'targets' | 'snapshot' | 'timestamp';

/** The content a tag is signed for. */
export interface SignedContent {
  /** Hex, with or without the `sha256:` in front. */
  readonly sha256: string;
  /** Length of the manifest in bytes. */
  readonly length: number;
}

/** How to tamper with one role's file while publishing; each step sees what the step before it made. */
export interface RoleEdit {
  /** Changes the signed part before it is signed. */
  readonly signed?: (signed: JsonObject) => JsonObject;
  /** Who signs, instead of the role's own keys. */
  readonly signers?: readonly SigningKey[];
  /** Changes the signatures. */
  readonly signatures?: (signatures: readonly WireSignature[]) => readonly WireSignature[];
  /** Changes the finished file; the files that name it know the changed bytes. */
  readonly bytes?: (bytes: Buffer) => Buffer;
  /** Changes what is served, behind the back of the files that name it. */
  readonly served?: (bytes: Buffer) => Buffer;
}

/** The bytes of every file that was ever published, by name. */
export type PublishedFiles = ReadonlyMap<string, Uint8Array>;
