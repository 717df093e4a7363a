import { urlAt } from './check-network.ts';
import type { Findings } from './findings.ts';
import type { ConfigPath } from './path.ts';
import type { TolerantReader } from './tolerant.ts';
import { isLoopback } from './values.ts';

/** Checks what an entry of `clients` says about tokens: where their keys are, who gives them out, and that nothing travels in clear. */
export function checkTokenSettings(
  config: TolerantReader,
  path: ConfigPath,
  findings: Findings,
): void {
  const kind = config.text(...path, 'kind');
  if (kind === 'token') checkKeys(config, path, findings);
  if (kind !== 'token' && kind !== 'token-endpoint') return;
  requireTls(config, [...path, 'realm'], findings, 'engines would send passwords there in clear');
  if (kind !== 'token-endpoint') return;
  const hasUsers = config.has(...path, 'htpasswd');
  const hasOidc = config.has(...path, 'oidc');
  if (hasUsers === hasOidc) {
    findings.problem(
      path,
      hasUsers ? 'has both htpasswd and oidc' : 'says nowhere who may have a token',
      'write htpasswd: (a file with users) or oidc: (a provider of ID tokens)',
    );
  }
  if (hasOidc) checkKeys(config, [...path, 'oidc'], findings);
}

function checkKeys(config: TolerantReader, path: ConfigPath, findings: Findings): void {
  const hasFile = config.has(...path, 'jwks');
  const hasUrl = config.has(...path, 'jwksUrl');
  if (hasFile === hasUrl) {
    findings.problem(
      path,
      hasFile ? 'has both jwks and jwksUrl' : 'says nowhere which keys tokens are signed with',
      'write jwks: (a file) or jwksUrl: (a URL)',
    );
  }
  if (!hasUrl && config.has(...path, 'ca')) {
    findings.problem([...path, 'ca'], 'is for jwksUrl only', 'remove it');
  }
  const harm = 'whoever is on the way could put own keys there';
  requireTls(config, [...path, 'jwksUrl'], findings, harm);
}

function requireTls(
  config: TolerantReader,
  path: ConfigPath,
  findings: Findings,
  harm: string,
): void {
  const url = urlAt(config, path);
  if (url === undefined || url.protocol === 'https:' || isLoopback(url.hostname)) return;
  findings.problem(path, `is plain http: ${harm}`, 'write https://');
}
