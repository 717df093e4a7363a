import { type Digest, isDigest, parseDigest } from './digest.ts';
import { OciError } from './errors.ts';
import {
  isTag,
  parseRegistryHost,
  parseRepositoryPath,
  parseTag,
  type RegistryHost,
  type Tag,
} from './names.ts';
import { type RouteQuery, readQuery } from './route-query.ts';

/** What every route carries: the method, and the registry that containerd names in `?ns=`. */
interface RouteBase {
  readonly method: 'GET' | 'HEAD';
  readonly ns?: RegistryHost;
}

/** A route that names a repository, as the client wrote it: the first component may be a registry host. */
interface NamedRoute extends RouteBase {
  readonly name: string;
}

/** What follows the repository name: a tag can move, a digest cannot. */
export type RouteReference =
  | { readonly kind: 'tag'; readonly tag: Tag }
  | { readonly kind: 'digest'; readonly digest: Digest };

/** `GET /v2/<name>/tags/list`, with the page that was asked for. */
export interface TagsRoute extends NamedRoute {
  readonly kind: 'tags';
  /** The most tags wanted, 0 or more; absent: all. */
  readonly n?: number;
  /** Only tags after this one, in lexical order. */
  readonly last?: string;
}

/** `GET /v2/_catalog`, with the page that was asked for. */
export interface CatalogRoute extends RouteBase {
  readonly kind: 'catalog';
  /** The most names wanted, 0 or more; absent: as many as one page has. */
  readonly n?: number;
  /** Only names after this one, in lexical order. */
  readonly last?: string;
}

/** `GET /v2/<name>/referrers/<digest>`. */
export interface ReferrersRoute extends NamedRoute {
  readonly kind: 'referrers';
  readonly digest: Digest;
  /** Only referrers of this type. */
  readonly artifactType?: string;
}

/** A request to the registry API, parsed once. */
export type Route =
  | (RouteBase & { readonly kind: 'ping' })
  | CatalogRoute
  | (NamedRoute & { readonly kind: 'manifest'; readonly reference: RouteReference })
  | (NamedRoute & { readonly kind: 'blob'; readonly digest: Digest })
  | ReferrersRoute
  | (NamedRoute & { readonly kind: 'trust-metadata'; readonly file: string })
  | TagsRoute;

/** The longest request target that is looked at, in characters. */
export const MAX_TARGET_LENGTH = 4096;

