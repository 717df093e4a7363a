import type { OciError, OciRequestCode } from '../oci/errors.ts';
import { REASON_TABLE } from '../refusal/reason-table.ts';
import type { Exchange } from './exchange.ts';

/** On every answer of a registry listener. */
export const API_VERSION_HEADERS = [
  'Docker-Distribution-Api-Version',
  'registry/2.0',
] as const satisfies readonly string[];

/** A plain OCI error, for requests that never became a question of trust. */
export interface OciAnswer {
  readonly status: number;
  readonly code: string;
  readonly message: string;
  readonly detail?: Readonly<Record<string, string>>;
  /** Alternately names and values. */
  readonly headers?: readonly string[];
}

const STATUS_OF_CODE: Readonly<Record<OciRequestCode, number>> = {
  NAME_INVALID: 400,
  NAME_UNKNOWN: 404,
  TAG_INVALID: 400,
  DIGEST_INVALID: 400,
  MANIFEST_INVALID: 400,
  MANIFEST_UNKNOWN: 404,
  BLOB_UNKNOWN: 404,
  UNSUPPORTED: 405,
  PAGINATION_NUMBER_INVALID: 400,
  RANGE_INVALID: 416,
};

/**
 * The answer to a request that breaks the API's grammar or asks for what is not offered.
 *
 * @source OCI distribution 1.1 (#error-codes)
 */
export function answerOfError(error: OciError): OciAnswer {
  const status = STATUS_OF_CODE[error.code];
  if (error.code !== 'UNSUPPORTED') return { status, code: error.code, message: error.message };
  return {
    status,
    code: error.code,
    message: `${error.message}. ${REASON_TABLE.push_not_supported.remedy}`,
    detail: { code: 'push_not_supported' },
    // The connection is not kept: whatever upload may follow is not to be read to its end.
    headers: [
      'Allow',
      'GET, HEAD',
      'Connection',
      'close',
      'X-Pinnace-Reason',
      'push_not_supported',
    ],
  };
}

/** Sends an OCI error; on HEAD the same headers without the body. @returns the bytes of body sent */
export function sendOciAnswer(exchange: Exchange, answer: OciAnswer): number {
  const { code, message, detail } = answer;
  const error = { code, message, ...(detail === undefined ? {} : { detail }) };
  const body = Buffer.from(JSON.stringify({ errors: [error] }));
  exchange.response.writeHead(answer.status, [
    ...API_VERSION_HEADERS,
    'Content-Type',
    'application/json',
    'Content-Length',
    String(body.length),
    'Cache-Control',
    'no-store',
    ...(answer.headers ?? []),
  ]);
  exchange.response.end(exchange.isHead ? undefined : body);
  return exchange.isHead ? 0 : body.length;
}
