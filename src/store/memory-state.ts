import { randomBytes } from 'node:crypto';
import type { Clock } from '../base/clock.ts';
import type { CollectionKey, StoredTrustRecord, TrustRecord } from '../metadata/ports.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';
import { type Repository, repositoryName } from '../oci/names.ts';
import type { PinRecord, VouchedContent } from '../resolve/ports.ts';
import {
  closureEntries,
  type DurableState,
  MAX_REFERRED,
  mergePin,
  type PinHistory,
  type RecordedManifest,
  requireWhole,
  SECRET_BYTES,
  type StateEvent,
  supersedes,
  type VouchedEntry,
} from './durable-state.ts';

/**
 * State that lives and dies with the object: for tests, and for commands that must not touch the data folder. It keeps
 * to the same contract as the durable one but for outliving the process.
 */
export class MemoryState implements DurableState {
  readonly #clock: Clock;
  readonly #records = new Map<string, StoredTrustRecord & { readonly key: CollectionKey }>();
  readonly #pins = new Map<string, Map<string, PinHistory>>();
  readonly #vouched = new Map<string, Map<Digest, VouchedEntry>>();
  /** By repository and part. */
  readonly #parents = new Map<string, Map<Digest, Set<Digest>>>();
  readonly #secrets = new Map<string, Uint8Array>();
  readonly #events: StateEvent[] = [];
  #newestTime = 0;
  /** Never used twice, so that a writer that loaded before a reset cannot bring back what was forgotten. */
  #lastRevision = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#events.push({ kind: 'created', collection: undefined, reason: '', at: clock.now() });
  }

  async load(key: CollectionKey): Promise<StoredTrustRecord | undefined> {
    const stored = this.#records.get(keyText(key));
    return stored && { revision: stored.revision, record: copyRecord(stored.record) };
  }

  async revision(key: CollectionKey): Promise<number> {
    return this.#records.get(keyText(key))?.revision ?? 0;
  }

  async save(
    key: CollectionKey,
    record: TrustRecord,
    expectedRevision: number,
  ): Promise<number | undefined> {
    requireWhole(record.admittedAt, 'admittedAt');
    requireWhole(record.checkedAt, 'checkedAt');
    const known = this.#records.get(keyText(key));
    if ((known?.revision ?? 0) !== expectedRevision) return undefined;
    this.#lastRevision += 1;
    const revision = this.#lastRevision;
    this.#records.set(keyText(key), { key: { ...key }, revision, record: copyRecord(record) });
    const isAdmitted =
      known?.record.admission === record.admission && known.record.admittedAt === record.admittedAt;
    if (record.admission === 'first-use' && !isAdmitted) {
      const collection = { ...key };
      this.#events.push({ kind: 'first-use', collection, reason: '', at: record.admittedAt });
    }
    return revision;
  }

  async reset(key: CollectionKey, reason: string): Promise<boolean> {
    const existed = this.#records.delete(keyText(key));
    if (existed) {
      const at = this.#clock.now();
      this.#events.push({ kind: 'reset', collection: { ...key }, reason, at });
    }
    return existed;
  }

  async list(): Promise<readonly CollectionKey[]> {
    const keys = [...this.#records.values()].map(({ key }) => ({ ...key }));
    return keys.sort((a, b) => compareText(a.source, b.source) || compareText(a.gun, b.gun));
  }

  async newestTimeSeen(): Promise<number> {
    return this.#newestTime;
  }

  async noteTime(now: number): Promise<void> {
    requireWhole(now, 'now');
    this.#newestTime = Math.max(this.#newestTime, now);
  }

  async resetTime(reason: string): Promise<number | undefined> {
    const [before, at] = [this.#newestTime, this.#clock.now()];
    if (before <= at) return undefined;
    this.#newestTime = at;
    this.#events.push({ kind: 'clock-reset', collection: undefined, reason, at });
    return before;
  }

  async timeResets(): Promise<number> {
    return this.#events.filter(({ kind }) => kind === 'clock-reset').length;
  }

  async recordPin(pin: PinRecord): Promise<void> {
    const pins = entryOf(this.#pins, repositoryName(pin.repository));
    const key = `${pin.tag}@${pin.digest}`;
    pins.set(key, mergePin(pins.get(key), pin));
  }

  async recordClosure(
    repository: Repository,
    manifest: Descriptor,
    parts: readonly Descriptor[],
  ): Promise<void> {
    const entries = closureEntries(manifest, parts);
    const vouched = entryOf(this.#vouched, repositoryName(repository));
    const parents = entryOf(this.#parents, repositoryName(repository));
    for (const { digest } of parts) {
      parents.set(digest, (parents.get(digest) ?? new Set()).add(manifest.digest));
    }
    for (const entry of entries) {
      if (supersedes(entry, vouched.get(entry.digest))) vouched.set(entry.digest, entry);
    }
  }

  async vouched(repository: Repository, digest: Digest): Promise<VouchedContent | undefined> {
    return this.#content(repository, digest, false);
  }

  async recordReferrer(
    repository: Repository,
    manifest: Descriptor,
    parts: readonly Descriptor[],
  ): Promise<boolean> {
    const entries = closureEntries(manifest, parts, true);
    const known = entryOf(this.#vouched, repositoryName(repository));
    const fresh = entries.filter((entry) => supersedes(entry, known.get(entry.digest)));
    const added = fresh.filter(({ digest }) => !known.has(digest)).length;
    const kept = [...known.values()].filter(({ isReferred }) => isReferred).length;
    if (added > 0 && kept + added > MAX_REFERRED) return false;
    for (const entry of fresh) known.set(entry.digest, entry);
    return true;
  }

  async referred(repository: Repository, digest: Digest): Promise<VouchedContent | undefined> {
    return this.#content(repository, digest, true);
  }

  async pinnedRepositories(): Promise<readonly string[]> {
    return [...this.#pins.keys()];
  }

  async parents(repository: Repository, digest: Digest): Promise<readonly Digest[]> {
    return [...(this.#parents.get(repositoryName(repository))?.get(digest) ?? [])];
  }

  async pinsOf(repository: Repository, digest: Digest): Promise<readonly PinHistory[]> {
    return (await this.pins(repository)).filter((pin) => pin.digest === digest);
  }

  async wasPinned(repository: Repository, digest: Digest): Promise<boolean> {
    return (await this.pinsOf(repository, digest)).length > 0;
  }

  async pins(repository: Repository): Promise<readonly PinHistory[]> {
    const pins = this.#pins.get(repositoryName(repository)) ?? new Map<string, PinHistory>();
    return [...pins.values()].sort((a, b) => b.verifiedAt - a.verifiedAt);
  }

  async *recordedManifests(only?: ReadonlySet<string>): AsyncIterable<RecordedManifest> {
    const repositories = [...this.#vouched].toSorted(([a], [b]) => compareText(a, b));
    for (const [repository, entries] of repositories) {
      const manifests = [...entries.values()].filter(({ kind }) => kind === 'manifest');
      for (const { digest } of manifests.toSorted((a, b) => compareText(a.digest, b.digest))) {
        if (only === undefined || only.has(digest)) yield { repository, digest };
      }
    }
  }

  async secret(name: string): Promise<Uint8Array> {
    const secret = this.#secrets.get(name) ?? randomBytes(SECRET_BYTES);
    this.#secrets.set(name, secret);
    return Uint8Array.from(secret);
  }

  async events(limit: number): Promise<readonly StateEvent[]> {
    requireWhole(limit, 'limit');
    return this.#events.toReversed().slice(0, limit);
  }

  close(): void {
    // Nothing is held open.
  }

  #content(
    repository: Repository,
    digest: Digest,
    isReferred: boolean,
  ): VouchedContent | undefined {
    const entry = this.#vouched.get(repositoryName(repository))?.get(digest);
    if (entry === undefined || entry.isReferred !== isReferred) return undefined;
    const { mediaType, size, kind } = entry;
    return { descriptor: { mediaType, digest, size, kind } };
  }
}

function keyText(key: CollectionKey): string {
  return JSON.stringify([key.source, key.gun]);
}

function compareText(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

function entryOf<Key, Value>(maps: Map<string, Map<Key, Value>>, name: string): Map<Key, Value> {
  const known = maps.get(name);
  if (known !== undefined) return known;
  const made = new Map<Key, Value>();
  maps.set(name, made);
  return made;
}

/** Callers may go on changing the bytes they handed in or got. */
function copyRecord(record: TrustRecord): TrustRecord {
  const copy = (bytes: Uint8Array | undefined) => bytes && Uint8Array.from(bytes);
  return {
    ...record,
    anchorRoot: Uint8Array.from(record.anchorRoot),
    root: Uint8Array.from(record.root),
    timestamp: copy(record.timestamp),
    snapshot: copy(record.snapshot),
    targets: new Map([...record.targets].map(([role, bytes]) => [role, Uint8Array.from(bytes)])),
  };
}
