import { createHash, randomBytes } from 'node:crypto';
import { copyFile, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { binary } from './components.ts';
import type { Place } from './place.ts';
import { runOk } from './process.ts';
import type { Registry } from './registry.ts';
import { makeFolder, type Scratch } from './scratch.ts';

const OCI = {
  manifest: 'application/vnd.oci.image.manifest.v1+json',
  index: 'application/vnd.oci.image.index.v1+json',
  config: 'application/vnd.oci.image.config.v1+json',
  layer: 'application/vnd.oci.image.layer.v1.tar+gzip',
} as const;

/** What an image is made of; one architecture makes an image, several make an image index. */
export interface ImageSpec {
  /** Text of the file `/marker`, which the image prints when run; random unless told, so that every image is new. */
  readonly marker?: string;
  readonly architectures?: readonly string[];
}

/** An image on disk in skopeo's `dir:` form, and the digests a test wants to talk about. */
export interface Image {
  readonly folder: string;
  readonly marker: string;
  /** Digest of the manifest, or of the index. */
  readonly digest: string;
  /** Length of the manifest or index, in bytes. */
  readonly size: number;
  /** By architecture. */
  readonly parts: ReadonlyMap<string, Part>;
}

/** One platform's manifest and its blobs, by digest. */
export interface Part {
  readonly manifest: string;
  readonly config: string;
  readonly layer: string;
}

interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
}

/** Makes an image that holds a static busybox and a marker file and prints the marker when it is run. */
export async function makeImage(scratch: Scratch, spec: ImageSpec = {}): Promise<Image> {
  const id = randomBytes(8).toString('hex');
  const folder = await makeFolder(scratch.path, 'images', id);
  const marker = spec.marker ?? `marker-${id}`;
  const writer = new ImageWriter(folder, marker);
  await writeFile(join(folder, 'version'), 'Directory Transport Version: 1.1\n');
  const architectures = spec.architectures ?? ['amd64'];
  const parts = new Map<string, Part>();
  const entries: object[] = [];
  let top: Descriptor | undefined;
  for (const architecture of architectures) {
    const made = await writer.part(architecture);
    parts.set(architecture, made.part);
    entries.push({ ...made.descriptor, platform: { architecture, os: 'linux' } });
    top = made.descriptor;
  }
  if (entries.length > 1) {
    top = await writer.json('index', { mediaType: OCI.index, manifests: entries });
  }
  if (top === undefined) throw new Error('an image needs an architecture');
  await copyFile(join(folder, top.digest.slice(7)), join(folder, 'manifest.json'));
  return { folder, marker, digest: top.digest, size: top.size, parts };
}

/** One platform's part of an image. @throws {Error} when the image has none for it */
export function partOf(image: Image, architecture = 'amd64'): Part {
  const part = image.parts.get(architecture);
  if (part === undefined) throw new Error(`the image has no part for ${architecture}`);
  return part;
}

/** Uploads an image with all its parts, byte for byte, under `repository:tag`. */
export async function publish(image: Image, registry: Registry, name: string): Promise<void> {
  await copyImage(registry.place, `dir:${image.folder}`, `docker://${registry.host}/${name}`);
}

async function copyImage(place: Place, from: string, to: string): Promise<void> {
  await place.runOk([
    binary('skopeo'),
    ...['--insecure-policy', 'copy', '-q', '--all', '--dest-tls-verify=false', from, to],
  ]);
}

class ImageWriter {
  readonly #folder: string;
  readonly #marker: string;

  constructor(folder: string, marker: string) {
    this.#folder = folder;
    this.#marker = marker;
  }

  /** One platform's layer, config and manifest. */
  async part(architecture: string): Promise<{ part: Part; descriptor: Descriptor }> {
    const tar = await this.#tar(architecture);
    const layer = await this.#blob(OCI.layer, gzipSync(tar));
    const config = await this.#blob(
      OCI.config,
      Buffer.from(
        JSON.stringify({
          architecture,
          os: 'linux',
          config: { Cmd: ['/bin/busybox', 'cat', '/marker'] },
          rootfs: { type: 'layers', diff_ids: [sha256(tar)] },
          history: [{ created_by: this.#marker }],
        }),
      ),
    );
    const descriptor = await this.json('manifest', {
      mediaType: OCI.manifest,
      config,
      layers: [layer],
    });
    const part = { manifest: descriptor.digest, config: config.digest, layer: layer.digest };
    return { part, descriptor };
  }

  /** A manifest or index, stored both as a blob and as an instance. */
  async json(kind: 'manifest' | 'index', content: object): Promise<Descriptor> {
    const bytes = Buffer.from(JSON.stringify({ schemaVersion: 2, ...content }));
    const descriptor = await this.#blob(OCI[kind], bytes);
    await writeFile(join(this.#folder, `${descriptor.digest.slice(7)}.manifest.json`), bytes);
    return descriptor;
  }

  async #tar(architecture: string): Promise<Buffer> {
    const root = join(this.#folder, `root-${architecture}`);
    await mkdir(join(root, 'bin'), { recursive: true });
    await copyFile(binary('busybox'), join(root, 'bin/busybox'));
    await writeFile(join(root, 'marker'), `${this.#marker} ${architecture}\n`);
    const file = `${root}.tar`;
    await runOk(['tar', '-C', root, '-cf', file, '.']);
    return await readFile(file);
  }

  async #blob(mediaType: string, bytes: Buffer): Promise<Descriptor> {
    const digest = sha256(bytes);
    await writeFile(join(this.#folder, digest.slice(7)), bytes);
    return { mediaType, digest, size: bytes.length };
  }
}

function sha256(bytes: Buffer): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}
