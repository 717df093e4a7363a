import { TrustError } from '../trust/errors.ts';
import type { TargetsBody } from '../trust/model.ts';
import { TrustedRoot } from '../trust/trusted-root.ts';
import {
  type EarlierFile,
  type EarlierFiles,
  NO_EARLIER_FILES,
  TrustedSet,
} from '../trust/trusted-set.ts';
import type { Admission, TrustRecord } from './ports.ts';
import type { MetadataRules } from './rules.ts';

/** What is trusted of a collection at some moment. Immutable but for the delegations that `set` learns on demand. */
export interface AcceptedState {
  readonly anchorRoot: Uint8Array;
  readonly admission: Admission;
  /** Milliseconds since the epoch. */
  readonly admittedAt: number;
  readonly root: TrustedRoot;
  /** Floors for the next refresh. */
  readonly files: EarlierFiles;
  /** Present when timestamp, snapshot and targets fit together and answers may be drawn from them. */
  readonly set: TrustedSet | undefined;
  /** When the trust server last showed the timestamp, milliseconds since the epoch. */
  readonly checkedAt: number;
  /** When the root chain was last found to end at `root`, milliseconds since the epoch. */
  readonly rootCheckedAt: number;
  /** The version that the root chain has to reach because it was trusted before; absent when `root` itself is that one. */
  readonly rootFloor?: number;
}

/** The floors a complete set leaves for the next refresh; roles that were not looked at keep theirs while delegated. */
export function filesOf(set: TrustedSet, earlier: EarlierFiles): EarlierFiles {
  const targets = new Map<string, EarlierFile<TargetsBody>>();
  for (const [role, file] of earlier.targets) {
    if (mayStillBeDelegated(role, set)) targets.set(role, file);
  }
  for (const [role, file] of set.targets) targets.set(role, file);
  return { timestamp: set.timestamp, snapshot: set.snapshot, targets };
}

/** Whether two records say the same but for the time of the last check. */
export function saysTheSame(a: TrustRecord, b: TrustRecord): boolean {
  return (
    a.admission === b.admission &&
    a.admittedAt === b.admittedAt &&
    isSameFile(a.anchorRoot, b.anchorRoot) &&
    isSameFile(a.root, b.root) &&
    isSameFile(a.timestamp, b.timestamp) &&
    isSameFile(a.snapshot, b.snapshot) &&
    a.targets.size === b.targets.size &&
    [...a.targets].every(([role, bytes]) => isSameFile(bytes, b.targets.get(role)))
  );
}

function isSameFile(a: Uint8Array | undefined, b: Uint8Array | undefined): boolean {
  return a === undefined || b === undefined ? a === b : Buffer.compare(a, b) === 0;
}

/** A role that its parent, as far as known, delegates no more may start afresh when it is delegated again. */
function mayStillBeDelegated(role: string, set: TrustedSet): boolean {
  if (role === 'targets') return true;
  const isUnknown = role.includes('/') && !set.targets.has(role.slice(0, role.lastIndexOf('/')));
  return (
    isUnknown ||
    set.root.dialect.targetsFloor === 'snapshot' ||
    [...set.targets.values()].some(({ body }) => body.delegations.some(({ name }) => name === role))
  );
}

/** The durable form of a state. */
export function toRecord(state: AcceptedState): TrustRecord {
  const { timestamp, snapshot, targets } = state.files;
  return {
    anchorRoot: state.anchorRoot,
    admission: state.admission,
    admittedAt: state.admittedAt,
    root: state.root.bytes,
    timestamp: bytesOf(timestamp),
    snapshot: bytesOf(snapshot),
    targets: new Map([...targets].map(([role, file]) => [role, rawBytes(file)])),
    checkedAt: state.checkedAt,
  };
}

/**
 * Verifies a durable record again, under the rules as configured now: the anchor must still admit the root it admitted (or
 * admit the newest one), and the set is complete only if every file verifies. Expiry is left to whoever uses the answer.
 *
 * @throws {TrustError} `pin_mismatch`, `tofu_disabled` and what else makes the root unacceptable
 */
