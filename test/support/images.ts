import { createHash } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { type Architecture, helloProgram, machineArchitecture } from './hello-program.ts';
import { type TarFile, writeTar } from './tar.ts';

/** Bytes with their digest and media type. */
export interface Content {
  readonly digest: string;
  readonly mediaType: string;
  readonly bytes: Buffer;
}

/** An image: its manifest and all that the manifest refers to. */
export interface Image {
  readonly manifest: Content;
  readonly config: Content;
  readonly layers: readonly Content[];
  readonly architecture: Architecture;
}

/** An index and its images. */
export interface ImageIndex {
  readonly manifest: Content;
  readonly images: readonly Image[];
}

/** What an image is to be like. */
export interface ImageOptions {
  /** What the image prints when run; it also makes its digests its own. Default `hello`. */
  readonly message?: string;
  /** Default `oci`. */
  readonly format?: 'oci' | 'docker';
  /** Default: this machine's. */
  readonly architecture?: Architecture;
  /** Default `gzip`. */
  readonly compression?: 'gzip' | 'none';
  /** Adds a second layer of about so many bytes that do not compress. */
  readonly bigLayerBytes?: number;
}

const MEDIA_TYPES = {
  oci: {
    index: 'application/vnd.oci.image.index.v1+json',
    manifest: 'application/vnd.oci.image.manifest.v1+json',
    config: 'application/vnd.oci.image.config.v1+json',
    gzip: 'application/vnd.oci.image.layer.v1.tar+gzip',
    none: 'application/vnd.oci.image.layer.v1.tar',
  },
  docker: {
    index: 'application/vnd.docker.distribution.manifest.list.v2+json',
    manifest: 'application/vnd.docker.distribution.manifest.v2+json',
    config: 'application/vnd.docker.container.image.v1+json',
    gzip: 'application/vnd.docker.image.rootfs.diff.tar.gzip',
    none: 'application/vnd.docker.image.rootfs.diff.tar',
  },
} as const;

/** Builds an image that a real engine can pull, unpack and run. */
export function buildImage(options: ImageOptions = {}): Image {
  const { message = 'hello', format = 'oci', compression = 'gzip' } = options;
  const architecture = options.architecture ?? machineArchitecture();
  const mediaTypes = MEDIA_TYPES[format];
  const archives = layerArchives(message, architecture, options.bigLayerBytes ?? 0);
  const layers = archives.map((archive) =>
    content(compression === 'gzip' ? gzipSync(archive) : archive, mediaTypes[compression]),
  );
  const config = jsonContent(mediaTypes.config, {
    architecture,
    os: 'linux',
    created: '2026-11-01T00:00:00Z',
    config: { Cmd: ['/hello'], WorkingDir: '/' },
    rootfs: { type: 'layers', diff_ids: archives.map(digestOf) },
    history: archives.map(() => ({ created: '2026-11-01T00:00:00Z', created_by: 'pinnace' })),
  });
  const manifest = jsonContent(mediaTypes.manifest, {
    schemaVersion: 2,
    mediaType: mediaTypes.manifest,
    config: descriptor(config),
    layers: layers.map(descriptor),
  });
  return { manifest, config, layers, architecture };
}

/** Builds an index over images, one per platform. */
export function buildIndex(images: readonly Image[], format: 'oci' | 'docker' = 'oci'): ImageIndex {
  const manifest = jsonContent(MEDIA_TYPES[format].index, {
    schemaVersion: 2,
    mediaType: MEDIA_TYPES[format].index,
    manifests: images.map((image) => ({
      ...descriptor(image.manifest),
      platform: { architecture: image.architecture, os: 'linux' },
    })),
  });
  return { manifest, images };
}

/** What a publisher signs for an image or index: the SHA-256 and length of its manifest. */
export function signedContentOf(image: { readonly manifest: Content }): {
  readonly sha256: string;
  readonly length: number;
} {
  return { sha256: image.manifest.digest, length: image.manifest.bytes.length };
}

function layerArchives(
  message: string,
  architecture: Architecture,
  bigLayerBytes: number,
): readonly Buffer[] {
  const files: readonly TarFile[] = [
    { path: 'hello', content: helloProgram(`${message}\n`, architecture), mode: 0o755 },
    { path: 'message.txt', content: Buffer.from(`${message}\n`) },
  ];
  const first = writeTar(files);
  if (bigLayerBytes === 0) return [first];
  return [first, writeTar([{ path: 'big.bin', content: noise(message, bigLayerBytes) }])];
}

/** Bytes that look random and are the same for the same seed. */
function noise(seed: string, length: number): Buffer {
  const hash = createHash('shake256', { outputLength: length });
  return hash.update(seed).digest();
}

function content(bytes: Buffer, mediaType: string): Content {
  return { bytes, mediaType, digest: digestOf(bytes) };
}

function jsonContent(mediaType: string, value: unknown): Content {
  return content(Buffer.from(JSON.stringify(value, undefined, 2)), mediaType);
}

function digestOf(bytes: Uint8Array): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

function descriptor(of: Content): {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
} {
  return { mediaType: of.mediaType, digest: of.digest, size: of.bytes.length };
}
