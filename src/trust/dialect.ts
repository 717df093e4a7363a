import type { Key, WeakAlgorithms } from './keys.ts';
import type {
  Envelope,
  FileMeta,
  RootBody,
  SnapshotBody,
  TargetsBody,
  TimestampBody,
} from './model.ts';
import type { DateCheck, RootKey } from './root-keys.ts';
import type { Signature } from './signature.ts';

/**
 * What differs between encodings of the same rules: how files are named, written and signed, and which of them carries the
 * numbers that must not go back. The rules themselves are in `TrustedRoot` and `TrustedSet`.
 */
export interface Dialect {
  readonly name: 'notary-v1' | 'tuf-1.0';
  parseEnvelope(bytes: Uint8Array): Envelope;
  parseRoot(envelope: Envelope): RootBody;
  parseTimestamp(envelope: Envelope): TimestampBody;
  parseSnapshot(envelope: Envelope): SnapshotBody;
  /** @param role - the name under which the snapshot lists the file */
  parseTargets(envelope: Envelope, role: string): TargetsBody;
  verifySignature(
    key: Key,
    signature: Signature,
    message: Uint8Array,
    weak: WeakAlgorithms,
  ): boolean;
  /** The keys of the root role that may speak for this collection. @throws {TrustError} `root_cert_invalid` */
  rootKeys(root: RootBody, gun: string, dates: DateCheck): ReadonlyMap<string, RootKey>;
  /**
   * A timestamp of the trusted version with other bytes: refused (`refuse`), or dropped in favour of the trusted one (`keep`).
   *
   * @source TUF 1.0.34 §5.4.3.1; the reference Notary client takes it, which hides a fork
   */
  readonly sameTimestampVersion: 'refuse' | 'keep';
  /** Which file says that a targets role must not go back: its own last version, or the last snapshot. */
  readonly targetsFloor: 'own-file' | 'snapshot';
  /** Whether a delegation that the snapshot does not list is ordinary (nothing published yet) or a fault. */
  readonly unlistedDelegation: 'unpublished' | 'missing';
  /** The name under which a server has the file that its parent describes by `meta`. */
  fileName(role: string, meta: FileMeta, root: RootBody): string;
}
