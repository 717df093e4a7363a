import { SHARED_GUN } from '../base/shared-gun.ts';
import type { Dialect } from '../trust/dialect.ts';
import { TrustError } from '../trust/errors.ts';
import type { FileMeta, RoleBody } from '../trust/model.ts';
import { type RootRules, TrustedRoot } from '../trust/trusted-root.ts';
import { type EarlierFile, NO_EARLIER_FILES, TrustedSet } from '../trust/trusted-set.ts';
import { sha256Hex } from '../trust/verified-file.ts';
import { type AcceptedState, filesOf } from './accepted-state.ts';
import type { MetadataSource } from './ports.ts';
import { METADATA_LIMITS, type MetadataRules } from './rules.ts';

/** What one run of the client workflow works with. */
export interface RefreshContext {
  readonly source: MetadataSource;
  readonly gun: string;
  readonly rules: MetadataRules;
  /** The refresh time, fixed for the whole run; milliseconds since the epoch. */
  readonly now: number;
  readonly signal: AbortSignal;
}

/** How a refresh ended. A failed one may still have moved the root chain or the timestamp forward. */
export interface RefreshOutcome {
  /** What is trusted now; undefined when there never was anything and nothing was admitted. */
  readonly state: AcceptedState | undefined;
  readonly failure: unknown;
}

/**
 * Runs the client workflow once: root chain, timestamp, snapshot, targets. Delegations are fetched when a search asks.
 *
 * With a complete earlier state and an unchanged timestamp it costs one request: the timestamp names the snapshot by hash,
 * the snapshot names root and targets by hash, so an unchanged timestamp means that nothing else changed either.
 *
 * @source TUF 1.0.34 §5 (#detailed-client-workflow), in the Notary v1 dialect; notary: client/tufclient.go
 */
export async function refresh(
  context: RefreshContext,
  earlier: AcceptedState | undefined,
): Promise<RefreshOutcome> {
  let state = earlier;
  const advance = (next: AcceptedState): void => {
    state = next;
  };
  try {
    const seen = mayShortcut(earlier, context.now) ? await fetchTimestamp(context) : undefined;
    if (earlier?.set !== undefined && seen !== undefined && isUnchanged(earlier.set, seen)) {
      earlier.set.requireFreshAt(context.now, ['targets']);
      return { state: { ...earlier, checkedAt: context.now }, failure: undefined };
    }
    try {
      await runOnce(context, { state: () => state, advance, timestamp: seen });
    } catch (error) {
      // A publisher may have put up a new root between our requests: look at the root chain once more.
      if (!isRootMismatch(error)) throw error;
      await runOnce(context, { state: () => state, advance, timestamp: undefined });
    }
    return { state, failure: undefined };
  } catch (failure) {
    return { state, failure };
  }
}

interface Run {
  readonly state: () => AcceptedState | undefined;
  readonly advance: (next: AcceptedState) => void;
  /** The timestamp's bytes if they were fetched already. */
  readonly timestamp: Uint8Array | undefined;
}

async function runOnce(context: RefreshContext, run: Run): Promise<void> {
  const base = await walkRoots(context, run.state() ?? (await admitRoot(context)), run.advance);
  const { weak, clockSkewMs } = context.rules;
  const { now } = context;
  const set = new TrustedSet(base.root, { now, weak, clockSkewMs, earlier: base.files });
  set.acceptTimestamp(run.timestamp ?? (await fetchTimestamp(context)));
  // From here on an older timestamp is refused even if the rest of this run fails.
  const files = { ...base.files, timestamp: set.timestamp };
  run.advance({ ...base, files, set: undefined });

  const snapshotMeta = set.timestamp.body.snapshot;
  set.acceptSnapshot(await fetchNamed(context, 'snapshot', { meta: snapshotMeta, known: base }));
  if (context.rules.dialect.targetsFloor === 'snapshot') {
    run.advance({ ...base, files: { ...files, snapshot: set.snapshot }, set: undefined });
  }
  const targetsMeta = set.expected('targets');
  if (targetsMeta === undefined) throw missing('targets');
  const targets = await fetchNamed(context, 'targets', { meta: targetsMeta, known: base });
  set.acceptTargets('targets', targets);
  run.advance({ ...base, files: filesOf(set, base.files), set, checkedAt: now });
}

/** @throws {TrustError} `no_trust_data` and what `TrustedRoot.admit` throws */
async function admitRoot(context: RefreshContext): Promise<AcceptedState> {
  const { anchor, weak, dialect } = context.rules;
  const rules: RootRules = { gun: context.gun, anchor, weak, dialect };
  if (anchor.kind === 'root-file') {
    return admitted(TrustedRoot.admit(anchor.bytes, rules, context.now), context);
  }
  const newest = await fetchRoot(context, 'root.json');
  if (newest === undefined) throw noTrustData(context.gun);
  try {
    return admitted(TrustedRoot.admit(newest, rules, context.now), context);
  } catch (error) {
    if (!(error instanceof TrustError) || error.code !== 'pin_mismatch') throw error;
    return await admitOlderRoot(context, rules, error);
  }
}

/** The anchor may name the key of an earlier root: find that one, and let the chain lead from it to the newest. */
async function admitOlderRoot(
  context: RefreshContext,
  rules: RootRules,
  mismatch: TrustError,
): Promise<AcceptedState> {
  for (let version = 1; version <= METADATA_LIMITS.rootRotations; version += 1) {
    const bytes = await fetchRoot(context, `${version}.root.json`);
    if (bytes === undefined) break;
    try {
      return admitted(TrustedRoot.admit(bytes, rules, context.now), context);
    } catch (error) {
      if (!(error instanceof TrustError)) throw error;
    }
  }
  throw mismatch;
}

