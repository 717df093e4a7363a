import type { Clock } from '../base/clock.ts';
import { VERSION } from '../base/version.ts';
import type { Config } from '../config/config.ts';
import type { Credentials } from '../config/connection.ts';
import { isLoopback } from '../config/values.ts';
import { METADATA_LIMITS } from '../metadata/rules.ts';
import { parseImageReference } from '../oci/image-reference.ts';
import type { Repository, Tag } from '../oci/names.ts';
import { publicationOf } from '../signing/collection.ts';
import { SigningError } from '../signing/errors.ts';
import { type PublishTarget, publish } from '../signing/publish.ts';
import type { ReadMetadata, Repository as TufRepository } from '../signing/repository.ts';
import { PublishFolder } from '../store/collection-publish.ts';
import { HttpPublishTarget, OciPublishTarget } from '../upstream/collection-publish.ts';
import type { ProxyOptions } from '../upstream/http-dispatcher.ts';
import { MetadataServer } from '../upstream/metadata-server.ts';
import { tufLocation } from '../upstream/metadata-url.ts';
import { PushClient, type PushClientOptions } from '../upstream/push-client.ts';
import { urlOf } from './collection-images.ts';
import { credentialsOf } from './credentials.ts';
import { optionsOf } from './upstream-options.ts';

/** How a place to publish to is reached. */
export interface PublishOptions {
  readonly clock: Clock;
  /** Its upstreams' addresses, authorities and credentials serve for artifacts too. */
  readonly config?: Pick<Config, 'upstreams'>;
  /** Come before those of the configuration. */
  readonly credentials?: Credentials;
  /** PEM text of certificate authorities trusted in addition to the usual roots. */
  readonly ca?: string;
  /** HTTP proxies on the way there. */
  readonly proxy?: ProxyOptions;
}

/** Somewhere that clients read metadata from. */
export type PublishPlace =
  | { readonly kind: 'folder'; readonly path: string }
  /** A URL that files are written below with PUT. */
  | { readonly kind: 'server'; readonly url: string }
  /** An artifact in a registry. */
  | { readonly kind: 'artifact'; readonly repository: Repository; readonly tag: Tag };

/** Something that has to be closed after use. */
export interface Closing<Value> {
  readonly value: Value;
  close(): Promise<void>;
}

/**
 * Reads a place as the command line names it: a folder, `http(s)://…`, or `oci://registry/repository:tag`.
 *
 * @throws {SigningError} `publish_failed` for an address that cannot be one
 */
export function parsePublishPlace(text: string): PublishPlace {
  const scheme = /^([a-z]+):\/\//.exec(text)?.[1];
  if (scheme === undefined) return { kind: 'folder', path: text };
  if (scheme === 'http' || scheme === 'https') return { kind: 'server', url: text };
  if (scheme !== 'oci') {
    throw new SigningError('publish_failed', `${scheme}:// is no place to publish to`);
  }
  const { repository, tag, digest } = parseImageReference(text.slice('oci://'.length));
  if (tag === undefined || digest !== undefined) {
    throw new SigningError('publish_failed', 'an oci:// target needs a tag and no digest');
  }
  return { kind: 'artifact', repository, tag };
}

/**
 * Opens a place to publish to.
 *
 * @throws {SigningError} `publish_failed` where a password would travel in clear text
 */
export function openPublishTarget(
  place: PublishPlace,
  options: PublishOptions,
): Closing<PublishTarget> {
  switch (place.kind) {
    case 'folder':
      return { value: new PublishFolder(place.path), close: () => Promise.resolve() };
    case 'server': {
      requireSafePassword(place.url, options);
      const client = pushClient({ url: place.url, ...connectionOf(place.url, options) }, options);
      return { value: new HttpPublishTarget(client), close: () => client.close() };
    }
    case 'artifact': {
      const { repository, tag } = place;
      const upstream = options.config?.upstreams.get(repository.registry.toLowerCase());
      const configured =
        upstream === undefined
          ? { url: urlOf(repository.registry) }
          : optionsOf(upstream, options.clock);
      const connection = { ...configured, ...connectionOf(configured.url, options) };
      const client = pushClient(connection, options);
      return { value: new OciPublishTarget(client, repository, tag), close: () => client.close() };
    }
  }
}

/**
 * Publishes the current state of a collection and closes the target.
 *
 * @param signal - ends it between two files
 * @returns the names of the files that were written
 * @throws {SigningError} `published_differs`, `publish_failed`
 */
export async function publishRepository(
  repository: TufRepository,
  target: Closing<PublishTarget>,
  signal?: AbortSignal,
): Promise<readonly string[]> {
  try {
    return await publish(publicationOf(repository), target.value, signal);
  } finally {
    await target.close();
  }
}

/** Reads metadata that is published: from a folder, below a URL, or in a registry. */
export function publishedMetadata(text: string, options: PublishOptions): Closing<ReadMetadata> {
  const place = parsePublishPlace(text);
  if (place.kind !== 'server') {
    const { value, close } = openPublishTarget(place, options);
    return { value: (file) => value.read(file), close };
  }
  const { clock } = options;
  const server = new MetadataServer({
    locate: tufLocation,
    url: place.url,
    version: VERSION,
    clock,
    ...connectionOf(place.url, options),
  });
  const maxBytes = METADATA_LIMITS.fileBytes;
  return {
    value: (file) => server.fetch('collection', file, { maxBytes }),
    close: () => server.close(),
  };
}

function requireSafePassword(url: string, { credentials }: PublishOptions): void {
  if (credentials === undefined || !url.startsWith('http://')) return;
  if (URL.canParse(url) && isLoopback(new URL(url).hostname)) return;
  throw new SigningError('publish_failed', 'a password is not sent over plain http: use https://');
}

function pushClient(
  options: Omit<PushClientOptions, 'version' | 'clock'>,
  { clock }: PublishOptions,
): PushClient {
  return new PushClient({ ...options, version: VERSION, clock });
}

function connectionOf(
  url: string,
  { ca, credentials, proxy, clock }: PublishOptions,
): Pick<PushClientOptions, 'ca' | 'credentials' | 'proxy'> {
  return {
    ...(proxy === undefined ? {} : { proxy }),
    ...(ca === undefined ? {} : { ca }),
    ...(credentials === undefined ? {} : { credentials: credentialsOf(credentials, url, clock) }),
  };
}
