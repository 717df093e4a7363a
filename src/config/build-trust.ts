import { parseNamePattern } from '../policy/name-pattern.ts';
import { type ConfigBuilder, urlText } from './build.ts';
import type {
  AnchorConfig,
  RootBelief,
  TrustServerConfig,
  TrustSourceConfig,
  TufLocation,
} from './connection.ts';
import type { ConfigPath } from './path.ts';
import type { AnchorEntry, TrustEntry } from './schema-trust.ts';

/** Puts together a trust source whose entry has passed every check. */
export function buildTrustSource(
  name: string,
  entry: TrustEntry,
  builder: ConfigBuilder,
): TrustSourceConfig {
  const path = ['trust', name];
  const common = {
    name,
    maxAgeMs: entry.maxAge,
    outageGraceMs: entry.outageGrace,
    clockSkewMs: entry.clockSkew,
  };
  if (entry.kind === 'tuf') {
    const root = builder.fileText([...path, 'root']);
    const location = buildLocation(path, entry, builder);
    return { ...common, kind: 'tuf', location, root, target: entry.target };
  }
  return {
    ...common,
    kind: 'notary',
    ...buildServer(path, entry, builder),
    anchors: entry.anchors.map((anchor, index) =>
      buildAnchor([...path, 'anchors', index], anchor, builder),
    ),
    trustOnFirstUse: entry.trustOnFirstUse,
    rsaPkcs1v15: entry.rsaPkcs1v15,
    p224: entry.p224,
    codeSigningChains: entry.codeSigningChains,
  };
}

function buildLocation(path: ConfigPath, entry: TrustEntry, builder: ConfigBuilder): TufLocation {
  const { url: location } = entry;
  if (location.kind !== 'server') return location;
  return { kind: 'server', ...buildServer(path, entry, builder) };
}

function buildServer(
  path: ConfigPath,
  entry: TrustEntry,
  builder: ConfigBuilder,
): TrustServerConfig {
  const { url } = entry;
  return {
    // Elsewhere than on a server there is no Notary source, as the check across keys has made sure.
    url: url.kind === 'server' ? urlText(url.url) : '',
    ...builder.ca(path, entry.ca),
    ...(url.kind === 'server' ? builder.credentials(path, entry.credentials, url.url) : {}),
    realmHosts: new Set(entry.realmHosts),
    proxy: builder.environmentProxy(),
  };
}

function buildAnchor(path: ConfigPath, entry: AnchorEntry, builder: ConfigBuilder): AnchorConfig {
  return { pattern: parseNamePattern(entry.gun), belief: buildBelief(path, entry, builder) };
}

function buildBelief(path: ConfigPath, entry: AnchorEntry, builder: ConfigBuilder): RootBelief {
  if (entry.rootKeys !== undefined) return { kind: 'root-keys', keyIds: entry.rootKeys };
  if (entry.rootCertificates !== undefined) {
    return {
      kind: 'root-certificates',
      certificates: entry.rootCertificates.map((_, index) =>
        builder.fileText([...path, 'rootCertificates', index]),
      ),
    };
  }
  if (entry.ca !== undefined)
    return { kind: 'ca', certificates: builder.fileText([...path, 'ca']) };
  return { kind: 'first-use' };
}
