import type { StatementSync } from 'node:sqlite';
import { LRUCache } from 'lru-cache';
import type { Descriptor } from '../oci/descriptor.ts';
import { type Digest, isDigest } from '../oci/digest.ts';
import { type Repository, repositoryName } from '../oci/names.ts';
import type { PinRecord } from '../resolve/ports.ts';
import {
  closureEntries,
  MAX_REFERRED,
  mergePin,
  type PinHistory,
  type RecordedManifest,
  supersedes,
  type VouchedEntry,
} from './durable-state.ts';
import { rowDamaged } from './sqlite-errors.ts';
import type { SqliteFile } from './sqlite-file.ts';
import { RowsInMemory } from './sqlite-memory.ts';
import { SqliteParts } from './sqlite-parts.ts';
import { RowReader, seal } from './sqlite-row.ts';

/** That a vouched manifest names its parts: by it one can tell what leads to a digest. Referrers lead to nothing. */
interface Link {
  readonly parent: Digest;
  readonly children: readonly Digest[];
}

/** Closures remembered as written, in entries of about 150 bytes. */
const WRITTEN_CLOSURES = 10_000;
/** Entries at hand for the next question, of about 300 bytes. */
const ENTRIES_IN_MEMORY = 4_096;
/** What the column `kind` says, by whether the entry is vouched for or only refers to what is. */
const KINDS = ['manifest', 'blob', 'referred-manifest', 'referred-blob'] as const;

/** The pins and what they vouch for in a state file. */
export class SqlitePins {
  readonly #file: SqliteFile;
  readonly #precisionMs: number;
  readonly #selectPin: StatementSync;
  readonly #selectPins: StatementSync;
  readonly #selectByDigest: StatementSync;
  readonly #putPin: StatementSync;
  readonly #selectVouched: StatementSync;
  readonly #putVouched: StatementSync;
  readonly #parts: SqliteParts;
  readonly #selectManifests: StatementSync;
  readonly #countReferred: StatementSync;
  readonly #selectRepositories: StatementSync;
  readonly #vouched: RowsInMemory<VouchedEntry>;
  readonly #written = new LRUCache<string, true>({ max: WRITTEN_CLOSURES });

