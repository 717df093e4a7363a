import type { Clock } from '../base/clock.ts';
import type { Config } from '../config/config.ts';
import type { RootBelief, TrustSourceConfig } from '../config/connection.ts';
import type { TrustSource } from '../metadata/collections.ts';
import type { CollectionRules } from '../metadata/rules.ts';
import { parseRepositoryName } from '../oci/names.ts';
import { PatternIndex } from '../policy/pattern-index.ts';
import { caAnchor, type RootAnchor } from '../trust/anchor.ts';
import { notaryV1 } from '../trust/dialect/notary-v1-dialect.ts';
import { certificateKeyIds } from '../trust/root-keys.ts';
import { dockerConvention } from '../trust/tag-search.ts';
import type { UpstreamEvents } from '../upstream/events.ts';
import { MetadataServer } from '../upstream/metadata-server.ts';
import { notaryLocation } from '../upstream/metadata-url.ts';

/** What every trust source is made with. */
export interface TrustSourceContext {
  readonly version: string;
  readonly clock: Clock;
  readonly events: UpstreamEvents;
}

/** Connects the configured trust sources. */
export function createTrustSources(
  config: Config,
  context: TrustSourceContext,
): ReadonlyMap<string, TrustSource> {
  return new Map(
    [...config.trust].map(([name, source]) => [name, createTrustSource(source, context)]),
  );
}

function createTrustSource(config: TrustSourceConfig, context: TrustSourceContext): TrustSource {
  const anchors = new PatternIndex(
    config.anchors.map((anchor) => ({ ...anchor, root: toAnchor(anchor.belief, config) })),
  );
  const fallback: RootAnchor = { kind: config.trustOnFirstUse ? 'first-use' : 'none' };
  const { url, ca, credentials, realmHosts, proxy } = config;
  const source = new MetadataServer({
    locate: notaryLocation,
    url,
    name: config.name,
    ...context,
    ...(ca === undefined ? {} : { ca }),
    ...(credentials === undefined ? {} : { credentials }),
    realmHosts: [...realmHosts],
    proxy,
  });
  return {
    source,
    rulesFor: (gun) => rulesOf(config, anchors.find(parseRepositoryName(gun))?.root ?? fallback),
  };
}

function rulesOf(config: TrustSourceConfig, anchor: RootAnchor): CollectionRules {
  const { maxAgeMs, outageGraceMs, clockSkewMs, rsaPkcs1v15, p224 } = config;
  return {
    dialect: notaryV1,
    convention: dockerConvention,
    anchor,
    weak: { rsaPkcs1v15, p224 },
    clockSkewMs,
    maxAgeMs,
    outageGraceMs,
  };
}

function toAnchor(belief: RootBelief, { codeSigningChains }: TrustSourceConfig): RootAnchor {
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
