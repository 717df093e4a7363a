import { createHash, randomBytes } from 'node:crypto';
import { rmSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Content, Image } from '../support/images.ts';
import { buildImage } from '../support/images.ts';
import type { NotaryServer } from '../support/notary-server.ts';
import type { Registry } from '../support/registry.ts';
import { type Publisher, REGISTRY_HOST, Surroundings } from '../support/running-pinnace.ts';

type PublisherOptions = Parameters<Surroundings['publisher']>[1];

/** The upstream registry's name in images. */
export const BENCH_REGISTRY = REGISTRY_HOST;

const inUse = new Set<string>();

/** The upstream of all contenders: a registry and a Notary server within this process, and a scratch folder. */
export class Site implements AsyncDisposable {
  readonly #surroundings: Surroundings;
  #folders = 0;

  private constructor(surroundings: Surroundings) {
    this.#surroundings = surroundings;
  }

  static async start(): Promise<Site> {
    const surroundings = await Surroundings.start();
    inUse.add(surroundings.folder);
    return new Site(surroundings);
  }

  /** Removes the folders of all sites; for the moment the process itself goes away. */
  static removeAllNow(): void {
    for (const folder of inUse) rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  }

  get registry(): Registry {
    return this.#surroundings.registry;
  }

  get notary(): NotaryServer {
    return this.#surroundings.notary;
  }

  /** A publisher of one repository, who begins now. */
  publisher(path: string, options: PublisherOptions = {}): Publisher {
    return this.#surroundings.publisher(path, { now: new Date(), ...options });
  }

  /** Makes a folder of its own. */
  async folder(name: string): Promise<string> {
    this.#folders += 1;
    const folder = join(this.#surroundings.folder, `${this.#folders}-${name}`);
    await mkdir(folder);
    return folder;
  }

  /** Forgets what was asked of the upstream so far. */
  forgetRequests(): void {
    this.registry.requests.length = 0;
    this.notary.requests.length = 0;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#surroundings[Symbol.asyncDispose]();
    inUse.delete(this.#surroundings.folder);
  }
}

/** An image whose only layer has exactly so many bytes that do not compress. */
export function imageOf(name: string, layerBytes: number): Image {
  const small = buildImage({ message: name });
  const layer = blobOf(layerBytes);
  const body = {
    schemaVersion: 2,
    mediaType: small.manifest.mediaType,
    config: {
      mediaType: small.config.mediaType,
      digest: small.config.digest,
      size: small.config.bytes.length,
    },
    layers: [{ mediaType: layer.mediaType, digest: layer.digest, size: layer.bytes.length }],
  };
  const bytes = Buffer.from(JSON.stringify(body));
  const manifest = { bytes, mediaType: small.manifest.mediaType, digest: digestOf(bytes) };
  return { ...small, manifest, layers: [layer] };
}

/** `sha256:…` of some bytes. */
export function digestOf(bytes: Uint8Array): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

function blobOf(length: number): Content {
  const bytes = randomBytes(length);
  return { bytes, digest: digestOf(bytes), mediaType: 'application/vnd.oci.image.layer.v1.tar' };
}
