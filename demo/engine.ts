import { createHash } from 'node:crypto';

/** How a pull ended, as the engine sees it. */
export interface PullResult {
  /** `pinned`: everything arrived and has its digest; the other two as Pinnace's answer says. */
  readonly verdict: 'pinned' | 'refused' | 'inconclusive';
  /** Pinnace's reason code; undefined when served. */
  readonly reason?: string;
  /** What an engine would show. */
  readonly sentence: string;
  /** Digest of the manifest, if one was served. */
  readonly digest?: string;
  /** What was asked for last: where a refusal happened. */
  readonly part: 'tag' | 'manifest' | 'config' | 'layer';
}

interface Reference {
  readonly digest: string;
  readonly size: number;
}

const MAX_BYTES = 16 * 1024 * 1024;
const ACCEPT = [
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.docker.distribution.manifest.v2+json',
].join(', ');

class Refused extends Error {
  readonly result: PullResult;

  constructor(result: PullResult) {
    super(result.sentence);
    this.result = result;
  }
}

/**
 * Pulls an image as container engines do: HEAD for the tag, then manifest, config and layers by digest, every digest
 * checked. A refusal is a result, not an exception.
 *
 * @param base - URL of the registry without a trailing slash
 */
export async function pull(base: string, repository: string, tag: string): Promise<PullResult> {
  const url = `${base}/v2/${repository}`;
  try {
    const digest = await resolveTag(`${url}/manifests/${tag}`);
    const manifest = await readContent(`${url}/manifests/${digest}`, digest, 'manifest');
    const { config, layers } = parseManifest(manifest);
    const configBytes = await readContent(`${url}/blobs/${config.digest}`, config.digest, 'config');
    let total = configBytes.length;
    for (const layer of layers) {
      const blob = await readContent(`${url}/blobs/${layer.digest}`, layer.digest, 'layer');
      total += blob.length;
    }
    const sentence = `Digest: ${digest.slice(0, 19)}…, ${layers.length + 1} blobs, ${total} bytes`;
    return { verdict: 'pinned', sentence, digest, part: 'layer' };
  } catch (error) {
    if (error instanceof Refused) return error.result;
    throw error;
  }
}

async function resolveTag(url: string): Promise<string> {
  const head = await request(url, 'HEAD');
  // An answer to HEAD has no room for words: engines then ask again to have something to show.
  if (!head.ok) throw await refusedBy(await request(url, 'GET'), 'tag');
  const digest = head.headers.get('docker-content-digest');
  if (digest === null || !/^sha256:[0-9a-f]{64}$/.test(digest)) {
    throw brokenAnswer('tag', 'the answer names no digest');
  }
  return digest;
}

async function readContent(url: string, digest: string, part: PullResult['part']): Promise<Buffer> {
  const response = await request(url, 'GET');
  if (!response.ok) throw await refusedBy(response, part);
  const bytes = await readBody(response).catch((error: unknown) => {
    throw brokenAnswer(part, `the connection was cut (${String(error)})`);
  });
  const actual = `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
  if (actual !== digest) throw brokenAnswer(part, `verification failed: got ${actual}`);
  return bytes;
}

async function request(url: string, method: 'GET' | 'HEAD'): Promise<Response> {
  const signal = AbortSignal.timeout(30_000);
  return await fetch(url, { method, headers: { accept: `${ACCEPT}, */*` }, signal });
}

async function readBody(response: Response): Promise<Buffer> {
  const parts: Buffer[] = [];
  let length = 0;
  for await (const part of response.body ?? []) {
    parts.push(Buffer.from(part));
    length += part.length;
    if (length > MAX_BYTES) throw new Error(`more than ${MAX_BYTES} bytes`);
  }
  return Buffer.concat(parts);
}

/** Reads a refusal. Engines print the error code in lower case and the message, and drop the rest. */
async function refusedBy(response: Response, part: PullResult['part']): Promise<Refused> {
  const text = (await readBody(response)).toString('utf8');
  const { code, message, reason } = parseError(text);
  return new Refused({
    verdict: response.status === 503 ? 'inconclusive' : 'refused',
    reason: reason ?? response.headers.get('x-pinnace-reason') ?? 'none given',
    sentence: `${code.toLowerCase()}: ${message}`,
    part,
  });
}

function brokenAnswer(part: PullResult['part'], sentence: string): Refused {
  return new Refused({ verdict: 'refused', reason: 'none given', sentence, part });
}

function parseError(text: string): {
  readonly code: string;
  readonly message: string;
  readonly reason: string | undefined;
} {
  const document = parseObject(text);
  const errors = document?.get('errors');
  const first = asObject(Array.isArray(errors) ? errors[0] : undefined);
  return {
    code: asText(first?.get('code')) ?? 'unknown',
    message: asText(first?.get('message')) ?? text.slice(0, 200),
    reason: asText(asObject(first?.get('detail'))?.get('code')),
  };
}

function parseManifest(bytes: Buffer): {
  readonly config: Reference;
  readonly layers: readonly Reference[];
} {
  const document = parseObject(bytes.toString('utf8'));
  const layers = document?.get('layers');
  const all = [document?.get('config'), ...(Array.isArray(layers) ? layers : [])].map(
    parseReference,
  );
  const [config, ...rest] = all;
  if (config === undefined) throw brokenAnswer('manifest', 'the manifest has no config');
  return { config, layers: rest };
}

function parseReference(value: unknown): Reference {
  const object = asObject(value);
  const digest = asText(object?.get('digest'));
  const size = object?.get('size');
  if (digest === undefined || typeof size !== 'number') {
    throw brokenAnswer('manifest', 'the manifest refers to something without a digest');
  }
  return { digest, size };
}

function parseObject(text: string): ReadonlyMap<string, unknown> | undefined {
  try {
    return asObject(JSON.parse(text));
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

function asObject(value: unknown): ReadonlyMap<string, unknown> | undefined {
  const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
  return isObject ? new Map(Object.entries(value)) : undefined;
}

function asText(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}
