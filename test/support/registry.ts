import { createHash } from 'node:crypto';
import type { Answer } from './http-faults.ts';
import type { Content, Image, ImageIndex } from './images.ts';
import { LoopbackServer, type LoopbackServerOptions, type SeenRequest } from './loopback-server.ts';
import { type AuthOptions, json, refusal, TokenGate } from './token-service.ts';

/** How the embedded registry is to be. */
export interface RegistryOptions extends LoopbackServerOptions {
  /** Default: nobody is asked who they are. */
  readonly auth?: AuthOptions;
  /** Send clients to `blobHost` for blobs, by a redirect with a signature in the query; default false. */
  readonly redirectBlobs?: boolean;
  /** Whether it lists what refers to a manifest, and how many on a page; default: it keeps no lists. */
  readonly referrersPerPage?: number;
}

interface StoredRepository {
  readonly manifests: Map<string, Content>;
  readonly blobs: Map<string, Content>;
  readonly tags: Map<string, string>;
}

const INDEX = 'application/vnd.oci.image.index.v1+json';
const ROUTE = /^\/v2\/(.+)\/(manifests|blobs|tags|referrers)\/([^/]+)$/;

/** An OCI registry on the loopback address, for pulling. @source OCI distribution 1.1 */
export class Registry extends LoopbackServer {
  /** The server that blobs are redirected to; listens only when `redirectBlobs` is set. */
  readonly blobHost: LoopbackServer = new LoopbackServer((request) => this.#redirected(request));
  readonly #repositories = new Map<string, StoredRepository>();
  readonly #gate: TokenGate | undefined;
  readonly #redirectBlobs: boolean;
  readonly #referrersPerPage: number | undefined;
  /** Entries that are listed without regard to what they are. */
  readonly #listed: { readonly subject: string; readonly digest: string }[] = [];

  constructor(options: RegistryOptions = {}) {
    super((request) => this.#respond(request), options);
    this.#gate = options.auth === undefined ? undefined : new TokenGate(options.auth);
    this.#redirectBlobs = options.redirectBlobs ?? false;
    this.#referrersPerPage = options.referrersPerPage;
  }

  override async start(): Promise<this> {
    if (this.#redirectBlobs) await this.blobHost.start();
    await super.start();
    return this;
  }

  override async stop(): Promise<void> {
    await super.stop();
    await this.blobHost.stop();
  }

  /** Makes every token given out so far invalid. */
  revokeTokens(): void {
    this.#gate?.revokeAll();
  }

  /** Stores an image or index with all it refers to and points tags at it. */
  push(repository: string, pushed: Image | ImageIndex, ...tags: readonly string[]): void {
    const stored = this.#repository(repository);
    for (const image of 'images' in pushed ? pushed.images : [pushed]) {
      stored.manifests.set(image.manifest.digest, image.manifest);
      for (const blob of [image.config, ...image.layers]) stored.blobs.set(blob.digest, blob);
    }
    stored.manifests.set(pushed.manifest.digest, pushed.manifest);
    for (const tag of tags) stored.tags.set(tag, pushed.manifest.digest);
  }

  /** Stores anything as a manifest, under its own digest or, as only a broken registry would, under another. */
  putManifest(repository: string, manifest: Content): void {
    this.#repository(repository).manifests.set(manifest.digest, manifest);
  }

  /** Stores anything as a blob, under whatever digest it claims. */
  putBlob(repository: string, blob: Content): void {
    this.#repository(repository).blobs.set(blob.digest, blob);
  }

  /** Lists a digest as referring to another one, whatever it is. */
  listReferrer(subject: string, digest: string): void {
    this.#listed.push({ subject, digest });
  }

  /** Moves a tag, to any digest at all. */
  moveTag(repository: string, tag: string, digest: string): void {
    this.#repository(repository).tags.set(tag, digest);
  }

  /** Forgets a manifest or blob. */
  remove(repository: string, digest: string): void {
    this.#repository(repository).manifests.delete(digest);
    this.#repository(repository).blobs.delete(digest);
  }

  #repository(name: string): StoredRepository {
    const found = this.#repositories.get(name);
    if (found !== undefined) return found;
    const made = { manifests: new Map(), blobs: new Map(), tags: new Map() };
    this.#repositories.set(name, made);
    return made;
  }

  #respond(request: SeenRequest): Answer {
    if (request.path === '/token' && this.#gate !== undefined) return this.#gate.issue(request);
    if (request.path === '/v2/') {
      return this.#gate?.challenge(request, undefined, this.url) ?? json(200, {});
    }
    const [, name = '', kind, reference = ''] = ROUTE.exec(request.path) ?? [];
    if (kind === undefined) return refusal(404, 'NAME_UNKNOWN');
    const challenge = this.#gate?.challenge(request, `repository:${name}:pull`, this.url);
    if (challenge !== undefined) return challenge;
    if (request.method !== 'GET' && request.method !== 'HEAD') return refusal(405, 'UNSUPPORTED');
    const stored = this.#repositories.get(name);
    if (stored === undefined) return refusal(404, 'NAME_UNKNOWN');
    if (kind === 'manifests') return manifestAnswer(stored, reference);
    if (kind === 'referrers') return this.#referrersAnswer(name, reference, request);
    if (kind === 'blobs') return this.#blobAnswer(stored, reference, request);
    return reference === 'list' ? tagsAnswer(name, stored, request) : refusal(404, 'NAME_UNKNOWN');
  }

  #referrersAnswer(name: string, subject: string, request: SeenRequest): Answer {
    if (this.#referrersPerPage === undefined) return { status: 404 };
    const all = this.#listed.filter((each) => each.subject === subject);
    const start = Number(request.query.get('from') ?? 0);
    const end = start + this.#referrersPerPage;
    const mediaType = 'application/vnd.oci.image.manifest.v1+json';
    const manifests = all.slice(start, end).map(({ digest }) => ({ mediaType, digest, size: 1 }));
    const next = `</v2/${name}/referrers/${subject}?from=${end}>; rel="next"`;
    const index = { schemaVersion: 2, mediaType: INDEX, manifests };
    return json(200, index, end < all.length ? { link: next } : {});
  }

  #blobAnswer(stored: StoredRepository, digest: string, request: SeenRequest): Answer {
    const blob = stored.blobs.get(digest);
    if (blob === undefined) return refusal(404, 'BLOB_UNKNOWN');
    if (!this.#redirectBlobs) return contentAnswer(blob, request);
    const signature = createHash('sha256').update(digest).digest('hex').slice(0, 16);
    const location = `${this.blobHost.url}/stored/${digest}?signature=${signature}`;
    return { status: 307, headers: { location } };
  }

  #redirected(request: SeenRequest): Answer {
    const digest = request.path.replace('/stored/', '');
    for (const stored of this.#repositories.values()) {
      const blob = stored.blobs.get(digest);
      if (blob !== undefined) return contentAnswer(blob, request);
    }
    return { status: 404 };
  }
}

function manifestAnswer(stored: StoredRepository, reference: string): Answer {
  const digest = reference.includes(':') ? reference : stored.tags.get(reference);
  const manifest = digest === undefined ? undefined : stored.manifests.get(digest);
  if (manifest === undefined) return refusal(404, 'MANIFEST_UNKNOWN');
  return {
    status: 200,
    headers: {
      'content-type': manifest.mediaType,
      'docker-content-digest': manifest.digest,
      'docker-distribution-api-version': 'registry/2.0',
      etag: `"${manifest.digest}"`,
    },
    body: manifest.bytes,
  };
}

function contentAnswer(blob: Content, request: SeenRequest): Answer {
  const headers = {
    'content-type': 'application/octet-stream',
    'docker-content-digest': blob.digest,
    'accept-ranges': 'bytes',
  };
  const range = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '');
  if (range === null) return { status: 200, headers, body: blob.bytes };
  const size = blob.bytes.length;
  const start = Number(range[1]);
  const end = range[2] === '' ? size : Math.min(Number(range[2]) + 1, size);
  if (start >= end) return { status: 416, headers: { 'content-range': `bytes */${size}` } };
  const contentRange = `bytes ${start}-${end - 1}/${size}`;
  return {
    status: 206,
    headers: { ...headers, 'content-range': contentRange },
    body: blob.bytes.subarray(start, end),
  };
}

function tagsAnswer(name: string, stored: StoredRepository, request: SeenRequest): Answer {
  const last = request.query.get('last') ?? '';
  const count = request.query.get('n');
  const following = [...stored.tags.keys()].sort().filter((tag) => tag > last);
  if (count === null || following.length <= Number(count)) {
    return json(200, { name, tags: following });
  }
  const page = following.slice(0, Number(count));
  const next = `/v2/${name}/tags/list?n=${count}&last=${encodeURIComponent(page.at(-1) ?? '')}`;
  return json(200, { name, tags: page }, { link: `<${next}>; rel="next"` });
}
