import { type Digest, digestAlgorithm, digestHex, isDigest } from '../oci/digest.ts';
import { MAX_MANIFEST_BYTES } from '../oci/manifest.ts';
import { parseTag, type Repository } from '../oci/names.ts';
import { PullError, UpstreamError } from './errors.ts';
import type { ReferrerLists } from './ports.ts';
import type { UnverifiedContent } from './unverified-content.ts';

/** The most referrers of one manifest that are looked at. */
export const MAX_REFERRERS = 256;
const MAX_PAGES = 16;

/**
 * The digests that a registry says refer to a manifest, each once: from its list of referrers, or, where it keeps none, from
 * the tag that clients write instead. Nothing about them is checked.
 *
 * @throws {UpstreamError} but for what is not there
 * @source OCI distribution 1.1 (#listing-referrers, #unavailable-referrers-api, #referrers-tag-schema)
 */
export async function listedReferrers(
  repository: Repository,
  subject: Digest,
  from: {
    readonly lists: ReferrerLists;
    readonly content: UnverifiedContent;
    readonly signal: AbortSignal | undefined;
  },
): Promise<readonly Digest[]> {
  const digests = new Set<Digest>();
  let page: string | undefined;
  for (let count = 0; count < MAX_PAGES && digests.size < MAX_REFERRERS; count += 1) {
    const fetched = await pageOf(repository, subject, { ...from, page });
    // Only a first page that is missing means that there is no such list; a later one that went away ends it.
    if (fetched === undefined && count === 0)
      return await taggedReferrers(repository, subject, from);
    for (const digest of fetched?.digests ?? []) digests.add(digest);
    page = fetched?.next;
    if (page === undefined) break;
  }
  return [...digests].slice(0, MAX_REFERRERS);
}

/** One page of the registry's list, or undefined where it has none. */
async function pageOf(
  repository: Repository,
  subject: Digest,
  asked: {
    readonly lists: ReferrerLists;
    readonly page: string | undefined;
    readonly signal: AbortSignal | undefined;
  },
): Promise<{ readonly digests: readonly Digest[]; readonly next: string | undefined } | undefined> {
  const { lists, page, signal } = asked;
  try {
    const { bytes, next } = await lists.fetchReferrers(repository, subject, {
      maxBytes: MAX_MANIFEST_BYTES,
      ...(page === undefined ? {} : { page }),
      ...(signal === undefined ? {} : { signal }),
    });
    return { digests: digestsIn(bytes), next };
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

async function taggedReferrers(
  repository: Repository,
  subject: Digest,
  {
    content,
    signal,
  }: { readonly content: UnverifiedContent; readonly signal: AbortSignal | undefined },
): Promise<readonly Digest[]> {
  const tag = parseTag(`${digestAlgorithm(subject)}-${digestHex(subject).slice(0, 64)}`);
  try {
    const { parts } = await content.manifestByTag(repository, tag, signal);
    const manifests = parts.filter(({ kind }) => kind === 'manifest');
    return manifests.map(({ digest }) => digest).slice(0, MAX_REFERRERS);
  } catch (error) {
    if (isMissing(error) || error instanceof PullError) return [];
    throw error;
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof UpstreamError && error.code === 'manifest_missing';
}

/** @throws {UpstreamError} `upstream_unreachable` for what is no list */
function digestsIn(bytes: Uint8Array): readonly Digest[] {
  const manifests = memberOf(parsed(bytes), 'manifests');
  if (!Array.isArray(manifests)) throw noList();
  return manifests.slice(0, 2 * MAX_REFERRERS).flatMap((entry: unknown) => {
    const digest = memberOf(entry, 'digest');
    return typeof digest === 'string' && isDigest(digest) ? [digest] : [];
  });
}

function parsed(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch (cause) {
    throw noList(cause);
  }
}

function memberOf(value: unknown, name: string): unknown {
  if (typeof value !== 'object' || value === null) return undefined;
  return Object.getOwnPropertyDescriptor(value, name)?.value;
}

function noList(cause?: unknown): UpstreamError {
  const message = 'what the registry sent as a list of referrers is none';
  return new UpstreamError('upstream_unreachable', message, { cause });
}
