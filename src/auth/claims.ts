import type { JWTPayload } from 'jose';
import { isCallerName } from '../base/caller.ts';

const MAX_ENTRIES = 1000;
const MAX_NAME_LENGTH = 512;

/**
 * The repositories that the `access` claim of a token lets be pulled from, as it names them; what cannot be read lets
 * nothing.
 *
 * @source distribution: docs/content/spec/auth/jwt.md
 */
export function pullableRepositories(claims: JWTPayload): readonly string[] {
  const access = claims['access'];
  if (!Array.isArray(access)) return [];
  const names: string[] = [];
  for (const entry of access.slice(0, MAX_ENTRIES)) {
    const name = pullableName(entry);
    if (name !== undefined) names.push(name);
  }
  return names;
}

function pullableName(entry: unknown): string | undefined {
  if (typeof entry !== 'object' || entry === null) return undefined;
  const members = new Map<string, unknown>(Object.entries(entry));
  const [type, name, actions] = ['type', 'name', 'actions'].map((key) => members.get(key));
  const isPull = Array.isArray(actions) && actions.includes('pull');
  if (type !== 'repository' || typeof name !== 'string' || !isPull) return undefined;
  return name.length <= MAX_NAME_LENGTH ? name : undefined;
}

/** The text of a claim that names a caller; undefined when there is none that could. */
export function callerNameIn(claims: JWTPayload, claim: string): string | undefined {
  const name = Object.hasOwn(claims, claim) ? claims[claim] : undefined;
  if (typeof name !== 'string' || !isCallerName(name)) return undefined;
  // Whoever may write any address into an account must not become the owner of that address here.
  return claim === 'email' && claims['email_verified'] !== true ? undefined : name;
}

/** The groups in a claim that holds a list of names, or one name. */
export function groupsIn(claims: JWTPayload, claim: string | undefined): ReadonlySet<string> {
  if (claim === undefined || !Object.hasOwn(claims, claim)) return new Set();
  const value = claims[claim];
  const names: readonly unknown[] = Array.isArray(value) ? value.slice(0, MAX_ENTRIES) : [value];
  return new Set(names.filter((name) => typeof name === 'string').filter(isCallerName));
}
