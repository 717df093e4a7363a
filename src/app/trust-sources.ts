import type { Clock } from '../base/clock.ts';
import type { Config } from '../config/config.ts';
import type {
  NotarySourceConfig,
  RootBelief,
  TrustServerConfig,
  TrustSourceConfig,
  TufSourceConfig,
} from '../config/connection.ts';
import { ConfigError, type ConfigProblem } from '../config/errors.ts';
import { targetAffixes } from '../config/target-template.ts';
import type { TrustSource } from '../metadata/collections.ts';
import type { MetadataSource } from '../metadata/ports.ts';
import type { CollectionRules } from '../metadata/rules.ts';
import { parseRepositoryName } from '../oci/names.ts';
import { PatternIndex } from '../policy/pattern-index.ts';
import { FolderMetadataSource } from '../store/folder-metadata-source.ts';
import { caAnchor, type RootAnchor } from '../trust/anchor.ts';
import { notaryV1 } from '../trust/dialect/notary-v1-dialect.ts';
import { tuf10 } from '../trust/dialect/tuf-1.0.ts';
import { TrustError } from '../trust/errors.ts';
import { certificateKeyIds } from '../trust/root-keys.ts';
import { dockerConvention } from '../trust/tag-search.ts';
import { namedConvention } from '../trust/target-search.ts';
import { TrustedRoot } from '../trust/trusted-root.ts';
import type { UpstreamEvents } from '../upstream/events.ts';
import { type LocateMetadata, MetadataServer } from '../upstream/metadata-server.ts';
import { notaryLocation, tufLocation } from '../upstream/metadata-url.ts';
import { OciMetadataSource } from '../upstream/oci-metadata-source.ts';
import type { RegistryClient } from '../upstream/registry-client.ts';
import { credentialsOf } from './credentials.ts';

/** What every trust source is made with. */
export interface TrustSourceContext {
  readonly version: string;
  readonly clock: Clock;
  readonly events: UpstreamEvents;
  /** Where artifacts with metadata are read from. */
  readonly registries: RegistryClient;
}

/** TUF 1.0 names the scheme in each key, so nothing weak has to be let through here. */
const NOTHING_WEAK = { rsaPkcs1v15: false, p224: false };

/** Connects the configured trust sources. */
export function createTrustSources(
  config: Config,
  context: TrustSourceContext,
): ReadonlyMap<string, TrustSource> {
  return new Map(
    [...config.trust].map(([name, source]) => [name, createTrustSource(source, context)]),
  );
}

/**
 * Requires that every root file of the configuration can be where trust begins: well-formed, and signed by enough of its keys.
 *
 * @throws {ConfigError} `config_invalid`
 */
export function requireUsableRoots(config: Config): void {
  const problems = [...config.trust.values()].flatMap((source) =>
    source.kind === 'tuf' ? rootProblems(source) : [],
  );
  if (problems.length > 0) throw new ConfigError('the configuration', problems);
}

function rootProblems(source: TufSourceConfig): readonly ConfigProblem[] {
  const anchor = anchorOf(source);
  try {
    TrustedRoot.admit(anchor.bytes, { dialect: tuf10, gun: '', anchor, weak: NOTHING_WEAK }, 0);
    return [];
  } catch (error) {
    if (!(error instanceof TrustError)) throw error;
    const problem = `the file is not a usable TUF root: ${error.message}`;
    return [{ path: `trust.${source.name}.root`, problem }];
  }
}

function createTrustSource(config: TrustSourceConfig, context: TrustSourceContext): TrustSource {
  return config.kind === 'notary'
    ? createNotarySource(config, context)
    : createTufSource(config, context);
}

function createNotarySource(config: NotarySourceConfig, context: TrustSourceContext): TrustSource {
  const anchors = new PatternIndex(
    config.anchors.map((anchor) => ({ ...anchor, root: toAnchor(anchor.belief, config) })),
  );
  const fallback: RootAnchor = { kind: config.trustOnFirstUse ? 'first-use' : 'none' };
  const { rsaPkcs1v15, p224 } = config;
  return {
    source: createServer(config, { name: config.name, locate: notaryLocation }, context),
    rulesFor: (gun) => ({
      ...freshnessOf(config),
      dialect: notaryV1,
      convention: dockerConvention,
      anchor: anchors.find(parseRepositoryName(gun))?.root ?? fallback,
      weak: { rsaPkcs1v15, p224 },
    }),
  };
}

function createTufSource(config: TufSourceConfig, context: TrustSourceContext): TrustSource {
  const anchor = anchorOf(config);
  return {
    source: createTufMetadataSource(config, context),
    isShared: true,
    rulesFor: (gun) => ({
      ...freshnessOf(config),
      dialect: tuf10,
      convention: namedConvention(targetAffixes(config.target, parseRepositoryName(gun))),
      anchor,
      weak: NOTHING_WEAK,
    }),
  };
}

function createTufMetadataSource(
  { name, location }: TufSourceConfig,
  context: TrustSourceContext,
): MetadataSource {
  switch (location.kind) {
    case 'server':
      return createServer(location, { name, locate: tufLocation }, context);
    case 'folder':
      return new FolderMetadataSource(location.path);
    case 'artifact':
      return new OciMetadataSource(context.registries, location);
  }
}

function createServer(
  { url, ca, credentials, realmHosts, proxy }: TrustServerConfig,
  server: { readonly name: string; readonly locate: LocateMetadata },
  { version, clock, events }: TrustSourceContext,
): MetadataServer {
  return new MetadataServer({
    ...server,
    url,
    version,
    clock,
    events,
    ...(ca === undefined ? {} : { ca }),
    ...(credentials === undefined ? {} : { credentials: credentialsOf(credentials, url, clock) }),
    realmHosts: [...realmHosts],
    proxy,
  });
}

function anchorOf({ root }: TufSourceConfig): Extract<RootAnchor, { kind: 'root-file' }> {
  return { kind: 'root-file', bytes: Buffer.from(root) };
}

function freshnessOf({
  maxAgeMs,
  outageGraceMs,
  clockSkewMs,
}: TrustSourceConfig): Pick<CollectionRules, 'maxAgeMs' | 'outageGraceMs' | 'clockSkewMs'> {
  return { maxAgeMs, outageGraceMs, clockSkewMs };
}

function toAnchor(belief: RootBelief, { codeSigningChains }: NotarySourceConfig): RootAnchor {
  switch (belief.kind) {
    case 'root-keys': {
      const ids = new Set(belief.keyIds);
      return { kind: 'keys', certificateKeyIds: ids, publicKeyIds: ids };
    }
    case 'root-certificates': {
      const ids = belief.certificates.flatMap((pem) => certificateKeyIds(Buffer.from(pem)));
      return { kind: 'keys', certificateKeyIds: new Set(ids), publicKeyIds: new Set() };
    }
    case 'ca':
      return caAnchor(Buffer.from(belief.certificates), codeSigningChains);
    case 'first-use':
      return { kind: 'first-use' };
  }
}