  /** @param precisionMs - a pin verified again within this many milliseconds is not written again */
  constructor(file: SqliteFile, precisionMs: number) {
    this.#file = file;
    this.#precisionMs = precisionMs;
    this.#selectPin = file.prepare(
      'SELECT * FROM pin WHERE repository = ? AND digest = ? AND tag = ?',
    );
    this.#selectPins = file.prepare(
      'SELECT * FROM pin WHERE repository = ? ORDER BY last_verified_at DESC',
    );
    this.#selectByDigest = file.prepare(
      'SELECT * FROM pin WHERE repository = ? AND digest = ? ORDER BY last_verified_at DESC',
    );
    this.#putPin = file.prepare('INSERT OR REPLACE INTO pin VALUES (?, ?, ?, ?, ?, ?, ?, ?)');
    this.#selectVouched = file.prepare(
      'SELECT media_type, size, kind, is_verified, seal FROM vouched WHERE repository = ? AND digest = ?',
    );
    this.#selectManifests = file.prepare(
      `SELECT * FROM vouched WHERE kind = 'manifest' AND (repository, digest) > (?, ?)
      ORDER BY repository, digest LIMIT ?`,
    );
    this.#putVouched = file.prepare('INSERT OR REPLACE INTO vouched VALUES (?, ?, ?, ?, ?, ?, ?)');
    this.#parts = new SqliteParts(file);
    this.#countReferred = file.prepare(
      "SELECT count(*) AS n FROM vouched WHERE repository = ? AND kind IN ('referred-manifest', 'referred-blob')",
    );
    this.#vouched = new RowsInMemory(file, ENTRIES_IN_MEMORY);
    this.#selectRepositories = file.prepare('SELECT DISTINCT repository FROM pin');
  }

  /** As `PinStore.recordPin`. */
  recordPin(pin: PinRecord): void {
    this.#file.run(() => {
      const known = this.#pin(pin);
      if (known !== undefined && this.#saysAsMuch(known, pin)) return;
      this.#file.transaction(() => {
        const values = pinValues(mergePin(this.#pin(pin), pin));
        this.#putPin.run(...values, seal('pin', values));
      });
    });
  }

  /** As `PinStore.recordClosure`. */
  recordClosure(repository: Repository, manifest: Descriptor, parts: readonly Descriptor[]): void {
    const children = parts.map((part) => part.digest);
    const link = { parent: manifest.digest, children };
    this.#record(repositoryName(repository), wellFormed(closureEntries(manifest, parts)), link);
  }

  /** As `PinStore.vouched`. */
  vouched(repository: Repository, digest: Digest): Descriptor | undefined {
    return this.#content(repository, digest, false);
  }

  /** As `ReferrerStore.recordReferrer`. */
  recordReferrer(
    repository: Repository,
    manifest: Descriptor,
    parts: readonly Descriptor[],
  ): boolean {
    const name = repositoryName(repository);
    return this.#record(name, wellFormed(closureEntries(manifest, parts, true)));
  }

  /** As `ReferrerStore.referred`. */
  referred(repository: Repository, digest: Digest): Descriptor | undefined {
    return this.#content(repository, digest, true);
  }

  /** As `PinnedRepositories.pinnedRepositories`. */
  pinnedRepositories(): readonly string[] {
    const place = { file: this.#file.path, table: 'pin' };
    return this.#file.run(() =>
      this.#selectRepositories.all().map((row) => new RowReader(row, place).text('repository')),
    );
  }

  /** As `PinStore.parents`. */
  parents(repository: Repository, digest: Digest): readonly Digest[] {
    return this.#file.run(() => this.#parts.parents(repositoryName(repository), digest));
  }

  /** As `PinStore.pinsOf`. */
  pinsOf(repository: Repository, digest: Digest): readonly PinHistory[] {
    return this.#file.run(() =>
      this.#selectByDigest
        .all(repositoryName(repository), digest)
        .map((row) => this.#readPin(repository, row)),
    );
  }

  /** As `PinStore.wasPinned`. */
  wasPinned(repository: Repository, digest: Digest): boolean {
    return this.#file.run(() => {
      const row = this.#selectByDigest.get(repositoryName(repository), digest);
      return row !== undefined && this.#readPin(repository, row).digest === digest;
    });
  }

  /** As `DurableState.pins`. */
  pins(repository: Repository): readonly PinHistory[] {
    return this.#file.run(() =>
      this.#selectPins.all(repositoryName(repository)).map((row) => this.#readPin(repository, row)),
    );
  }

  /**
   * The vouched manifests that follow a row, at most `limit`; with `only`, of these digests.
   *
   * @returns the rows, and the last that was looked at: undefined when there are no more
   */
  manifestsAfter(
    after: RecordedManifestKey,
    { limit, only }: { readonly limit: number; readonly only?: ReadonlySet<string> | undefined },
  ): {
    readonly rows: readonly RecordedManifest[];
    readonly last: RecordedManifestKey | undefined;
  } {
    return this.#file.run(() => {
      const found = this.#selectManifests.all(after.repository, after.digest, limit);
      const place = { file: this.#file.path, table: 'vouched' };
      const rows: RecordedManifest[] = [];
      let last: RecordedManifestKey | undefined;
      for (const row of found) {
        const reader = new RowReader(row, place);
        const repository = reader.text('repository');
        const digest = reader.text('digest');
        last = { repository, digest };
        if (!isDigest(digest)) throw rowDamaged(place);
        if (only?.has(digest) === false) continue;
        readEntry(reader, repository, digest);
        rows.push({ repository, digest });
      }
      return { rows, last: found.length < limit ? undefined : last };
    });
  }

  /** @returns false when there is no room for so many referrers */
  #record(name: string, entries: readonly VouchedEntry[], link?: Link): boolean {
    const key = closureKey(name, entries);
    if (this.#written.has(key)) return true;
    const isNew = (entry: VouchedEntry): boolean =>
      supersedes(entry, this.#entry(name, entry.digest));
    const isRecorded = this.#file.run(() => {
      if (!entries.some(isNew) && this.#newChildren(name, link).length === 0) return true;
      return this.#file.transaction(() => {
        const fresh = entries.filter(isNew);
        if (!this.#hasRoom(name, fresh)) return false;
        if (link !== undefined) this.#parts.add(name, link.parent, this.#newChildren(name, link));
        for (const entry of fresh) {
          const values = vouchedValues(name, entry);
          this.#putVouched.run(...values, seal('vouched', values));
        }
        return true;
      });
    });
    this.#vouched.forget();
    if (isRecorded) this.#written.set(key, true);
    return isRecorded;
  }

  #newChildren(name: string, link: Link | undefined): readonly Digest[] {
    return link === undefined ? [] : this.#parts.unknown(name, link.parent, link.children);
  }

  /** What is vouched for always has room: the number of verified images is the publisher's choice. */
  #hasRoom(name: string, fresh: readonly VouchedEntry[]): boolean {
    const added = fresh.filter(
      ({ isReferred, digest }) => isReferred && this.#entry(name, digest) === undefined,
    );
    if (added.length === 0) return true;
    const kept = Number(this.#countReferred.get(name)?.['n'] ?? 0);
    return kept + added.length <= MAX_REFERRED;
  }

  #content(repository: Repository, digest: Digest, isReferred: boolean): Descriptor | undefined {
    const name = repositoryName(repository);
    // Neither part can contain a space by its grammar.
    const entry = this.#vouched.get(`${name} ${digest}`, () =>
      this.#file.run(() => this.#entry(name, digest)),
    );
    if (entry === undefined || entry.isReferred !== isReferred) return undefined;
    return { mediaType: entry.mediaType, digest, size: entry.size, kind: entry.kind };
  }

  #saysAsMuch(known: PinHistory, pin: PinRecord): boolean {
    const merged = mergePin(known, pin);
    return (
      merged.length === known.length &&
      merged.role === known.role &&
      merged.firstVerifiedAt === known.firstVerifiedAt &&
      (merged.verifiedAt === known.verifiedAt ||
        merged.verifiedAt - known.verifiedAt < this.#precisionMs)
    );
  }

  #pin(pin: PinRecord): PinHistory | undefined {
    const row = this.#selectPin.get(repositoryName(pin.repository), pin.digest, pin.tag);
    return row && this.#readPin(pin.repository, row);
  }

  #readPin(repository: Repository, row: NonNullable<ReturnType<StatementSync['get']>>): PinHistory {
    const place = { file: this.#file.path, table: 'pin' };
    const reader = new RowReader(row, place);
    const digest = reader.text('digest');
    if (!isDigest(digest)) throw rowDamaged(place);
    const pin = {
      repository,
      digest,
      tag: reader.text('tag'),
      length: reader.integer('length'),
      role: reader.text('role'),
      firstVerifiedAt: reader.integer('first_verified_at'),
      verifiedAt: reader.integer('last_verified_at'),
    };
    reader.requireSeal(pinValues(pin));
    return pin;
  }

  #entry(repository: string, digest: Digest): VouchedEntry | undefined {
    const row = this.#selectVouched.get(repository, digest);
    if (row === undefined) return undefined;
    const reader = new RowReader(row, { file: this.#file.path, table: 'vouched' });
    return readEntry(reader, repository, digest);
  }
}

