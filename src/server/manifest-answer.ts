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
  /**
   * Small manifests as text of one byte per character: Node sends that in one piece with the headers. Absent where only
   * questions without a body are answered.
   */
  readonly body: string | Uint8Array | undefined;
}

const MAX_TEXT_BYTES = 64 * 1024;

/** Makes the answer of a verified manifest ready to be sent. */
export function prepareManifest(
  facts: ManifestFacts,
  bytes: Uint8Array | undefined,
): PreparedManifest {
  const { digest, mediaType, size, staleSeconds } = facts;
  const etag = `"${digest}"`;
  const common = [...API_VERSION_HEADERS, 'Docker-Content-Digest', digest, 'ETag', etag];
  if (staleSeconds !== undefined) common.push('Warning', staleWarning(staleSeconds));
  return {
    size,
    etag,
    notModified: common,
    headers: [
      'Content-Type',
      mediaType,
      'Content-Length',
      String(size),
      ...common,
      'X-Content-Type-Options',
      'nosniff',
    ],
    body: bytes === undefined || size > MAX_TEXT_BYTES ? bytes : textOf(bytes),
  };
}

/** What the headers of a manifest's answer say. */
interface ManifestFacts extends Pick<ServedManifest, 'digest' | 'mediaType' | 'staleSeconds'> {
  readonly size: number;
}

function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('latin1');
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
