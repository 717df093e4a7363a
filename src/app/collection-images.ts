import type { Clock } from '../base/clock.ts';
import { membersOf } from '../base/json-members.ts';
import type { Config } from '../config/config.ts';
import { type Digest, hasDigest, parseDigest, sha256Digest } from '../oci/digest.ts';
import { OciError } from '../oci/errors.ts';
import type { ImageReference } from '../oci/image-reference.ts';
import { MAX_MANIFEST_BYTES, type Manifest, parseManifest } from '../oci/manifest.ts';
import { parseRegistryHost, type RegistryHost, type Repository } from '../oci/names.ts';
import type { FetchedManifest } from '../resolve/ports.ts';
import { SigningError } from '../signing/errors.ts';
import type { ProxyOptions } from '../upstream/http-dispatcher.ts';
import { RegistryClient } from '../upstream/registry-client.ts';
import type { UpstreamOptions } from '../upstream/upstream-chain.ts';
import { optionsOf } from './upstream-options.ts';

/** What an upstream says of an image; the digest is computed, the rest is covered by it. */
export interface ImageFacts {
  readonly digest: Digest;
  /** Bytes of the manifest. */
  readonly length: number;
  /** As `os/architecture/variant`; empty when the image does not say. */
  readonly platforms: readonly string[];
  /** What one platform's layers take as they are transferred, in bytes. */
  readonly layerBytes: number | undefined;
  /** When the publisher says that it was built, RFC 3339. */
  readonly createdAt: string | undefined;
}

/** What asking registries for images needs. */
export interface ImageSourceOptions {
  readonly version: string;
  readonly clock: Clock;
  /** Upstreams with their credentials; without it registries are asked anonymously under their own names. */
  readonly config?: Config;
  /** HTTP proxies on the way to registries that are not configured. */
  readonly proxy?: ProxyOptions;
  /** The registries that are going to be asked. */
  readonly registries: Iterable<RegistryHost>;
}

const MAX_CONFIG_BYTES = 4 * 1024 * 1024;
const HUB_URL = 'https://registry-1.docker.io';
const LOOPBACK = /^(?:localhost|127(?:\.[0-9]{1,3}){3}|\[::1\])(?::[0-9]+)?$/;
const PREFERRED = ['linux/amd64', 'linux/arm64'];

/** Asks upstreams what images are. */
export class ImageSource {
  readonly #client: RegistryClient;

  constructor({ version, clock, config, proxy, registries }: ImageSourceOptions) {
    const upstreams = new Map<RegistryHost, UpstreamOptions>();
    for (const registry of registries) {
      const url = urlOf(registry);
      upstreams.set(registry, proxy === undefined ? { url } : { url, proxy });
    }
    for (const [host, upstream] of config?.upstreams ?? []) {
      upstreams.set(parseRegistryHost(host), optionsOf(upstream, clock));
    }
    this.#client = new RegistryClient(upstreams, { version, clock });
  }

