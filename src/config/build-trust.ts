import { parseNamePattern } from '../policy/name-pattern.ts';
import { type ConfigBuilder, urlText } from './build.ts';
import type { AnchorConfig, RootBelief, TrustSourceConfig } from './connection.ts';
import type { ConfigPath } from './path.ts';
import type { AnchorEntry, TrustEntry } from './schema-trust.ts';

/** Puts together a trust source whose entry has passed every check. */
export function buildTrustSource(
  name: string,
  entry: TrustEntry,
  builder: ConfigBuilder,
): TrustSourceConfig {
  const path = ['trust', name];
  return {
    name,
    kind: entry.kind,
    url: urlText(entry.url),
    ...builder.ca(path, entry.ca),
    ...builder.credentials(path, entry.credentials),
    realmHosts: new Set(entry.realmHosts),
    proxy: builder.environmentProxy(),
    anchors: entry.anchors.map((anchor, index) =>
      buildAnchor([...path, 'anchors', index], anchor, builder),
    ),
    trustOnFirstUse: entry.trustOnFirstUse,
    maxAgeMs: entry.maxAge,
    outageGraceMs: entry.outageGrace,
    clockSkewMs: entry.clockSkew,
    rsaPkcs1v15: entry.rsaPkcs1v15,
    p224: entry.p224,
    codeSigningChains: entry.codeSigningChains,
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
