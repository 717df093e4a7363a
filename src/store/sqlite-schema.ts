/** Marks the file as Pinnace's (`PRAGMA application_id`): "Pinn". */
export const APPLICATION_ID = 0x50696e6e;

/** The schema below (`PRAGMA user_version`). */
export const SCHEMA_VERSION = 2;

/** What version 2 added. Which manifest named which part: by it one can tell what still leads to a digest. */
const PART_TABLE = `
CREATE TABLE part (
  repository TEXT NOT NULL,
  child TEXT NOT NULL,
  parent TEXT NOT NULL,
  seal BLOB NOT NULL,
  PRIMARY KEY (repository, child, parent)
) STRICT, WITHOUT ROWID;
`;

/** What makes a database of an earlier version one of the next, by the earlier version. */
export const MIGRATIONS: ReadonlyMap<number, string> = new Map([[1, PART_TABLE]]);

/**
 * All tables. Each row carries `seal`, a SHA-256 over the rest of it (see `seal`): SQLite notices broken pages, not
 * altered rows.
 */
export const SCHEMA = `
CREATE TABLE trust_record (
  source TEXT NOT NULL,
  gun TEXT NOT NULL,
  revision INTEGER NOT NULL,
  admission TEXT NOT NULL,
  admitted_at INTEGER NOT NULL,
  checked_at INTEGER NOT NULL,
  seal BLOB NOT NULL,
  PRIMARY KEY (source, gun)
) STRICT;

-- The metadata files of a record, one row each, so that a refresh writes only what changed.
CREATE TABLE trust_file (
  source TEXT NOT NULL,
  gun TEXT NOT NULL,
  slot TEXT NOT NULL,
  sha256 BLOB NOT NULL,
  content BLOB NOT NULL,
  PRIMARY KEY (source, gun, slot),
  FOREIGN KEY (source, gun) REFERENCES trust_record (source, gun) ON DELETE CASCADE
) STRICT;

CREATE TABLE pin (
  repository TEXT NOT NULL,
  digest TEXT NOT NULL,
  tag TEXT NOT NULL,
  length INTEGER NOT NULL,
  role TEXT NOT NULL,
  first_verified_at INTEGER NOT NULL,
  last_verified_at INTEGER NOT NULL,
  seal BLOB NOT NULL,
  PRIMARY KEY (repository, digest, tag)
) STRICT, WITHOUT ROWID;

CREATE TABLE vouched (
  repository TEXT NOT NULL,
  digest TEXT NOT NULL,
  media_type TEXT NOT NULL,
  size INTEGER NOT NULL,
  kind TEXT NOT NULL,
  is_verified INTEGER NOT NULL,
  seal BLOB NOT NULL,
  PRIMARY KEY (repository, digest)
) STRICT, WITHOUT ROWID;

${PART_TABLE}
CREATE TABLE number (
  name TEXT PRIMARY KEY,
  value INTEGER NOT NULL,
  seal BLOB NOT NULL
) STRICT;

CREATE TABLE secret (
  name TEXT PRIMARY KEY,
  value BLOB NOT NULL,
  seal BLOB NOT NULL
) STRICT;

CREATE TABLE event (
  id INTEGER PRIMARY KEY,
  kind TEXT NOT NULL,
  source TEXT,
  gun TEXT,
  reason TEXT NOT NULL,
  at INTEGER NOT NULL,
  seal BLOB NOT NULL
) STRICT;
`;
