import { ExchangeError } from './errors.ts';

const NOT_RESOLVED = 'its name could not be resolved';
const TLS_UNTRUSTED = 'its TLS certificate is not issued by a trusted authority';

const SENTENCES: ReadonlyMap<string, string> = new Map([
  ['ECONNREFUSED', 'the connection was refused'],
  ['ECONNRESET', 'the connection was reset'],
  ['EHOSTUNREACH', 'there is no route to it'],
  ['ENETUNREACH', 'there is no route to its network'],
  ['ETIMEDOUT', 'connecting took too long'],
  ['ENOTFOUND', NOT_RESOLVED],
  ['EAI_AGAIN', NOT_RESOLVED],
  ['UND_ERR_CONNECT_TIMEOUT', 'connecting took too long'],
  ['UND_ERR_HEADERS_TIMEOUT', 'it accepted the request but did not answer in time'],
  ['UND_ERR_BODY_TIMEOUT', 'the reply stalled'],
  ['UND_ERR_SOCKET', 'it closed the connection before the reply was complete'],
  ['UND_ERR_RES_CONTENT_LENGTH_MISMATCH', 'the reply is not as long as announced'],
  ['UND_ERR_HEADERS_OVERFLOW', 'the reply headers are too long'],
  ['UND_ERR_PRX_TLS', 'the TLS certificate of the HTTP proxy is not trusted'],
  ['UND_ERR_PRX_CONN', 'the HTTP proxy closed the connection'],
  ['UND_ERR_ABORTED', 'the HTTP proxy refused to connect to it'],
  ['CERT_HAS_EXPIRED', 'its TLS certificate has expired'],
  ['CERT_NOT_YET_VALID', 'its TLS certificate is not valid yet'],
  ['DEPTH_ZERO_SELF_SIGNED_CERT', TLS_UNTRUSTED],
  ['SELF_SIGNED_CERT_IN_CHAIN', TLS_UNTRUSTED],
  ['UNABLE_TO_GET_ISSUER_CERT', TLS_UNTRUSTED],
  ['UNABLE_TO_GET_ISSUER_CERT_LOCALLY', TLS_UNTRUSTED],
  ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', TLS_UNTRUSTED],
  ['ERR_TLS_CERT_ALTNAME_INVALID', 'its TLS certificate is for another name'],
]);

const TRANSIENT: ReadonlySet<string> = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'EAI_AGAIN',
  'UND_ERR_CONNECT_TIMEOUT',
  'UND_ERR_SOCKET',
  'UND_ERR_RES_CONTENT_LENGTH_MISMATCH',
  'UND_ERR_PRX_CONN',
]);

const TIMEOUTS: ReadonlySet<string> = new Set([
  'ETIMEDOUT',
  'UND_ERR_CONNECT_TIMEOUT',
  'UND_ERR_HEADERS_TIMEOUT',
  'UND_ERR_BODY_TIMEOUT',
]);

/** Turns an error met before the reply's headers into one that names the host and the cause, and nothing secret. */
export function failedRequest(error: unknown, host: string): ExchangeError {
  const code = networkCode(error);
  const kind = TIMEOUTS.has(code)
    ? 'timed_out'
    : code.startsWith('HPE_')
      ? 'broken_off'
      : 'unreachable';
  return new ExchangeError(kind, `${host} cannot be reached: ${sentence(code)}`, {
    detail: { host, networkCode: code },
    isTransient: TRANSIENT.has(code),
  });
}

/** Turns an error met while a body arrives into one that names the host and the cause, and nothing secret. */
export function failedBody(error: unknown, host: string): ExchangeError {
  if (error instanceof ExchangeError) return error;
  const code = networkCode(error);
  const kind = TIMEOUTS.has(code) ? 'timed_out' : 'broken_off';
  return new ExchangeError(kind, `the reply of ${host} broke off: ${sentence(code)}`, {
    detail: { host, networkCode: code },
    isTransient: TRANSIENT.has(code),
  });
}

function sentence(code: string): string {
  if (code.startsWith('HPE_')) return 'the reply is not HTTP';
  return SENTENCES.get(code) ?? `network error ${code}`;
}

/** The library's or system's code for an error; the message is left alone, since it may quote what was received. */
function networkCode(error: unknown): string {
  const code: unknown = error instanceof Error && 'code' in error ? error.code : undefined;
  return typeof code === 'string' && /^[A-Z][A-Z0-9_]{1,63}$/.test(code) ? code : 'UNKNOWN';
}
