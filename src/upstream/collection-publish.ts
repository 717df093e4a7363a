import { membersOf, parseJson } from '../base/json-members.ts';
import { type Digest, parseDigest, sha256Digest } from '../oci/digest.ts';
import { OciError } from '../oci/errors.ts';
import { type Repository, repositoryName } from '../oci/names.ts';
import { SigningError } from '../signing/errors.ts';
import type { PublishTarget } from '../signing/publish.ts';
import { ExchangeError } from './errors.ts';
import type { HttpReply } from './http-reply.ts';
import type { PushClient, PushRequest } from './push-client.ts';

const MAX_FILE_BYTES = 32 * 1024 * 1024;
const MAX_MANIFEST_BYTES = 4 * 1024 * 1024;
const MANIFEST_TYPE = 'application/vnd.oci.image.manifest.v1+json';
const ARTIFACT_TYPE = 'application/vnd.pinnace.tuf.repository.v1';
const EMPTY_TYPE = 'application/vnd.oci.empty.v1+json';
const EMPTY = Buffer.from('{}');
const TITLE = 'org.opencontainers.image.title';

/** Files below one URL, written with PUT. */
export class HttpPublishTarget implements PublishTarget {
  readonly name: string;
  readonly #client: PushClient;

  constructor(client: PushClient) {
    this.#client = client;
    this.name = `${client.base.origin}${client.base.pathname}`;
  }

  /** @throws {SigningError} `publish_failed` */
  async read(file: string): Promise<Uint8Array | undefined> {
    const reply = await send(this.#client, { ...this.#at(file), method: 'GET' });
    return await readOptional(reply, MAX_FILE_BYTES);
  }

  /** @throws {SigningError} `publish_failed` */
  async write(file: string, bytes: Uint8Array): Promise<void> {
    const headers = { 'content-type': 'application/json' };
    const reply = await send(this.#client, {
      ...this.#at(file),
      method: 'PUT',
      headers,
      body: bytes,
    });
    requireStatus(reply, [200, 201, 204]);
    reply.discard();
  }

  #at(file: string): { readonly url: URL; readonly scope: string } {
    const { base } = this.#client;
    return { url: new URL(`${base.href.replace(/\/$/, '')}/${file}`), scope: 'publish' };
  }
}

/**
 * An OCI artifact under one tag: a layer per metadata file, titled with its name. The files become visible all at once, when
 * the tag is moved.
 *
 * @source OCI distribution 1.1 (#pushing-blobs, #pushing-manifests); OCI image 1.1 (manifest.md#guidelines-for-artifact-usage)
 */
export class OciPublishTarget implements PublishTarget {
  readonly name: string;
  readonly #client: PushClient;
  readonly #repository: Repository;
  readonly #tag: string;
  #published: ReadonlyMap<string, Digest> | undefined;

  constructor(client: PushClient, repository: Repository, tag: string) {
    this.#client = client;
    this.#repository = repository;
    this.#tag = tag;
    this.name = `${repositoryName(repository)}:${tag}`;
  }

  /** @throws {SigningError} `publish_failed` */
  async read(file: string): Promise<Uint8Array | undefined> {
    this.#published ??= await this.#layers();
    const digest = this.#published.get(file);
    if (digest === undefined) return undefined;
    const reply = await this.#send({ method: 'GET', url: this.#url(`blobs/${digest}`) });
    const bytes = await readOptional(reply, MAX_FILE_BYTES);
    return bytes !== undefined && sha256Digest(bytes) === digest ? bytes : undefined;
  }

  /** @throws {SigningError} `publish_failed` */
  async write(_file: string, bytes: Uint8Array): Promise<void> {
    await this.#pushBlob(bytes);
  }

