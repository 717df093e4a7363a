import { OciError } from '../oci/errors.ts';
import {
  parseRegistryHost,
  parseRepositoryPath,
  parseTag,
  type Repository,
  type Tag,
} from '../oci/names.ts';
import { type Parsed, parseServerUrl } from './values.ts';

/** Where a trust source has its metadata. */
export type TrustLocation =
  | { readonly kind: 'server'; readonly url: URL }
  /** An absolute path on this machine. */
  | { readonly kind: 'folder'; readonly path: string }
  /** An artifact in a registry. */
  | { readonly kind: 'artifact'; readonly repository: Repository; readonly tag: Tag };

const FILE_FIX = 'write file:// and an absolute path, as in file:///var/lib/pinnace/vetted';
const OCI_FIX =
  'write oci://registry/repository:tag, as in oci://registry.example.com/trust/vetted:tuf';

/** Reads the `url` of a trust source: `https://…` (or http), `file:///folder`, `oci://registry/repository:tag`. */
export function parseTrustUrl(text: string): Parsed<TrustLocation> {
  if (text.length <= 2048 && text.startsWith('file:')) return parseFolder(text);
  if (text.length <= 2048 && text.startsWith('oci:')) return parseArtifact(text);
  const server = parseServerUrl(text);
  return server.ok ? { ok: true, value: { kind: 'server', url: server.value } } : server;
}

function parseFolder(text: string): Parsed<TrustLocation> {
  const url = URL.canParse(text) && text.startsWith('file:///') ? new URL(text) : undefined;
  if (url === undefined || url.host !== '') {
    return { ok: false, problem: 'is not the URL of a folder on this machine', fix: FILE_FIX };
  }
  if (url.search !== '' || url.hash !== '') {
    return { ok: false, problem: 'has a query (?) or fragment (#)', fix: 'leave that part out' };
  }
  const path = decode(url.pathname);
  if (path === undefined || path.includes('\0')) {
    return { ok: false, problem: 'has a percent sign that encodes nothing usable', fix: FILE_FIX };
  }
  return { ok: true, value: { kind: 'folder', path: path.replace(/(?<=.)\/+$/, '') } };
}

function decode(path: string): string | undefined {
  try {
    return decodeURIComponent(path);
  } catch {
    return undefined;
  }
}

function parseArtifact(text: string): Parsed<TrustLocation> {
  const [, host = '', path = '', tag = ''] = /^oci:\/\/([^/]+)\/(.+):([^:/]+)$/.exec(text) ?? [];
  try {
    const repository = { registry: parseRegistryHost(host), path: parseRepositoryPath(path) };
    return { ok: true, value: { kind: 'artifact', repository, tag: parseTag(tag) } };
  } catch (error) {
    if (!(error instanceof OciError)) throw error;
    return { ok: false, problem: 'is not the name of an artifact in a registry', fix: OCI_FIX };
  }
}