export function restore(record: TrustRecord, gun: string, rules: MetadataRules): AcceptedState {
  const restored = restoreRoot(record, gun, rules);
  const root = restored.root;
  const files: EarlierFiles = {
    timestamp: record.timestamp,
    snapshot: record.snapshot,
    targets: record.targets,
  };
  const { admission, admittedAt, checkedAt } = record;
  const { anchorRoot } = restored;
  const state = { anchorRoot, admission, admittedAt, root, files, checkedAt, rootCheckedAt: 0 };
  if (!restored.isSame) {
    // Whoever holds back newer roots must not bring back keys that they had revoked.
    return { ...state, set: undefined, rootFloor: rootVersion(record.root, rules) };
  }
  const set = restoreSet(root, files, rules);
  return set === undefined ? { ...state, set } : { ...state, files: filesOf(set, files), set };
}

function rootVersion(bytes: Uint8Array, { dialect }: MetadataRules): number {
  return dialect.parseRoot(dialect.parseEnvelope(bytes)).version;
}

interface RestoredRoot {
  readonly root: TrustedRoot;
  readonly anchorRoot: Uint8Array;
  /** False when trust begins anew, at a configured root that is not the one the record began with. */
  readonly isSame: boolean;
}

function restoreRoot(record: TrustRecord, gun: string, rules: MetadataRules): RestoredRoot {
  const { anchor } = rules;
  const own = { gun, anchor, weak: rules.weak, dialect: rules.dialect };
  const { anchorRoot, admittedAt } = record;
  try {
    // Asked of the anchor as it is now: a root trusted on first use is not grandfathered once first use is taken away.
    const first = TrustedRoot.admit(anchorRoot, own, admittedAt);
    if (isSameFile(anchorRoot, record.root)) return { root: first, anchorRoot, isSame: true };
    const chained = { ...own, anchor: { kind: 'first-use' } } as const;
    const root = TrustedRoot.admit(record.root, chained, admittedAt);
    return { root, anchorRoot, isSame: true };
  } catch (error) {
    if (!(error instanceof TrustError) || error.code !== 'pin_mismatch') throw error;
  }
  if (anchor.kind === 'root-file') {
    const root = TrustedRoot.admit(anchor.bytes, own, admittedAt);
    return { root, anchorRoot: anchor.bytes, isSame: false };
  }
  const root = TrustedRoot.admit(record.root, own, admittedAt);
  return { root, anchorRoot, isSame: true };
}

function restoreSet(
  root: TrustedRoot,
  files: EarlierFiles,
  { weak, clockSkewMs }: MetadataRules,
): TrustedSet | undefined {
  const { timestamp, snapshot, targets } = files;
  const top = targets.get('targets');
  if (timestamp === undefined || snapshot === undefined || top === undefined) return undefined;
  const set = new TrustedSet(root, {
    now: 'ignore-expiry',
    weak,
    clockSkewMs,
    // Delegations are accepted on demand: what they were last is their floor also while the server cannot be asked.
    earlier: { ...NO_EARLIER_FILES, targets },
  });
  try {
    set.acceptTimestamp(rawBytes(timestamp));
    set.acceptSnapshot(rawBytes(snapshot));
    set.acceptTargets('targets', rawBytes(top));
  } catch (error) {
    // A newer timestamp than snapshot, after a refresh that broke off: the floors hold, answers wait for the next refresh.
    if (error instanceof TrustError) return undefined;
    throw error;
  }
  return set;
}

function bytesOf(
  file: { readonly bytes: Uint8Array } | Uint8Array | undefined,
): Uint8Array | undefined {
  return file === undefined ? undefined : rawBytes(file);
}

function rawBytes(file: { readonly bytes: Uint8Array } | Uint8Array): Uint8Array {
  return file instanceof Uint8Array ? file : file.bytes;
}
