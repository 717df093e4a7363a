import type { NamePattern } from '../policy/name-pattern.ts';
import { urlAt } from './check-network.ts';
import type { Findings } from './findings.ts';
import { nearestName } from './nearest-name.ts';
import type { ConfigPath } from './path.ts';
import { patternOf, patternsMeet } from './patterns.ts';
import { ANCHOR_FORMS, FOREIGN_KEYS } from './schema-trust.ts';
import type { TolerantReader } from './tolerant.ts';
import { parseTrustUrl, type TrustLocation } from './trust-url.ts';
import { isLoopback } from './values.ts';

/** Checks each trust source: its URL, its keys, and that every anchor says one thing about collections of its own. */
export function checkTrustSources(config: TolerantReader, findings: Findings): void {
  for (const name of config.names('trust')) {
    const kind = config.text('trust', name, 'kind');
    if (kind === 'tuf') checkTufSource(config, name, findings);
    if (kind === 'notary') checkNotarySource(config, name, findings);
    checkPlainHttp(config, ['trust', name, 'url'], findings);
    const seen = new Set<string>();
    for (let index = 0; index < config.count('trust', name, 'anchors'); index += 1) {
      const path = ['trust', name, 'anchors', index];
      checkAnchorForm(config, path, findings);
      const pattern = patternOf(config.text(...path, 'gun'));
      if (pattern === undefined) continue;
      if (seen.has(pattern.text)) {
        findings.problem(
          [...path, 'gun'],
          `a second anchor for ${pattern.text}`,
          'put both into one anchor, or make one pattern more specific',
        );
      }
      seen.add(pattern.text);
    }
  }
}

function checkNotarySource(config: TolerantReader, name: string, findings: Findings): void {
  const path = ['trust', name];
  const location = locationAt(config, [...path, 'url']);
  if (location !== undefined && location.kind !== 'server') {
    findings.problem(
      [...path, 'url'],
      'is no server, which a source of kind notary needs',
      'write https:// and the server, or kind: tuf',
    );
  }
  checkForeignKeys(config, { path, kind: 'notary' }, findings);
}

function checkTufSource(config: TolerantReader, name: string, findings: Findings): void {
  const path = ['trust', name];
  checkForeignKeys(config, { path, kind: 'tuf' }, findings);
  if (!config.has(...path, 'root')) {
    findings.problem(
      [...path, 'root'],
      'is missing: trust in a TUF repository begins with a root that you have',
      'add root: and the name of the root.json that its owner gave you',
    );
  }
  const location = locationAt(config, [...path, 'url']);
  if (location === undefined || location.kind === 'server') return;
  for (const key of ['ca', 'credentials', 'realmHosts']) {
    if (!config.has(...path, key)) continue;
    const fix = location.kind === 'artifact' ? 'the upstream has its own; remove it' : 'remove it';
    findings.problem([...path, key], 'is for sources with an https URL only', fix);
  }
  if (location.kind === 'artifact') checkArtifact(config, { path, location }, findings);
}

/** Requires the registry of an artifact to be among the upstreams; `source.path` is that of the block with its `url`. */
export function checkArtifact(
  config: TolerantReader,
  source: {
    readonly path: ConfigPath;
    readonly location: Extract<TrustLocation, { kind: 'artifact' }>;
  },
  findings: Findings,
): void {
  const { registry } = source.location.repository;
  const upstreams = config.names('upstreams');
  if (upstreams.includes(registry)) return;
  const meant = nearestName(registry, upstreams);
  findings.problem(
    [...source.path, 'url'],
    `is in ${registry}, which is not among the upstreams`,
    meant === undefined ? `add ${registry} under upstreams` : `did you mean ${meant}?`,
  );
}

function checkForeignKeys(
  config: TolerantReader,
  source: { readonly path: ConfigPath; readonly kind: 'notary' | 'tuf' },
  findings: Findings,
): void {
  const other = source.kind === 'tuf' ? 'notary' : 'tuf';
  for (const key of FOREIGN_KEYS[source.kind]) {
    if (!config.has(...source.path, key)) continue;
    findings.problem(
      [...source.path, key],
      `belongs to sources of kind ${other}; this one is of kind ${source.kind}`,
      'remove it',
    );
  }
}

/** Where the metadata is, or undefined where that cannot be read. */
export function locationAt(config: TolerantReader, path: ConfigPath): TrustLocation | undefined {
  const text = config.text(...path);
  const location = text === undefined ? undefined : parseTrustUrl(text);
  return location?.ok === true ? location.value : undefined;
}

/** Refuses plain http on the way to anywhere but this machine. */
export function checkPlainHttp(config: TolerantReader, path: ConfigPath, findings: Findings): void {
  const url = urlAt(config, path);
  if (url === undefined || url.protocol === 'https:') return;
  if (isLoopback(url.hostname)) {
    findings.warning(path, 'is plain http, which is allowed on this machine only');
    return;
  }
  findings.problem(
    path,
    'is plain http: whoever is on the way could hold back new versions',
    'write https://',
  );
}

function checkAnchorForm(config: TolerantReader, path: ConfigPath, findings: Findings): void {
  if (config.names(...path).length === 0) return;
  const forms = ANCHOR_FORMS.filter((form) => config.has(...path, form));
  if (forms.length === 1) return;
  findings.problem(
    path,
    forms.length === 0 ? 'says of no root key that it is believed' : `has ${forms.join(' and ')}`,
    `write exactly one of ${ANCHOR_FORMS.join(', ')}`,
  );
}

/** Says whether a trust source believes any root at all for some repository that `pattern` covers. */
export function mayBelieve(config: TolerantReader, source: string, pattern: NamePattern): boolean {
  if (config.text('trust', source, 'kind') === 'tuf') return true;
  if (config.isTrue('trust', source, 'trustOnFirstUse')) return true;
  const count = config.count('trust', source, 'anchors');
  for (let index = 0; index < count; index += 1) {
    const anchor = patternOf(config.text('trust', source, 'anchors', index, 'gun'));
    // A pattern that cannot be read is a problem already; nothing is to be concluded from it.
    if (anchor === undefined || patternsMeet(anchor, pattern)) return true;
  }
  return false;
}
