/**
 * The media types of manifests that are served.
 *
 * @source OCI image 1.1 (media-types.md); Docker image manifest version 2, schema 2
 */
export const MANIFEST_MEDIA_TYPES = [
  'application/vnd.oci.image.index.v1+json',
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
  'application/vnd.docker.distribution.manifest.v2+json',
] as const;

/** A media type of a manifest that is served. */
export type ManifestMediaType = (typeof MANIFEST_MEDIA_TYPES)[number];

/** The value of `Accept` for asking a registry for any manifest that can be served. */
export const MANIFEST_ACCEPT: string = MANIFEST_MEDIA_TYPES.join(', ');

const KNOWN: ReadonlySet<string> = new Set(MANIFEST_MEDIA_TYPES);
const SCHEMA_1: ReadonlySet<string> = new Set([
  'application/vnd.docker.distribution.manifest.v1+json',
  'application/vnd.docker.distribution.manifest.v1+prettyjws',
]);

/** Says whether `mediaType` (without parameters, lower case) is that of a manifest that is served. */
export function isManifestMediaType(mediaType: string): mediaType is ManifestMediaType {
  return KNOWN.has(mediaType);
}

/** Says whether a manifest of this type names other manifests, one per platform. */
export function isIndexMediaType(mediaType: ManifestMediaType): boolean {
  return mediaType.includes('.index.') || mediaType.includes('.list.');
}

/** Says whether `mediaType` is Docker's schema 1, which has no stable digest and is not served. */
export function isSchema1MediaType(mediaType: string): boolean {
  return SCHEMA_1.has(mediaType);
}

/** A `Content-Type` without its parameters, in lower case; empty if there is none. */
export function bareMediaType(contentType: string | undefined): string {
  if (contentType === undefined) return '';
  const semicolon = contentType.indexOf(';');
  return (semicolon < 0 ? contentType : contentType.slice(0, semicolon)).trim().toLowerCase();
}
