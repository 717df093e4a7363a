import { OciError } from './errors.ts';

/** A registry's host name with its port if it has one: `docker.io`, `localhost:5000`. */
export type RegistryHost = string & { readonly __brand: 'RegistryHost' };

/** A repository's path within its registry: `library/alpine`. */
export type RepositoryPath = string & { readonly __brand: 'RepositoryPath' };

/** A tag by the grammar of the distribution specification. */
export type Tag = string & { readonly __brand: 'Tag' };

/** One repository of one registry. */
export interface Repository {
  readonly registry: RegistryHost;
  readonly path: RepositoryPath;
}

const HOST =
  /^(?:[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)*|\[[0-9a-fA-F:]+\])(?::[0-9]{1,5})?$/;
const COMPONENT = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*$/;
const TAG = /^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}$/;

/** The longest host and repository path accepted, in characters, as Docker's reference grammar has it. */
export const MAX_NAME_LENGTH = 255;

/**
 * Parses a registry host; the port, if any, stays part of it.
 *
 * @throws {OciError} `NAME_INVALID`
 */
export function parseRegistryHost(text: string): RegistryHost {
  if (text.length > MAX_NAME_LENGTH || !HOST.test(text)) {
    throw new OciError('NAME_INVALID', 'not a registry host name');
  }
  return text as RegistryHost;
}

/**
 * Parses a repository path.
 *
 * @throws {OciError} `NAME_INVALID`
 * @source OCI distribution 1.1 (#pulling-manifests)
 */
export function parseRepositoryPath(text: string): RepositoryPath {
  // The length is checked first: it bounds the work below for hostile names.
  if (text.length > MAX_NAME_LENGTH || !text.split('/').every((part) => COMPONENT.test(part))) {
    throw new OciError('NAME_INVALID', 'not a repository name by the distribution grammar');
  }
  return text as RepositoryPath;
}

/** Says whether `text` is a tag by the grammar. */
export function isTag(text: string): text is Tag {
  return TAG.test(text);
}

/**
 * Parses a tag.
 *
 * @throws {OciError} `TAG_INVALID`
 * @source OCI distribution 1.1 (#pulling-manifests)
 */
export function parseTag(text: string): Tag {
  if (!isTag(text)) {
    throw new OciError('TAG_INVALID', 'not a tag by the distribution grammar');
  }
  return text;
}

/** The full name, which is also the repository's GUN in Notary v1: `docker.io/library/alpine`. */
export function repositoryName(repository: Repository): string {
  return `${repository.registry}/${repository.path}`;
}

/**
 * Parses a full name: what `repositoryName` gives, which is also a GUN.
 *
 * @throws {OciError} `NAME_INVALID`
 */
export function parseRepositoryName(name: string): Repository {
  const slash = name.indexOf('/');
  return {
    registry: parseRegistryHost(name.slice(0, Math.max(slash, 0))),
    path: parseRepositoryPath(name.slice(slash + 1)),
  };
}
