import { createHash } from 'node:crypto';
import type { StatementSync } from 'node:sqlite';
import type { CollectionKey, StoredTrustRecord, TrustRecord } from '../metadata/ports.ts';
import { requireWhole } from './durable-state.ts';
import { type RowPlace, rowDamaged } from './sqlite-errors.ts';
import type { SqliteFile } from './sqlite-file.ts';
import type { SqliteJournal } from './sqlite-journal.ts';
import { RowReader, type Sealable, seal } from './sqlite-row.ts';

/** One metadata file of a record under the name it is stored by. */
interface TrustFile {
  readonly slot: string;
  readonly sha256: Uint8Array;
  readonly content: Uint8Array;
}

const TABLE = 'trust_record';
const ADMISSIONS = ['anchor', 'first-use'] as const;

/** The trust records in a state file. */
export class SqliteTrustRecords {
  readonly #file: SqliteFile;
  readonly #journal: SqliteJournal;
  readonly #select: StatementSync;
  readonly #selectHead: StatementSync;
  readonly #upsert: StatementSync;
  readonly #delete: StatementSync;
  readonly #list: StatementSync;
  readonly #selectFiles: StatementSync;
  readonly #upsertFile: StatementSync;
  readonly #deleteFile: StatementSync;

  constructor(file: SqliteFile, journal: SqliteJournal) {
    this.#file = file;
    this.#journal = journal;
    // One statement, hence one moment: another process may be saving between two.
    this.#select = file.prepare(`
      SELECT r.*, f.slot, f.sha256, f.content FROM trust_record r
      LEFT JOIN trust_file f ON f.source = r.source AND f.gun = r.gun
      WHERE r.source = ? AND r.gun = ?`);
    this.#selectHead = file.prepare(
      'SELECT revision, admission, admitted_at FROM trust_record WHERE source = ? AND gun = ?',
    );
    this.#upsert = file.prepare(`
      INSERT INTO trust_record (source, gun, revision, admission, admitted_at, checked_at, seal)
      VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET revision = excluded.revision,
        admission = excluded.admission, admitted_at = excluded.admitted_at,
        checked_at = excluded.checked_at, seal = excluded.seal`);
    this.#delete = file.prepare('DELETE FROM trust_record WHERE source = ? AND gun = ?');
    this.#list = file.prepare('SELECT source, gun FROM trust_record ORDER BY source, gun');
    this.#selectFiles = file.prepare(
      'SELECT slot, sha256 FROM trust_file WHERE source = ? AND gun = ?',
    );
    this.#upsertFile = file.prepare(`
      INSERT INTO trust_file (source, gun, slot, sha256, content) VALUES (?, ?, ?, ?, ?)
      ON CONFLICT DO UPDATE SET sha256 = excluded.sha256, content = excluded.content`);
    this.#deleteFile = file.prepare(
      'DELETE FROM trust_file WHERE source = ? AND gun = ? AND slot = ?',
    );
  }

  /** As `TrustStateStore.load`. */
  load(key: CollectionKey): StoredTrustRecord | undefined {
    return this.#file.run(() => {
      const place = this.#place(key);
      const rows = this.#select.all(key.source, key.gun).map((row) => new RowReader(row, place));
      const head = rows[0];
      return head === undefined ? undefined : readRecord(key, head, { rows, place });
    });
  }

  /** As `TrustStateStore.revision`; the seal is left to `load`, which a changed revision leads to. */
  revision(key: CollectionKey): number {
    return this.#file.run(() => this.#head(key)?.integer('revision') ?? 0);
  }

  /** As `TrustStateStore.save`. */
  save(key: CollectionKey, record: TrustRecord, expectedRevision: number): number | undefined {
    requireWhole(record.admittedAt, 'admittedAt');
    requireWhole(record.checkedAt, 'checkedAt');
    const files = filesOf(record);
    return this.#file.transaction(() => {
      const known = this.#head(key);
      if ((known?.integer('revision') ?? 0) !== expectedRevision) return undefined;
      const next = this.#journal.nextRevision();
      const { admission, admittedAt, checkedAt } = record;
      const facts = [key.source, key.gun, next, admission, admittedAt, checkedAt] as const;
      this.#upsert.run(...facts, seal(TABLE, sealed(facts, files)));
      this.#writeFiles(key, files);
      const isAdmitted =
        known?.text('admission') === admission && known.integer('admitted_at') === admittedAt;
      if (admission === 'first-use' && !isAdmitted) {
        this.#journal.append({ kind: 'first-use', collection: key, reason: '', at: admittedAt });
      }
      return next;
    });
  }

  /** As `TrustStateStore.reset`; it asks nothing of the record but that it is there, so a damaged one can go. */
  reset(key: CollectionKey, reason: string, at: number): boolean {
    return this.#file.transaction(() => {
      const { changes } = this.#delete.run(key.source, key.gun);
      if (Number(changes) === 0) return false;
      this.#journal.append({ kind: 'reset', collection: key, reason, at });
      return true;
    });
  }

  /** As `TrustStateStore.list`. */
  list(): readonly CollectionKey[] {
    return this.#file.run(() =>
      this.#list.all().map((row) => {
        const reader = new RowReader(row, { file: this.#file.path, table: TABLE });
        return { source: reader.text('source'), gun: reader.text('gun') };
      }),
    );
  }

  #head(key: CollectionKey): RowReader | undefined {
    const row = this.#selectHead.get(key.source, key.gun);
    return row && new RowReader(row, this.#place(key));
  }

  #writeFiles(key: CollectionKey, files: readonly TrustFile[]): void {
    const stored = new Map<string, string>();
    for (const row of this.#selectFiles.all(key.source, key.gun)) {
      const reader = new RowReader(row, this.#place(key));
      stored.set(reader.text('slot'), hex(reader.bytes('sha256')));
    }
    for (const { slot, sha256, content } of files) {
      const isStored = stored.get(slot) === hex(sha256);
      stored.delete(slot);
      if (!isStored) this.#upsertFile.run(key.source, key.gun, slot, sha256, content);
    }
    for (const slot of stored.keys()) this.#deleteFile.run(key.source, key.gun, slot);
  }

  #place(collection: CollectionKey): RowPlace {
    return { file: this.#file.path, table: TABLE, collection };
  }
}

function readRecord(
  key: CollectionKey,
  head: RowReader,
  found: { readonly rows: readonly RowReader[]; readonly place: RowPlace },
): StoredTrustRecord {
  const files = found.rows.map((row) => {
    const content = row.bytes('content');
    return { slot: row.text('slot'), sha256: sha256Of(content), content };
  });
  const revision = head.integer('revision');
  const admission = head.oneOf('admission', ADMISSIONS);
  const [admittedAt, checkedAt] = [head.integer('admitted_at'), head.integer('checked_at')];
  const facts = [key.source, key.gun, revision, admission, admittedAt, checkedAt] as const;
  head.requireSeal(sealed(facts, files));
  const bySlot = new Map(files.map((file) => [file.slot, file.content]));
  const [anchorRoot, root] = [bySlot.get('anchor'), bySlot.get('root')];
  if (anchorRoot === undefined || root === undefined) throw rowDamaged(found.place);
  const record: TrustRecord = {
    anchorRoot,
    admission,
    admittedAt,
    root,
    timestamp: bySlot.get('timestamp'),
    snapshot: bySlot.get('snapshot'),
    targets: new Map(
      files.flatMap(({ slot, content }) => {
        const role = roleOfSlot(slot, found.place);
        return role === undefined ? [] : [[role, content]];
      }),
    ),
    checkedAt,
  };
  return { revision, record };
}

function filesOf(record: TrustRecord): readonly TrustFile[] {
  const slots: readonly (readonly [string, Uint8Array | undefined])[] = [
    ['anchor', record.anchorRoot],
    ['root', record.root],
    ['timestamp', record.timestamp],
    ['snapshot', record.snapshot],
    ...[...record.targets].map(([role, bytes]) => [slotOfRole(role), bytes] as const),
  ];
  return slots.flatMap(([slot, content]) =>
    content === undefined ? [] : [{ slot, sha256: sha256Of(content), content }],
  );
}

/** Role names come from outside and may hold what the database cannot keep (lone surrogates); JSON escapes it. */
function slotOfRole(role: string): string {
  return `role:${JSON.stringify(role)}`;
}

function roleOfSlot(slot: string, place: RowPlace): string | undefined {
  if (!slot.startsWith('role:')) return undefined;
  try {
    return String(JSON.parse(slot.slice('role:'.length)));
  } catch (error) {
    throw rowDamaged(place, error);
  }
}

function sealed(facts: readonly Sealable[], files: readonly TrustFile[]): readonly Sealable[] {
  const rows = files.map(({ slot, sha256 }): readonly [string, string] => [slot, hex(sha256)]);
  return [...facts, rows.sort(([a], [b]) => (a < b ? -1 : 1))];
}

function sha256Of(bytes: Uint8Array): Uint8Array {
  return createHash('sha256').update(bytes).digest();
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}