const API = '/v2/';
const TRUST_FOLDER = '/_trust/tuf/';
/** Characters and sequences that no honest registry path has: they earn a 400 rather than a 404. */
const HOSTILE = /[^\x21-\x7e]|[%\\]|\/\/|\/\.\.?(?:\/|$)/;
const HOST_ONLY = /[:A-Z[]/;
const MEDIA_TYPE =
  /^[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}\/[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}$/;
/** A host, a slash and a path, each at its longest. */
const MAX_LAST_LENGTH = 2 * 255 + 1;
const METADATA_FILE = /^[A-Za-z0-9_][A-Za-z0-9._-]*(?:\/[A-Za-z0-9_][A-Za-z0-9._-]*)*$/;

/**
 * Parses a request's method and raw target. The path is matched as it stands: nothing in it is percent-decoded except
 * the colon of a digest, so that no second reading of the same request can exist.
 *
 * @throws {OciError} `UNSUPPORTED` pushes and deletes; `NAME_UNKNOWN` no such path; `NAME_INVALID`, `TAG_INVALID`,
 * `DIGEST_INVALID`, `MANIFEST_INVALID`, `PAGINATION_NUMBER_INVALID` what breaks the grammar
 * @source OCI distribution 1.1 (#endpoints)
 */
export function parseRoute(method: string, target: string): Route {
  // The length is checked first: it bounds all the work below.
  if (target.length > MAX_TARGET_LENGTH) {
    throw new OciError('NAME_INVALID', 'the request target is too long');
  }
  const mark = target.indexOf('?');
  const path = mark < 0 ? target : target.slice(0, mark);
  if (!path.startsWith(API) && path !== '/v2') throw noSuchPath(path);
  if (method !== 'GET' && method !== 'HEAD') throw pushNotSupported();
  if (mark < 0) return routeOf(path, { method }, undefined);
  const query = readQuery(target.slice(mark + 1));
  const base: RouteBase = query.ns === undefined ? { method } : { method, ns: query.ns };
  return routeOf(path, base, query);
}

/** Reads the path from its right-hand end: repository names may contain `v2`, `manifests`, `blobs` and `tags`. */
function routeOf(path: string, base: RouteBase, query: RouteQuery | undefined): Route {
  const lastSlash = path.lastIndexOf('/');
  const keywordSlash = path.lastIndexOf('/', lastSlash - 1);
  const keyword = path.slice(keywordSlash + 1, lastSlash);
  const last = path.slice(lastSlash + 1);
  if (keyword === 'manifests') {
    const reference = parseReference(last);
    return { kind: 'manifest', name: nameIn(path, keywordSlash), reference, ...base };
  }
  const trust = path.indexOf(TRUST_FOLDER);
  if (trust >= 0) {
    const file = metadataFile(path.slice(trust + TRUST_FOLDER.length));
    return { kind: 'trust-metadata', name: nameIn(path, trust), file, ...base };
  }
  if (keyword === 'tags' && last === 'list') {
    return tagsRoute(nameIn(path, keywordSlash), base, query);
  }
  if (isUpload(path)) throw pushNotSupported();
  if (keyword === 'blobs') {
    const digest = parseDigest(withColon(last));
    return { kind: 'blob', name: nameIn(path, keywordSlash), digest, ...base };
  }
  if (keyword === 'referrers') {
    const digest = parseDigest(withColon(last));
    const name = nameIn(path, keywordSlash);
    return { kind: 'referrers', name, digest, ...base, ...artifactTypeIn(query) };
  }
  if (path === API || path === '/v2') return { kind: 'ping', ...base };
  if (path === '/v2/_catalog') return catalogRoute(base, query);
  throw noSuchPath(path);
}

function parseReference(text: string): RouteReference {
  if (isTag(text)) return { kind: 'tag', tag: text };
  const digest = withColon(text);
  if (isDigest(digest)) return { kind: 'digest', digest };
  return digest.includes(':')
    ? { kind: 'digest', digest: parseDigest(digest) }
    : { kind: 'tag', tag: parseTag(text) };
}

/** Some clients encode the colon of a digest; that one escape is undone, all others are left to be refused. */
function withColon(text: string): string {
  return text.includes(':') ? text : text.replace(/%3a/i, ':');
}

/** The repository name that ends at `end`, its first component a registry host with a port if need be. */
function nameIn(path: string, end: number): string {
  const name = path.slice(API.length, end);
  const slash = name.indexOf('/');
  const first = slash < 0 ? '' : name.slice(0, slash);
  // A host without port, in lower case, is a path component by the grammar as well.
  if (HOST_ONLY.test(first)) {
    parseRegistryHost(first);
    parseRepositoryPath(name.slice(slash + 1));
    return name;
  }
  return parseRepositoryPath(name);
}

function tagsRoute(name: string, base: RouteBase, query: RouteQuery | undefined): TagsRoute {
  const { last } = query ?? {};
  return {
    kind: 'tags',
    name,
    ...base,
    ...countIn(query),
    ...(last === undefined || last === '' ? {} : { last: parseTag(last) }),
  };
}

function catalogRoute(base: RouteBase, query: RouteQuery | undefined): CatalogRoute {
  const { last = '' } = query ?? {};
  if (last.length > MAX_LAST_LENGTH) {
    throw new OciError('NAME_INVALID', 'last is longer than any name');
  }
  return { kind: 'catalog', ...base, ...countIn(query), ...(last === '' ? {} : { last }) };
}

function countIn({ n }: Partial<RouteQuery> = {}): { readonly n?: number } {
  if (n === undefined) return {};
  if (!/^[0-9]{1,9}$/.test(n)) {
    throw new OciError('PAGINATION_NUMBER_INVALID', 'n is not a number of entries');
  }
  return { n: Number(n) };
}

/** @source RFC 6838 §4.2 */
function artifactTypeIn({ artifactType }: Partial<RouteQuery> = {}): {
  readonly artifactType?: string;
} {
  if (artifactType === undefined || artifactType === '') return {};
  if (!MEDIA_TYPE.test(artifactType)) {
    throw new OciError('MANIFEST_INVALID', 'artifactType is not a media type');
  }
  return { artifactType };
}

function metadataFile(file: string): string {
  if (file.length > 255 || !METADATA_FILE.test(file)) {
    throw new OciError('NAME_INVALID', 'not the name of a trust metadata file');
  }
  return file;
}

/** `…/blobs/uploads`, with or without a trailing slash or an upload's id. */
function isUpload(path: string): boolean {
  const uploads = path.lastIndexOf('/blobs/uploads');
  if (uploads < 0) return false;
  const rest = path.slice(uploads + '/blobs/uploads'.length);
  return rest === '' || (rest.startsWith('/') && !rest.includes('/', 1));
}

function noSuchPath(path: string): OciError {
  return !path.startsWith('/') || HOSTILE.test(path)
    ? new OciError('NAME_INVALID', 'not a path of the registry API')
    : new OciError('NAME_UNKNOWN', 'the registry API has no such path');
}

function pushNotSupported(): OciError {
  return new OciError('UNSUPPORTED', 'Pinnace serves pulls only; push and delete at the registry');
}