/** Where a page of manifests begins. */
interface RecordedManifestKey {
  readonly repository: string;
  readonly digest: string;
}

function readEntry(reader: RowReader, repository: string, digest: Digest): VouchedEntry {
  const kind = reader.oneOf('kind', KINDS);
  const entry: VouchedEntry = {
    digest,
    mediaType: reader.text('media_type'),
    size: reader.integer('size'),
    kind: kind === 'manifest' || kind === 'referred-manifest' ? 'manifest' : 'blob',
    isReferred: kind === 'referred-manifest' || kind === 'referred-blob',
    isVerified: reader.integer('is_verified') === 1,
  };
  reader.requireSeal(vouchedValues(repository, entry));
  return entry;
}

/** The columns of table `pin` in order, without the seal. */
function pinValues(
  pin: PinHistory,
): readonly [string, Digest, string, number, string, number, number] {
  return [
    repositoryName(pin.repository),
    pin.digest,
    pin.tag.toWellFormed(),
    pin.length,
    pin.role.toWellFormed(),
    pin.firstVerifiedAt,
    pin.verifiedAt,
  ];
}

/** Entries whose texts SQLite gives back as they were. */
function wellFormed(entries: readonly VouchedEntry[]): readonly VouchedEntry[] {
  return entries.map((entry) => ({ ...entry, mediaType: entry.mediaType.toWellFormed() }));
}

/** The columns of table `vouched` in order, without the seal. */
function vouchedValues(
  repository: string,
  entry: VouchedEntry,
): readonly [string, Digest, string, number, string, number] {
  const { digest, mediaType, size, kind, isVerified, isReferred } = entry;
  const column = isReferred ? `referred-${kind}` : kind;
  return [repository, digest, mediaType, size, column, isVerified ? 1 : 0];
}

/** Short, and different for different closures: the list itself would keep whole manifests in memory. */
function closureKey(repository: string, entries: readonly VouchedEntry[]): string {
  const rows = entries.map((entry) => vouchedValues(repository, entry));
  return Buffer.from(seal('closure', rows)).toString('base64');
}
