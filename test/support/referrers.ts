import { createHash } from 'node:crypto';
import type { Content } from './images.ts';
import type { Registry } from './registry.ts';

/** What a referrer is to be like. */
export interface ReferrerOptions {
  /** The digest that it refers to; none for what cosign attaches by tag. */
  readonly subject?: string;
  readonly artifactType?: string;
  /** Media type of its only layer; default: that of a signature by cosign. */
  readonly layerType?: string;
  /** Content of its only layer. */
  readonly payload?: string | Uint8Array;
  /** Media type of its config; default: that of images, as cosign has it. */
  readonly configType?: string;
  /** Default: the OCI manifest's. */
  readonly mediaType?: string;
  /** Further members of the manifest. */
  readonly more?: Readonly<Record<string, unknown>>;
}

/** A manifest with what it names. */
export interface MadeReferrer {
  readonly manifest: Content;
  readonly config: Content;
  readonly layer: Content;
}

/** The media type of a signature that cosign makes. */
export const COSIGN_PAYLOAD = 'application/vnd.dev.cosign.simplesigning.v1+json';
const OCI_MANIFEST = 'application/vnd.oci.image.manifest.v1+json';
const IMAGE_CONFIG = 'application/vnd.oci.image.config.v1+json';

/** Makes a signature, an attestation, or something that only looks like one. */
export function makeReferrer(options: ReferrerOptions = {}): MadeReferrer {
  const { subject, artifactType, mediaType = OCI_MANIFEST, more = {} } = options;
  const config = content(options.configType ?? IMAGE_CONFIG, '{"architecture":"","os":""}');
  const payload = options.payload ?? '{"critical":{"type":"cosign container image signature"}}';
  const layer = content(options.layerType ?? COSIGN_PAYLOAD, payload);
  const manifest = content(
    mediaType,
    JSON.stringify({
      schemaVersion: 2,
      mediaType,
      ...(artifactType === undefined ? {} : { artifactType }),
      config: descriptor(config),
      layers: [descriptor(layer)],
      ...(subject === undefined
        ? {}
        : { subject: { mediaType: OCI_MANIFEST, digest: subject, size: 1 } }),
      ...more,
    }),
  );
  return { manifest, config, layer };
}

/** Stores a referrer, under a tag if one is given. */
export function pushReferrer(
  registry: Registry,
  repository: string,
  { manifest, config, layer }: MadeReferrer,
  tag?: string,
): void {
  registry.putManifest(repository, manifest);
  for (const blob of [config, layer]) registry.putBlob(repository, blob);
  if (tag !== undefined) registry.moveTag(repository, tag, manifest.digest);
}

function content(mediaType: string, value: string | Uint8Array): Content {
  const bytes = Buffer.from(value);
  return { mediaType, bytes, digest: `sha256:${createHash('sha256').update(bytes).digest('hex')}` };
}

function descriptor({ mediaType, digest, bytes }: Content): Readonly<Record<string, unknown>> {
  return { mediaType, digest, size: bytes.length };
}
