import { createHash } from 'node:crypto';
import type { Content } from './images.ts';
import type { PublishedFiles } from './publication.ts';
import type { Registry } from './registry.ts';

const MANIFEST = 'application/vnd.oci.image.manifest.v1+json';
const EMPTY = 'application/vnd.oci.empty.v1+json';

/** How an artifact differs from a proper one. */
export interface ArtifactChange {
  /** Changes the members of the manifest. */
  readonly manifest?: (members: Record<string, unknown>) => unknown;
  /** Changes the text of the manifest. */
  readonly text?: (text: string) => string;
}

/**
 * Pushes files to a registry as an artifact, one layer per file, and points a tag at it.
 *
 * @returns the digest of its manifest
 * @source OCI image 1.1 (manifest.md#guidelines-for-artifact-usage)
 */
export function pushFiles(
  registry: Registry,
  place: { readonly repository: string; readonly tag: string },
  files: PublishedFiles,
  change: ArtifactChange = {},
): string {
  const config = contentOf(Buffer.from('{}'), EMPTY);
  const layers = [...files].map(([title, bytes]) => {
    const blob = contentOf(Buffer.from(bytes), 'application/json');
    registry.putBlob(place.repository, blob);
    return { ...descriptor(blob), annotations: { 'org.opencontainers.image.title': title } };
  });
  registry.putBlob(place.repository, config);
  const members = {
    schemaVersion: 2,
    mediaType: MANIFEST,
    artifactType: 'application/vnd.pinnace.tuf.repository.v1',
    config: descriptor(config),
    layers,
  };
  const text = JSON.stringify(change.manifest?.(members) ?? members);
  const manifest = contentOf(Buffer.from(change.text?.(text) ?? text), MANIFEST);
  registry.putManifest(place.repository, manifest);
  registry.moveTag(place.repository, place.tag, manifest.digest);
  return manifest.digest;
}

function contentOf(bytes: Buffer, mediaType: string): Content {
  const digest = `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
  return { digest, mediaType, bytes };
}

function descriptor({ mediaType, digest, bytes }: Content): Readonly<Record<string, unknown>> {
  return { mediaType, digest, size: bytes.length };
}
