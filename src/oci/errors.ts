import { CodedError } from '../base/coded-error.ts';

/**
 * The error codes of the registry API that a malformed or unsupported request can earn.
 *
 * @source OCI distribution 1.1 (#error-codes)
 */
export const OCI_REQUEST_CODES = [
  'NAME_INVALID',
  'NAME_UNKNOWN',
  'TAG_INVALID',
  'DIGEST_INVALID',
  'MANIFEST_INVALID',
  'MANIFEST_UNKNOWN',
  'BLOB_UNKNOWN',
  'UNSUPPORTED',
  'PAGINATION_NUMBER_INVALID',
  'RANGE_INVALID',
] as const;

export type OciRequestCode = (typeof OCI_REQUEST_CODES)[number];

/** A request, name, reference or manifest that breaks the grammar of the registry API. */
export class OciError extends CodedError<OciRequestCode> {}
