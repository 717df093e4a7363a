import { type Digest, sha256Digest } from '../../../src/oci/digest.ts';
import {
  parseRegistryHost,
  parseRepositoryPath,
  type RegistryHost,
  type Repository,
} from '../../../src/oci/names.ts';

export const REGISTRY: RegistryHost = parseRegistryHost('registry.test');
export const REPOSITORY: Repository = {
  registry: REGISTRY,
  path: parseRepositoryPath('library/alpine'),
};
export const CONTENT: Buffer = Buffer.from('{"schemaVersion":2}');
export const DIGEST: Digest = sha256Digest(CONTENT);
export const MANIFEST_PATH: string = `/v2/library/alpine/manifests/${DIGEST}`;
export const BLOB_PATH: string = `/v2/library/alpine/blobs/${DIGEST}`;
export const LIMIT: { readonly maxBytes: number } = { maxBytes: 1024 };
