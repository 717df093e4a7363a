import { ifNoneMatchHits } from '../oci/conditional.ts';
import type { Digest } from '../oci/digest.ts';
import type { ServedManifest } from '../resolve/pull-service.ts';
import type { Exchange } from './exchange.ts';
import { API_VERSION_HEADERS } from './oci-answer.ts';
import type { ExchangeContext } from './registry-context.ts';
import { staleWarning } from './warning.ts';

/** A manifest's answer, made once and sent often. */
export interface PreparedManifest {
  readonly size: number;
  readonly etag: string;
  /** Alternately names and values. */
  readonly headers: string[];
  readonly notModified: string[];
  /** Small manifests as text of one byte per character: Node sends that in one piece with the headers. */
  readonly body: string | Uint8Array;
}

const MAX_TEXT_BYTES = 64 * 1024;

/** Makes the answer of a verified manifest ready to be sent. */
export function prepareManifest(
  facts: Pick<ServedManifest, 'digest' | 'mediaType' | 'staleSeconds'>,
  bytes: Uint8Array,
): PreparedManifest {
  const { digest, mediaType, staleSeconds } = facts;
  const etag = `"${digest}"`;
  const common = [...API_VERSION_HEADERS, 'Docker-Content-Digest', digest, 'ETag', etag];
  if (staleSeconds !== undefined) common.push('Warning', staleWarning(staleSeconds));
  return {
    size: bytes.length,
    etag,
    notModified: common,
    headers: [
      'Content-Type',
      mediaType,
      'Content-Length',
      String(bytes.length),
      ...common,
      'X-Content-Type-Options',
      'nosniff',
    ],
    body: bytes.length <= MAX_TEXT_BYTES ? Buffer.from(bytes).toString('latin1') : bytes,
  };
}

/** Sends a prepared manifest, or says that the client has it already, and ends the exchange. */
export function sendManifest(
  exchange: Exchange<ExchangeContext, { readonly name: string }>,
  prepared: PreparedManifest,
  { digest, rule, staleSeconds }: SentManifest,
): void {
  const { response, request } = exchange;
  const condition = request.headers['if-none-match'];
  const isUnchanged = condition !== undefined && ifNoneMatchHits(condition, prepared.etag);
  let bytes = 0;
  if (isUnchanged) {
    response.writeHead(304, prepared.notModified);
    response.end();
  } else {
    response.writeHead(200, prepared.headers);
    if (exchange.isHead) response.end();
    else if (typeof prepared.body === 'string') response.end(prepared.body, 'latin1');
    else response.end(prepared.body);
    bytes = exchange.isHead ? 0 : prepared.size;
  }
  exchange.end({ verdict: 'pinned', digest, bytes, rule, staleSeconds });
}

interface SentManifest {
  readonly digest: Digest;
  readonly rule?: string;
  readonly staleSeconds?: number;
}
