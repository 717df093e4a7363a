import { OciError } from '../oci/errors.ts';
import { TrustError } from '../trust/errors.ts';

const MAX_GUN_LENGTH = 512;
const MAX_FILE_LENGTH = 400;
const GUN_PART = /^(?!\.{1,2}$)[A-Za-z0-9._:[\]-]+$/;
const FILE =
  /^(?:[1-9][0-9]{0,9}\.)?(root|timestamp|snapshot|targets(?:\/[-a-z0-9_]+)*)(?:\.[0-9a-f]{64})?\.json$/;

/** Where a metadata file is, and whose it is. */
export interface MetadataLocation {
  readonly url: URL;
  /** The metadata role the file belongs to. */
  readonly role: string;
  /** The right to ask a token service for, should the server want a token. */
  readonly scope: string;
  /** Whether 403 is how the server says that it has no such file. */
  readonly isMissingIfForbidden: boolean;
}

/**
 * Finds a metadata file on a Notary server. Only names of metadata files are let through: a GET of a `.key` endpoint
 * would make the server create a key.
 *
 * @param base - the server's URL without trailing slash in its path
 * @param gun - goes into the path as it is, slashes and port colon included
 * @throws {OciError} `NAME_INVALID` for a GUN with an empty or dot part or a character that has a meaning in URLs
 * @throws {TrustError} `malformed` for a file name that no metadata may lead to
 * @source notary: server/server.go
 */
export function notaryLocation(base: URL, gun: string, file: string): MetadataLocation {
  // The length is checked first: it bounds the work below for hostile names.
  if (gun.length > MAX_GUN_LENGTH || !gun.split('/').every((part) => GUN_PART.test(part))) {
    throw new OciError('NAME_INVALID', 'not a name of a trusted collection');
  }
  const role = file.length > MAX_FILE_LENGTH ? undefined : FILE.exec(file)?.[1];
  if (role === undefined) {
    throw new TrustError('malformed', 'metadata leads to a file whose name is not allowed');
  }
  const prefix = base.href.replace(/\/$/, '');
  const url = new URL(`${prefix}/v2/${gun}/_trust/tuf/${file}`);
  // The full GUN, and never what a challenge offers: the server's ping asks for a scope nobody gets.
  return { url, role, scope: `repository:${gun}:pull`, isMissingIfForbidden: false };
}

const TUF_FILE = /^(?:[1-9][0-9]{0,9}\.)?((?:[A-Za-z0-9_.~-]|%[0-9A-F]{2})+)\.json$/;

/**
 * Finds a metadata file of a TUF 1.0 repository: all files lie side by side below the URL, role names percent-encoded.
 *
 * @throws {TrustError} `malformed` for a file name that no metadata may lead to
 * @source TUF 1.0.34 §4.1 (#file-formats), §6 (#consistent-snapshots)
 */
export function tufLocation(base: URL, _gun: string, file: string): MetadataLocation {
  const role = file.length > 3 * MAX_FILE_LENGTH ? undefined : TUF_FILE.exec(file)?.[1];
  if (role === undefined) {
    throw new TrustError('malformed', 'metadata leads to a file whose name is not allowed');
  }
  const url = new URL(`${base.href.replace(/\/$/, '')}/${file}`);
  // Object stores answer 403 for what they do not have; the root after the newest never is there.
  const isMissingIfForbidden = role === 'root';
  // Servers of plain files know no repositories to ask a right for.
  return { url, role, scope: '', isMissingIfForbidden };
}
