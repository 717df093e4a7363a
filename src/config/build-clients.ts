import { parseKeySet } from '../auth/key-set.ts';
import { type ConfigBuilder, urlText } from './build.ts';
import type {
  ClientsConfig,
  TokenCheckConfig,
  TokenKeysConfig,
  TokenLoginConfig,
} from './clients-config.ts';
import { parseHtpasswd } from './htpasswd.ts';
import type { ConfigPath } from './path.ts';
import type { ClientsEntry, TokenCheckEntry } from './schema-clients.ts';

/** Puts together an entry of `clients` that has passed every check. */
export function buildClients(
  name: string,
  entry: ClientsEntry,
  builder: ConfigBuilder,
): ClientsConfig {
  const path = ['clients', name];
  const { kind, service = '', realm } = entry;
  switch (kind) {
    case 'basic':
      return { kind, name, users: usersIn(path, builder) };
    case 'mtls': {
      const clientCa = builder.fileText([...path, 'clientCa']);
      return { kind, name, clientCa, nameFrom: entry.nameFrom };
    }
    case 'token': {
      const named = { issuer: entry.issuer ?? '', audience: entry.audience ?? service };
      const check = { ...named, ...buildCheck(path, entry, builder) };
      return { kind, name, service, realm: realm?.href ?? '', check };
    }
    case 'token-endpoint':
      return {
        ...{ kind, name, service, lifetimeMs: entry.lifetime },
        login: buildLogin(path, entry, builder),
        ...(realm === undefined ? {} : { realm: realm.href }),
        ...(entry.refreshLifetime === undefined
          ? {}
          : { refreshLifetimeMs: entry.refreshLifetime }),
      };
  }
}

/** A file that was not read, or is not good, has been said elsewhere. */
function usersIn(path: ConfigPath, builder: ConfigBuilder): ReadonlyMap<string, string> {
  const users = parseHtpasswd(builder.fileText([...path, 'htpasswd']));
  return users.ok ? users.value : new Map<string, string>();
}

function buildLogin(
  path: ConfigPath,
  { oidc }: ClientsEntry,
  builder: ConfigBuilder,
): TokenLoginConfig {
  if (oidc === undefined) return { kind: 'htpasswd', users: usersIn(path, builder) };
  const { issuer, audience, usernameClaim, groupsClaim } = oidc;
  return {
    kind: 'oidc',
    check: { issuer, audience, ...buildCheck([...path, 'oidc'], oidc, builder) },
    usernameClaim,
    ...(groupsClaim === undefined ? {} : { groupsClaim }),
  };
}

function buildCheck(
  path: ConfigPath,
  entry: TokenCheckEntry,
  builder: ConfigBuilder,
): Omit<TokenCheckConfig, 'issuer' | 'audience'> {
  const { algorithms, clockSkew, jwksUrl } = entry;
  return {
    algorithms,
    clockSkewMs: clockSkew,
    keys: buildKeys(path, { jwksUrl, ca: entry.ca }, builder),
  };
}

function buildKeys(
  path: ConfigPath,
  { jwksUrl, ca }: { readonly jwksUrl: URL | undefined; readonly ca: string | undefined },
  builder: ConfigBuilder,
): TokenKeysConfig {
  if (jwksUrl === undefined) {
    const parsed = parseKeySet(builder.fileText([...path, 'jwks']));
    return { kind: 'known', keys: parsed.ok ? parsed.value : { keys: [] } };
  }
  const proxy = builder.environmentProxy();
  return { kind: 'server', url: urlText(jwksUrl), proxy, ...builder.ca(path, ca) };
}
