import { type Digest, parseDigest } from './digest.ts';
import { OciError } from './errors.ts';
import { DOCKER_HUB, looksLikeHost, normalPath } from './image-name.ts';
import {
  MAX_NAME_LENGTH,
  parseRegistryHost,
  parseRepositoryPath,
  parseTag,
  type RegistryHost,
  type Repository,
  type Tag,
} from './names.ts';

/** An image as people write it, made complete; at least one of `tag` and `digest` is there. */
export interface ImageReference {
  readonly repository: Repository;
  readonly tag?: Tag;
  readonly digest?: Digest;
}

/** Name, tag and a sha512 digest at their longest, with separators. */
const MAX_REFERENCE_LENGTH = MAX_NAME_LENGTH + 1 + 128 + 1 + 135;
const DEFAULT_TAG = 'latest';
const BARE_DIGEST = /^[0-9a-f]{64}$/;

/**
 * Parses an image reference as Docker does: `alpine` is `docker.io/library/alpine:latest`. A first component is a
 * registry host if it has a dot, a colon or a capital letter, or is `localhost`; `index.docker.io` is `docker.io`.
 *
 * @throws {OciError} `NAME_INVALID`, `TAG_INVALID`, `DIGEST_INVALID`
 * @source reference: notary-v1 1.5 (GUN normalisation)
 */
export function parseImageReference(text: string): ImageReference {
  // The length is checked first: it bounds the work below.
  if (text.length > MAX_REFERENCE_LENGTH) {
    throw new OciError('NAME_INVALID', 'the image reference is too long');
  }
  const at = text.indexOf('@');
  const digest = at < 0 ? undefined : parseDigest(text.slice(at + 1));
  const named = at < 0 ? text : text.slice(0, at);
  const colon = named.indexOf(':', named.lastIndexOf('/') + 1);
  const name = colon < 0 ? named : named.slice(0, colon);
  const tag = tagOf(colon < 0 ? undefined : named.slice(colon + 1), digest);
  return {
    repository: parseRepository(name),
    ...(tag === undefined ? {} : { tag }),
    ...(digest === undefined ? {} : { digest }),
  };
}

function tagOf(written: string | undefined, digest: Digest | undefined): Tag | undefined {
  if (written !== undefined) return parseTag(written);
  return digest === undefined ? parseTag(DEFAULT_TAG) : undefined;
}

function parseRepository(name: string): Repository {
  // Docker would take 64 hex digits for an image id, never for a name.
  if (name.length > MAX_NAME_LENGTH || BARE_DIGEST.test(name)) {
    throw new OciError('NAME_INVALID', 'not an image name');
  }
  const slash = name.indexOf('/');
  const first = slash < 0 ? '' : name.slice(0, slash);
  const hasHost = first !== '' && looksLikeHost(first);
  const registry = hasHost ? registryOf(parseRegistryHost(first)) : DOCKER_HUB;
  const path = parseRepositoryPath(hasHost ? name.slice(slash + 1) : name);
  return { registry, path: normalPath(registry, path) };
}

function registryOf(host: RegistryHost): RegistryHost {
  // The case of a host is kept, as GUNs are case sensitive; registry-1.docker.io is a name of its own.
  return host === 'index.docker.io' ? DOCKER_HUB : host;
}
