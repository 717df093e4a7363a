import { join } from 'node:path';
import type { Clock } from '../base/clock.ts';
import { VERSION } from '../base/version.ts';
import type { Config } from '../config/config.ts';
import { isLoopback } from '../config/values.ts';
import { METADATA_LIMITS } from '../metadata/rules.ts';
import { parseImageReference } from '../oci/image-reference.ts';
import { SigningError } from '../signing/errors.ts';
import { readKeyFile } from '../signing/key-file.ts';
import { type AskPassphrase, KeyRing } from '../signing/key-ring.ts';
import type { PublishTarget } from '../signing/publish.ts';
import type { ReadMetadata } from '../signing/repository.ts';
import { DiskCollectionFolder } from '../store/collection-folder.ts';
import { findKeyFiles } from '../store/collection-keys.ts';
import { PublishFolder } from '../store/collection-publish.ts';
import { HttpPublishTarget, OciPublishTarget } from '../upstream/collection-publish.ts';
import { passwordCredentials } from '../upstream/credentials.ts';
import type { ProxyOptions } from '../upstream/http-dispatcher.ts';
import { MetadataServer } from '../upstream/metadata-server.ts';
import { tufLocation } from '../upstream/metadata-url.ts';
import { PushClient, type PushClientOptions } from '../upstream/push-client.ts';
import { urlOf } from './collection-images.ts';
import { optionsOf } from './upstream-options.ts';

/** How a place to publish to is reached. */
export interface PublishOptions {
  readonly clock: Clock;
  /** Its upstreams' addresses, authorities and credentials serve for `oci://` targets too. */
  readonly config?: Config;
  /** Come before those of the configuration. */
  readonly credentials?: { readonly username: string; readonly password: () => Promise<string> };
  /** PEM text of certificate authorities trusted in addition to the usual roots. */
  readonly ca?: string;
  /** HTTP proxies on the way there. */
  readonly proxy?: ProxyOptions;
}

/** Something that has to be closed after use. */
export interface Closing<Value> {
  readonly value: Value;
  close(): Promise<void>;
}

/** The folder of a collection on this machine. */
export function collectionFolder(dir: string, clock: Clock): DiskCollectionFolder {
  return new DiskCollectionFolder(dir, { clock });
}

/** Where a collection's keys are unless they are kept elsewhere. */
export function keysFolder(dir: string): string {
  return join(dir, 'keys');
}

/**
 * The keys at hand: those of the collection's own folder, or the given ones and of the folder only those that need no
 * passphrase, which are the online keys.
 *
 * @throws {SigningError} `key_missing`
 */
export async function keyRingOf(
  dir: string,
  paths: readonly string[],
  { ask, attempts }: { readonly ask: AskPassphrase; readonly attempts: number },
): Promise<KeyRing> {
  const given = await findKeyFiles(paths);
  const own = await findKeyFiles([], keysFolder(dir));
  const others = paths.length === 0 ? own : own.filter(({ bytes }) => !isEncrypted(bytes));
  return new KeyRing([...given, ...others], ask, attempts);
}

/**
 * Opens a place to publish to: a folder, `http(s)://…` for files written with PUT, or `oci://registry/repository:tag`.
 *
 * @throws {SigningError} `publish_failed` for an address that cannot be one
 */
export function publishTargetOf(text: string, options: PublishOptions): Closing<PublishTarget> {
  const scheme = /^([a-z]+):\/\//.exec(text)?.[1];
  if (scheme === undefined)
    return { value: new PublishFolder(text), close: () => Promise.resolve() };
  if (scheme === 'http' || scheme === 'https') {
    if (scheme === 'http' && options.credentials !== undefined && !isLoopbackUrl(text)) {
      throw new SigningError(
        'publish_failed',
        'a password is not sent over plain http: use https://',
      );
    }
    const client = pushClient({ url: text, ...connectionOf(options) }, options);
    return { value: new HttpPublishTarget(client), close: () => client.close() };
  }
  if (scheme !== 'oci') {
    throw new SigningError('publish_failed', `${scheme}:// is no place to publish to`);
  }
  const { repository, tag, digest } = parseImageReference(text.slice('oci://'.length));
  if (tag === undefined || digest !== undefined) {
    throw new SigningError('publish_failed', 'an oci:// target needs a tag and no digest');
  }
  const upstream = options.config?.upstreams.get(repository.registry.toLowerCase());
  const configured =
    upstream === undefined
      ? { url: urlOf(repository.registry) }
      : optionsOf(upstream, options.clock);
  const client = pushClient({ ...configured, ...connectionOf(options) }, options);
  return { value: new OciPublishTarget(client, repository, tag), close: () => client.close() };
}

/** Reads metadata that is published: from a folder, below a URL, or in a registry. */
export function publishedMetadata(text: string, options: PublishOptions): Closing<ReadMetadata> {
  if (text.startsWith('oci://')) {
    const { value, close } = publishTargetOf(text, options);
    return { value: (file) => value.read(file), close };
  }
  if (!/^https?:\/\//.test(text)) {
    const folder = new PublishFolder(text);
    return { value: (file) => folder.read(file), close: () => Promise.resolve() };
  }
  const { clock } = options;
  const server = new MetadataServer({
    locate: tufLocation,
    url: text,
    version: VERSION,
    clock,
    ...connectionOf(options),
  });
  const maxBytes = METADATA_LIMITS.fileBytes;
  return {
    value: (file) => server.fetch('collection', file, { maxBytes }),
    close: () => server.close(),
  };
}

function isLoopbackUrl(text: string): boolean {
  return URL.canParse(text) && isLoopback(new URL(text).hostname);
}

function pushClient(
  options: Omit<PushClientOptions, 'version' | 'clock'>,
  { clock }: PublishOptions,
): PushClient {
  return new PushClient({ ...options, version: VERSION, clock });
}

function connectionOf({
  ca,
  credentials,
  proxy,
}: PublishOptions): Pick<PushClientOptions, 'ca' | 'credentials' | 'proxy'> {
  return {
    ...(proxy === undefined ? {} : { proxy }),
    ...(ca === undefined ? {} : { ca }),
    ...(credentials === undefined
      ? {}
      : { credentials: passwordCredentials(credentials.username, credentials.password) }),
  };
}

/** Files that are no key files are left in: the ring says what is wrong with them. */
function isEncrypted(bytes: Uint8Array): boolean {
  try {
    return readKeyFile(bytes).isEncrypted;
  } catch (error) {
    if (error instanceof SigningError) return false;
    throw error;
  }
}
