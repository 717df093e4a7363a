import type { NamePattern } from '../policy/name-pattern.ts';
import { urlAt } from './check-network.ts';
import type { Findings } from './findings.ts';
import type { ConfigPath } from './path.ts';
import { patternOf, patternsMeet } from './patterns.ts';
import { ANCHOR_FORMS } from './schema-trust.ts';
import type { TolerantReader } from './tolerant.ts';
import { isLoopback } from './values.ts';

/** Checks each trust source: its URL, and that every anchor says one thing about collections of its own. */
export function checkTrustSources(config: TolerantReader, findings: Findings): void {
  for (const name of config.names('trust')) {
    checkTrustUrl(config, ['trust', name, 'url'], findings);
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

function checkTrustUrl(config: TolerantReader, path: ConfigPath, findings: Findings): void {
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
  if (config.isTrue('trust', source, 'trustOnFirstUse')) return true;
  const count = config.count('trust', source, 'anchors');
  for (let index = 0; index < count; index += 1) {
    const anchor = patternOf(config.text('trust', source, 'anchors', index, 'gun'));
    // A pattern that cannot be read is a problem already; nothing is to be concluded from it.
    if (anchor === undefined || patternsMeet(anchor, pattern)) return true;
  }
  return false;
}