function admitted(root: TrustedRoot, { rules, now }: RefreshContext): AcceptedState {
  return {
    anchorRoot: root.bytes,
    admission: rules.anchor.kind === 'first-use' ? 'first-use' : 'anchor',
    admittedAt: now,
    root,
    files: NO_EARLIER_FILES,
    set: undefined,
    checkedAt: 0,
    rootCheckedAt: now,
  };
}

/** @source TUF 1.0.34 §5.3.2–5.3.9 (#update-root) */
async function walkRoots(
  context: RefreshContext,
  start: AcceptedState,
  advance: (next: AcceptedState) => void,
): Promise<AcceptedState> {
  let state = start;
  for (let step = 0; step < METADATA_LIMITS.rootRotations; step += 1) {
    const next = await fetchRoot(context, `${state.root.body.version + 1}.root.json`);
    if (next === undefined) break;
    state = { ...state, root: state.root.successor(next), set: undefined };
    // §5.3.8: each step of the chain is kept. A root trusted only for being the first is not, until it is in force.
    const isKept = state.admission === 'anchor' || state.checkedAt > 0;
    if (isKept && !isBelowFloor(state)) advance(state);
  }
  if (isBelowFloor(state)) throw rootWentBack(state);
  state = { ...state, rootCheckedAt: context.now };
  // An admitted root is worth keeping only once it, or what it leads to, can be relied on.
  state.root.requireInForce(context.now);
  advance(state);
  return state;
}

function isBelowFloor({ root, rootFloor = 0 }: AcceptedState): boolean {
  return root.body.version < rootFloor;
}

function rootWentBack({ root, rootFloor = 0 }: AcceptedState): TrustError {
  return new TrustError('rollback', 'the root chain ends before the version trusted earlier', {
    detail: { role: 'root', trustedVersion: rootFloor, offeredVersion: root.body.version },
  });
}

function isUnchanged(set: TrustedSet, timestamp: Uint8Array): boolean {
  return set.timestamp.sha256 === sha256Hex(timestamp);
}

/**
 * Whether asking for the timestamp alone may do. Every so often the root chain is looked at all the same: a root that revokes
 * a stolen timestamp key would otherwise go unseen for as long as the thief can repeat an old timestamp.
 */
function mayShortcut(earlier: AcceptedState | undefined, now: number): boolean {
  return (
    earlier?.set !== undefined && now - earlier.rootCheckedAt < METADATA_LIMITS.rootCheckEveryMs
  );
}

function isRootMismatch(error: unknown): boolean {
  return (
    error instanceof TrustError &&
    error.code === 'checksum_mismatch' &&
    error.detail['role'] === 'root'
  );
}

function fetchRoot(
  { source, gun, signal }: RefreshContext,
  file: string,
): Promise<Uint8Array | undefined> {
  return source.fetch(gun, file, {
    maxBytes: METADATA_LIMITS.rootBytes,
    signal,
    bypassCaches: true,
  });
}

async function fetchTimestamp({ source, gun, signal }: RefreshContext): Promise<Uint8Array> {
  const maxBytes = METADATA_LIMITS.timestampBytes;
  const bytes = await source.fetch(gun, 'timestamp.json', { maxBytes, signal, bypassCaches: true });
  if (bytes === undefined) throw noTrustData(gun);
  return bytes;
}

interface NamedFile {
  readonly meta: FileMeta;
  readonly known: AcceptedState;
}

/**
 * Gets a file by the hash its parent names, from what is known already or from the source.
 *
 * @throws {TrustError} `metadata_missing`, `length_exceeded`, `malformed` when the parent gives no SHA-256
 */
export async function fetchNamed(
  { source, gun, signal }: Pick<RefreshContext, 'source' | 'gun' | 'signal'>,
  role: string,
  { meta, known }: NamedFile,
): Promise<Uint8Array> {
  const { dialect, body } = known.root;
  const file = dialect.fileName(role, meta, body);
  const earlier = role === 'snapshot' ? known.files.snapshot : known.files.targets.get(role);
  if (earlier !== undefined && isTheOne(earlier, meta, dialect)) {
    return earlier instanceof Uint8Array ? earlier : earlier.bytes;
  }
  const { fileBytes, unannouncedBytes } = METADATA_LIMITS;
  const maxBytes = Math.min(meta.length ?? unannouncedBytes, fileBytes);
  const bytes = await source.fetch(gun, file, { maxBytes, signal });
  if (bytes === undefined) throw missing(role);
  return bytes;
}

/** Whether a file from an earlier run is the one that the parent names: by hash, else by version. It is verified again. */
function isTheOne(
  file: EarlierFile<RoleBody>,
  { hashes, version }: FileMeta,
  dialect: Dialect,
): boolean {
  const sha256 = hashes.get('sha256');
  if (sha256 !== undefined) {
    return (file instanceof Uint8Array ? sha256Hex(file) : file.sha256) === sha256;
  }
  if (!(file instanceof Uint8Array)) return file.body.version === version;
  return dialect.parseEnvelope(file).signed.get('version') === version;
}

function missing(role: string): TrustError {
  return new TrustError('metadata_missing', `the trust server does not have the listed ${role}`, {
    detail: { role },
  });
}

function noTrustData(gun: string): TrustError {
  const whom = gun === SHARED_GUN ? 'any repository' : gun;
  return new TrustError('no_trust_data', `the trust server has nothing for ${whom}`, {
    detail: { gun },
  });
}
