import { isDeepStrictEqual } from 'node:util';
import type { Config } from './config.ts';
import type { TrustSourceConfig } from './connection.ts';

/**
 * Tells of a trust source whether all that decides what is believed of it is the same in two configurations: where its metadata
 * comes from, where trust begins, what is accepted and for how long. Who Pinnace logs in as there has no part in that.
 */
export function sameSources(before: Config, after: Config): (name: string) => boolean {
  const same = [...after.trust.values()].filter((source) => {
    const earlier = before.trust.get(source.name);
    return earlier !== undefined && isDeepStrictEqual(withoutLogin(earlier), withoutLogin(source));
  });
  const names = new Set(same.filter(hasOwnPlace).map(({ name }) => name));
  return (name) => names.has(name);
}

/** Whether the source itself says where its metadata is; an artifact is wherever its upstream is. */
function hasOwnPlace(source: TrustSourceConfig): boolean {
  return source.kind === 'notary' || source.location.kind !== 'artifact';
}

/** Logins are functions that read them, new ones in each configuration. */
function withoutLogin(source: TrustSourceConfig): object {
  if (source.kind === 'notary') return { ...source, credentials: undefined };
  const { location } = source;
  return location.kind === 'server'
    ? { ...source, location: { ...location, credentials: undefined } }
    : source;
}
