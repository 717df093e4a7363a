import type { StatementSync } from 'node:sqlite';
import { LRUCache } from 'lru-cache';
import type { Descriptor } from '../oci/descriptor.ts';
import { type Digest, isDigest } from '../oci/digest.ts';
import { type Repository, repositoryName } from '../oci/names.ts';
import type { PinRecord } from '../resolve/ports.ts';
import {
  closureEntries,
  mergePin,
  type PinHistory,
  type RecordedManifest,
  supersedes,
  type VouchedEntry,
} from './durable-state.ts';
import { rowDamaged } from './sqlite-errors.ts';
import type { SqliteFile } from './sqlite-file.ts';
import { SqliteParts } from './sqlite-parts.ts';
import { RowReader, seal } from './sqlite-row.ts';

/** Closures remembered as written, in entries of about 150 bytes. */
const WRITTEN_CLOSURES = 10_000;
const KINDS = ['manifest', 'blob'] as const;

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
    const name = repositoryName(repository);
    const entries = closureEntries(manifest, parts).map((entry) => ({
      ...entry,
      mediaType: entry.mediaType.toWellFormed(),
    }));
    const key = closureKey(name, entries);
    if (this.#written.has(key)) return;
    const isNew = (entry: VouchedEntry): boolean =>
      supersedes(entry, this.#entry(name, entry.digest));
    const children = parts.map((part) => part.digest);
    const newParts = (): readonly Digest[] => this.#parts.unknown(name, manifest.digest, children);
    this.#file.run(() => {
      if (!entries.some(isNew) && newParts().length === 0) return;
      this.#file.transaction(() => {
        this.#parts.add(name, manifest.digest, newParts());
        for (const entry of entries.filter(isNew)) {
          const values = vouchedValues(name, entry);
          this.#putVouched.run(...values, seal('vouched', values));
        }
      });
    });
    this.#written.set(key, true);
  }

  /** As `PinStore.vouched`. */
  vouched(repository: Repository, digest: Digest): Descriptor | undefined {
    const entry = this.#file.run(() => this.#entry(repositoryName(repository), digest));
    if (entry === undefined) return undefined;
    return { mediaType: entry.mediaType, digest, size: entry.size, kind: entry.kind };
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
  const entry = {
    digest,
    mediaType: reader.text('media_type'),
    size: reader.integer('size'),
    kind: reader.oneOf('kind', KINDS),
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

/** The columns of table `vouched` in order, without the seal. */
function vouchedValues(
  repository: string,
  entry: VouchedEntry,
): readonly [string, Digest, string, number, string, number] {
  const { digest, mediaType, size, kind, isVerified } = entry;
  return [repository, digest, mediaType, size, kind, isVerified ? 1 : 0];
}

/** Short, and different for different closures: the list itself would keep whole manifests in memory. */
function closureKey(repository: string, entries: readonly VouchedEntry[]): string {
  const rows = entries.map((entry) => vouchedValues(repository, entry));
  return Buffer.from(seal('closure', rows)).toString('base64');
}