  /**
   * Asks once what an image is. A tag's meaning is the registry's word alone: it is for a person to look at.
   *
   * @throws {UpstreamError}
   * @throws {SigningError} `image_unusable`
   */
  async inspect({ repository, tag, digest }: ImageReference): Promise<ImageFacts> {
    const fetched =
      digest === undefined && tag !== undefined
        ? await this.#client.fetchByTagUnverified(repository, tag, { maxBytes: MAX_MANIFEST_BYTES })
        : await this.#byDigest(repository, digest ?? unusable('it has neither tag nor digest'));
    const facts = { digest: sha256Digest(fetched.bytes), length: fetched.bytes.length };
    const manifest = parse(fetched);
    if (manifest.kind === 'manifest') {
      return { ...facts, ...(await this.#imageFacts(repository, manifest)) };
    }
    const children = childrenOf(fetched.bytes);
    const platforms = children.flatMap(({ platform }) => platform ?? []);
    const chosen =
      children.find(({ platform }) => platform !== undefined && PREFERRED.includes(platform)) ??
      children.find(({ platform }) => platform !== undefined);
    if (chosen === undefined) {
      return { ...facts, platforms, layerBytes: undefined, createdAt: undefined };
    }
    const child = parse(await this.#byDigest(repository, chosen.digest));
    const { layerBytes, createdAt } = await this.#imageFacts(repository, child);
    return { ...facts, platforms, layerBytes, createdAt };
  }

  async close(): Promise<void> {
    await this.#client.close();
  }

  async #byDigest(repository: Repository, digest: Digest): Promise<FetchedManifest> {
    const options = { maxBytes: MAX_MANIFEST_BYTES };
    const fetched = await this.#client.fetchManifest(repository, digest, options);
    return hasDigest(fetched.bytes, digest)
      ? fetched
      : unusable(`the registry sent something else for ${digest}`);
  }

  async #imageFacts(
    repository: Repository,
    manifest: Manifest,
  ): Promise<Pick<ImageFacts, 'platforms' | 'layerBytes' | 'createdAt'>> {
    const [config, ...layers] = manifest.parts;
    const layerBytes = layers.reduce((sum, { size }) => sum + size, 0);
    if (manifest.kind !== 'manifest' || config === undefined || config.size > MAX_CONFIG_BYTES) {
      return { platforms: [], layerBytes, createdAt: undefined };
    }
    const members = parseJson(await this.#blob(repository, config.digest));
    const created = members.get('created');
    const platform = platformOf(members);
    return {
      platforms: platform === undefined ? [] : [platform],
      layerBytes,
      createdAt: typeof created === 'string' ? created.slice(0, 40) : undefined,
    };
  }

  async #blob(repository: Repository, digest: Digest): Promise<Uint8Array> {
    const { body } = await this.#client.fetchBlob(repository, digest);
    const chunks: Uint8Array[] = [];
    let total = 0;
    for await (const chunk of body) {
      total += chunk.length;
      if (total > MAX_CONFIG_BYTES) unusable('its configuration is too large');
      chunks.push(chunk);
    }
    const bytes = Buffer.concat(chunks);
    return hasDigest(bytes, digest)
      ? bytes
      : unusable(`the registry sent something else for ${digest}`);
  }
}

/** The URL of a registry that nobody configured: as engines do, Docker Hub elsewhere and this machine without TLS. */
export function urlOf(registry: string): string {
  if (registry === 'docker.io') return HUB_URL;
  return `${LOOPBACK.test(registry) ? 'http' : 'https'}://${registry}`;
}

function parse({ bytes, mediaType }: FetchedManifest): Manifest {
  try {
    return parseManifest(bytes, mediaType);
  } catch (error) {
    if (!(error instanceof OciError)) throw error;
    throw new SigningError('image_unusable', `it cannot be approved: ${error.message}`, {
      cause: error,
    });
  }
}

/** The images of an index that `parseManifest` has accepted; attestations are none. */
function childrenOf(
  bytes: Uint8Array,
): readonly { readonly digest: Digest; readonly platform: string | undefined }[] {
  const manifests = parseJson(bytes).get('manifests');
  return (Array.isArray(manifests) ? manifests : []).map((child) => {
    const members = membersOf(child);
    const digest = parseDigest(String(members.get('digest')));
    return { digest, platform: platformOf(membersOf(members.get('platform'))) };
  });
}

function platformOf(members: ReadonlyMap<string, unknown>): string | undefined {
  const parts = ['os', 'architecture', 'variant'].map((name) => members.get(name));
  const words = parts.filter(
    (part) => typeof part === 'string' && /^[a-z0-9._-]{1,64}$/i.test(part),
  );
  if (words.length < 2 || words.includes('unknown')) return undefined;
  return words.join('/');
}

function parseJson(bytes: Uint8Array): ReadonlyMap<string, unknown> {
  try {
    return membersOf(JSON.parse(Buffer.from(bytes).toString('utf8')));
  } catch (error) {
    if (error instanceof SyntaxError) return unusable('its configuration is not JSON');
    throw error;
  }
}

function unusable(what: string): never {
  throw new SigningError('image_unusable', `the image cannot be approved: ${what}`);
}
