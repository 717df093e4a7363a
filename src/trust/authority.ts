import { createHash } from 'node:crypto';
import type { Key } from './keys.ts';

/** The right to speak for a role: the keys, and how many distinct ones must have signed. */
export interface Authority {
  readonly role: string;
  /** The keys of the role by key ID. */
  readonly keys: ReadonlyMap<string, Key>;
  readonly threshold: number;
}

/** A name for an authority that is equal for equal role, keys and threshold. */
export function authorityFingerprint(authority: Authority): string {
  const ids = [...authority.keys.keys()].sort();
  const text = `${authority.role}\n${authority.threshold}\n${ids.join('\n')}`;
  return createHash('sha256').update(text).digest('hex');
}
