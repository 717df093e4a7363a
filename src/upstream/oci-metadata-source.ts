import { joinedBytes } from '../base/own-bytes.ts';
import type { TrustServerReason, UpstreamReason } from '../base/reason-code.ts';
import { TrustServerError } from '../metadata/errors.ts';
import type { MetadataFetchOptions, MetadataSource } from '../metadata/ports.ts';
import { type Digest, hasDigest } from '../oci/digest.ts';
import { MAX_MANIFEST_BYTES } from '../oci/manifest.ts';
import { type Repository, repositoryName, type Tag } from '../oci/names.ts';
import { UpstreamError } from '../resolve/errors.ts';
import { TrustError } from '../trust/errors.ts';
import { type ArtifactFile, artifactFiles } from './artifact-files.ts';
import type { RegistryClient } from './registry-client.ts';

/** Where an artifact is. */
export interface ArtifactPlace {
  readonly repository: Repository;
  readonly tag: Tag;
}

type Registries = Pick<RegistryClient, 'fetchByTagUnverified' | 'fetchBlob'>;
type Files = ReadonlyMap<string, ArtifactFile>;

/** Files of at most this many bytes are kept while the artifact has them: timestamps, which are asked for again and again. */
const MAX_KEPT_BYTES = 64 * 1024;

const REASONS: Partial<Record<UpstreamReason, TrustServerReason>> = {
  upstream_unreachable: 'trust_server_unreachable',
  upstream_denied: 'trust_server_unauthorized',
};

/**
 * Reads a TUF 1.0 repository that was published as an artifact in a registry: one layer per file, titled with its name. The
 * registry may move the tag as it likes; what counts is what the files say and who signed them.
 *
 * @source OCI image 1.1 (manifest.md#guidelines-for-artifact-usage, annotations.md#pre-defined-annotation-keys)
 */
export class OciMetadataSource implements MetadataSource {
  readonly #registries: Registries;
  readonly #place: ArtifactPlace;
  #files: Files | undefined;
  #kept = new Map<Digest, Uint8Array>();

  constructor(registries: Registries, place: ArtifactPlace) {
    this.#registries = registries;
    this.#place = place;
  }

  /**
   * @returns undefined when there is no artifact by the tag, or it has no such file
   * @throws {TrustServerError} also `trust_server_error` when what has the tag is not an artifact with files, or a file does
   * not have the digest under which it is listed
   */
  async fetch(
    _gun: string,
    file: string,
    options: MetadataFetchOptions,
  ): Promise<Uint8Array | undefined> {
    try {
      const listed = (await this.#list(options))?.get(file);
      return listed && (await this.#read(listed, file, options));
    } catch (error) {
      throw this.#asTrustServerError(error);
    }
  }

  /** The registries belong to others, who close them. */
  async close(): Promise<void> {}

  /** The artifact's files; read again when caches are not to be believed. */
  async #list({ signal, bypassCaches }: MetadataFetchOptions): Promise<Files | undefined> {
    if (this.#files !== undefined && bypassCaches !== true) return this.#files;
    const { repository, tag } = this.#place;
    try {
      const { bytes } = await this.#registries.fetchByTagUnverified(repository, tag, {
        maxBytes: MAX_MANIFEST_BYTES,
        ...(signal === undefined ? {} : { signal }),
      });
      this.#files = artifactFiles(bytes);
    } catch (error) {
      if (!isMissing(error)) throw error;
      this.#files = undefined;
    }
    const digests = new Set([...(this.#files?.values() ?? [])].map(({ digest }) => digest));
    this.#kept = new Map([...this.#kept].filter(([digest]) => digests.has(digest)));
    return this.#files;
  }

  async #read(
    { digest, size }: ArtifactFile,
    file: string,
    { maxBytes, signal }: MetadataFetchOptions,
  ): Promise<Uint8Array | undefined> {
    if (size > maxBytes) {
      const message = `${file} is longer than the ${maxBytes} bytes allowed`;
      throw new TrustError('length_exceeded', message, { detail: { maxBytes } });
    }
    const kept = this.#kept.get(digest);
    if (kept !== undefined) return kept;
    const bytes = await this.#fetchBlob(digest, size, signal);
    if (bytes === undefined) return undefined;
    if (bytes.length !== size || !hasDigest(bytes, digest)) {
      const message = `the registry does not have ${file} as it was published`;
      throw new TrustServerError('trust_server_error', message, { detail: { file } });
    }
    if (bytes.length <= MAX_KEPT_BYTES) this.#kept.set(digest, bytes);
    return bytes;
  }

  /** @returns at most one piece more than `size` bytes, or undefined when the registry does not have it */
  async #fetchBlob(
    digest: Digest,
    size: number,
    signal: AbortSignal | undefined,
  ): Promise<Uint8Array | undefined> {
    const { repository } = this.#place;
    const options = signal === undefined ? {} : { signal };
    try {
      const { body } = await this.#registries.fetchBlob(repository, digest, options);
      const pieces: Uint8Array[] = [];
      let length = 0;
      for await (const piece of body) {
        pieces.push(piece);
        length += piece.length;
        if (length > size) break;
      }
      return joinedBytes(pieces, length);
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw error;
    }
  }

  #asTrustServerError(error: unknown): unknown {
    if (!(error instanceof UpstreamError)) return error;
    const { repository, tag } = this.#place;
    const server = `${repositoryName(repository)}:${tag}`;
    const { retryAfterSeconds } = error;
    const after = retryAfterSeconds === undefined ? {} : { retryAfterSeconds };
    return new TrustServerError(
      REASONS[error.code] ?? 'trust_server_error',
      `trust metadata in ${server}: ${error.message}`,
      { detail: { ...error.detail, ...after, server }, cause: error },
    );
  }
}

function isMissing(error: unknown): boolean {
  if (!(error instanceof UpstreamError)) return false;
  return error.code === 'manifest_missing' || error.code === 'blob_missing';
}
