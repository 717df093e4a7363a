import type { ChallengeFor } from './gate.ts';

/**
 * The value of `WWW-Authenticate` that sends an engine to a token service.
 *
 * @param realm - URL of the token service
 * @source RFC 6750 §3, distribution: docs/content/spec/auth/token.md
 */
export function bearerChallenge(
  realm: string,
  service: string,
  { scope, error }: Pick<ChallengeFor, 'scope' | 'error'>,
): string {
  const parts = [`Bearer realm=${quoted(realm)}`, `service=${quoted(service)}`];
  if (scope !== undefined) parts.push(`scope=${quoted(scope)}`);
  if (error !== undefined) parts.push(`error=${quoted(error)}`);
  return parts.join(',');
}

function quoted(text: string): string {
  return `"${text.replaceAll(/["\\]/g, '\\$&')}"`;
}