  /** @throws {SigningError} `publish_failed` */
  async finish(files: ReadonlyMap<string, Uint8Array>): Promise<void> {
    await this.#pushBlob(EMPTY);
    const layers = [...files].map(([file, bytes]) => ({
      ...descriptor('application/json', bytes),
      annotations: { [TITLE]: file },
    }));
    const manifest = {
      schemaVersion: 2,
      mediaType: MANIFEST_TYPE,
      artifactType: ARTIFACT_TYPE,
      config: descriptor(EMPTY_TYPE, EMPTY),
      layers,
    };
    const reply = await this.#send({
      method: 'PUT',
      url: this.#url(`manifests/${this.#tag}`),
      headers: { 'content-type': MANIFEST_TYPE },
      body: Buffer.from(JSON.stringify(manifest)),
    });
    requireStatus(reply, [200, 201]);
    reply.discard();
    this.#published = undefined;
  }

  async #layers(): Promise<ReadonlyMap<string, Digest>> {
    const reply = await this.#send({
      method: 'GET',
      url: this.#url(`manifests/${this.#tag}`),
      headers: { accept: MANIFEST_TYPE },
    });
    const bytes = await readOptional(reply, MAX_MANIFEST_BYTES);
    return bytes === undefined ? new Map() : layersOf(bytes, this.name);
  }

  async #pushBlob(bytes: Uint8Array): Promise<void> {
    const digest = sha256Digest(bytes);
    const head = await this.#send({ method: 'HEAD', url: this.#url(`blobs/${digest}`) });
    head.discard();
    if (head.status === 200) return;
    const begun = await this.#send({ method: 'POST', url: this.#url('blobs/uploads/') });
    requireStatus(begun, [202]);
    const location = new URL(begun.header('location') ?? '', this.#client.base);
    begun.discard();
    location.searchParams.set('digest', digest);
    const headers = { 'content-type': 'application/octet-stream' };
    const reply = await this.#send({ method: 'PUT', url: location, headers, body: bytes });
    requireStatus(reply, [201]);
    reply.discard();
  }

  async #send(request: Omit<PushRequest, 'scope'>): Promise<HttpReply> {
    const scope = `repository:${this.#repository.path}:pull,push`;
    return await send(this.#client, { ...request, scope });
  }

  #url(rest: string): URL {
    const base = this.#client.base.href.replace(/\/$/, '');
    return new URL(`${base}/v2/${this.#repository.path}/${rest}`);
  }
}

async function send(client: PushClient, request: PushRequest): Promise<HttpReply> {
  try {
    return await client.send(request);
  } catch (error) {
    throw asFailure(error);
  }
}

async function readOptional(reply: HttpReply, maxBytes: number): Promise<Uint8Array | undefined> {
  if (reply.status === 404) {
    reply.discard();
    return undefined;
  }
  requireStatus(reply, [200]);
  try {
    return await reply.read(maxBytes);
  } catch (error) {
    throw asFailure(error);
  }
}

function requireStatus(reply: HttpReply, wanted: readonly number[]): void {
  if (wanted.includes(reply.status)) return;
  reply.discard();
  const { host, status } = reply;
  const why =
    status === 401 || status === 403 ? 'does not let us' : `answered with status ${status}`;
  throw new SigningError('publish_failed', `publishing failed: ${host} ${why}`, {
    detail: { host, status },
  });
}

function asFailure(error: unknown): unknown {
  if (!(error instanceof ExchangeError)) return error;
  const message = `publishing failed: ${error.message}`;
  return new SigningError('publish_failed', message, { detail: error.detail, cause: error });
}

function descriptor(
  mediaType: string,
  bytes: Uint8Array,
): { readonly mediaType: string; readonly digest: Digest; readonly size: number } {
  return { mediaType, digest: sha256Digest(bytes), size: bytes.length };
}

/** The titled layers of an artifact that is there; anything else under the tag must not be overwritten. */
function layersOf(bytes: Uint8Array, name: string): ReadonlyMap<string, Digest> {
  const manifest = membersOf(parseJson(Buffer.from(bytes).toString('utf8')));
  if (manifest.get('artifactType') !== ARTIFACT_TYPE) {
    throw new SigningError(
      'published_differs',
      `${name} is something else than a collection; nothing was published`,
    );
  }
  const layers: unknown = manifest.get('layers');
  const found = new Map<string, Digest>();
  for (const layer of Array.isArray(layers) ? layers : []) {
    const members = membersOf(layer);
    const title = membersOf(members.get('annotations')).get(TITLE);
    const digest = members.get('digest');
    if (typeof title !== 'string' || typeof digest !== 'string') continue;
    try {
      found.set(title, parseDigest(digest));
    } catch (error) {
      // A layer that cannot be read back is written anew.
      if (!(error instanceof OciError)) throw error;
    }
  }
  return found;
}
