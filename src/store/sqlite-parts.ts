import type { StatementSync } from 'node:sqlite';
import { type Digest, isDigest } from '../oci/digest.ts';
import { rowDamaged } from './sqlite-errors.ts';
import type { SqliteFile } from './sqlite-file.ts';
import { RowReader, seal } from './sqlite-row.ts';

/** Which manifest named which part, in a state file. */
export class SqliteParts {
  readonly #file: SqliteFile;
  readonly #selectParents: StatementSync;
  readonly #hasParent: StatementSync;
  readonly #put: StatementSync;

  constructor(file: SqliteFile) {
    this.#file = file;
    this.#selectParents = file.prepare('SELECT * FROM part WHERE repository = ? AND child = ?');
    this.#hasParent = file.prepare(
      'SELECT 1 FROM part WHERE repository = ? AND child = ? AND parent = ?',
    );
    this.#put = file.prepare('INSERT OR REPLACE INTO part VALUES (?, ?, ?, ?)');
  }

  /** The manifests of a repository that name `child` as a part. */
  parents(repository: string, child: Digest): readonly Digest[] {
    return this.#selectParents.all(repository, child).map((row) => {
      const place = { file: this.#file.path, table: 'part' };
      const reader = new RowReader(row, place);
      const parent = reader.text('parent');
      if (!isDigest(parent)) throw rowDamaged(place);
      reader.requireSeal([repository, child, parent]);
      return parent;
    });
  }

  /** Those of `children` of which it is not on record yet that `parent` names them, each once. */
  unknown(repository: string, parent: Digest, children: readonly Digest[]): readonly Digest[] {
    return [...new Set(children)].filter(
      (child) => this.#hasParent.get(repository, child, parent) === undefined,
    );
  }

  /** Remembers that `parent` names `children`; within a transaction. */
  add(repository: string, parent: Digest, children: readonly Digest[]): void {
    for (const child of children) {
      const values = [repository, child, parent] as const;
      this.#put.run(...values, seal('part', values));
    }
  }
}
