import { membersOf } from '../base/json-members.ts';
import { isRecord, type Parsed } from './values.ts';

/** What a Docker configuration file says about the login of one server. */
export type DockerLogin =
  | { readonly kind: 'password'; readonly username: string; readonly password: string }
  | { readonly kind: 'refresh-token'; readonly token: string }
  | { readonly kind: 'access-token'; readonly token: string }
  /** The program `docker-credential-<helper>` has it. */
  | { readonly kind: 'helper'; readonly helper: string }
  | { readonly kind: 'none' };

/** The members of a Docker configuration file. */
export type DockerConfig = Readonly<Record<string, unknown>>;

const HELPER_NAME = /^[A-Za-z0-9._-]{1,64}$/;
const CONTROL = /\p{Cc}/u;
const DOCKER_HUB = 'https://index.docker.io/v1/';
const DOCKER_HUB_HOSTS: ReadonlySet<string> = new Set([
  'docker.io',
  'index.docker.io',
  'registry-1.docker.io',
]);

/**
 * The name under which `docker login` files the login of a server: its host, with the port if it is not the scheme's own;
 * Docker Hub has one of its own.
 *
 * @source docker/cli: cli/config/configfile/file.go, cli/command/registry.go
 */
export function dockerServerAddress(url: URL): string {
  return DOCKER_HUB_HOSTS.has(url.host) ? DOCKER_HUB : url.host;
}

/** Says whether a text can be the name of a credential helper: what follows `docker-credential-`, never a path. */
export function isHelperName(name: string): boolean {
  return HELPER_NAME.test(name);
}

/** Reads the text of a Docker configuration file; its problems quote nothing of it. */
export function parseDockerConfig(text: string): Parsed<DockerConfig> {
  try {
    const value: unknown = JSON.parse(text);
    if (isRecord(value)) return { ok: true, value };
  } catch {
    // The parser's message would quote what may be a secret.
  }
  return {
    ok: false,
    problem: 'is not a Docker configuration in JSON',
    fix: 'name the config.json that docker login or podman login has written',
  };
}

/**
 * The login that a Docker configuration has for a server, found as Docker finds it: a helper of the server's own, else the
 * store of all logins, else the file's entry under the exact address, else an entry whose host is the address.
 *
 * @param server - as `dockerServerAddress` gives it
 * @source docker/cli: cli/config/configfile/file.go, cli/config/credentials/file_store.go
 */
export function findDockerLogin(config: DockerConfig, server: string): DockerLogin {
  const named = membersOf(config['credHelpers']).get(server);
  // An empty name stands for the file itself, whatever the store of all others is.
  const helper = typeof named === 'string' ? named : config['credsStore'];
  if (typeof helper === 'string' && helper !== '') {
    return isHelperName(helper) ? { kind: 'helper', helper } : { kind: 'none' };
  }
  const auths = membersOf(config['auths']);
  const entry =
    auths.get(server) ?? [...auths].find(([address]) => hostOf(address) === server)?.[1];
  return isRecord(entry) ? loginOf(entry) : { kind: 'none' };
}

/** What tells whom Docker would log in as, in its order: identity token, registry token, user name and password. */
function loginOf(entry: Readonly<Record<string, unknown>>): DockerLogin {
  const identity = text(entry['identitytoken']);
  if (identity !== undefined) return { kind: 'refresh-token', token: identity };
  const registry = text(entry['registrytoken']);
  if (registry !== undefined) return { kind: 'access-token', token: registry };
  const encoded = text(entry['auth']);
  const pair =
    encoded === undefined
      ? [text(entry['username']), text(entry['password'])]
      : splitPair(Buffer.from(encoded, 'base64').toString('utf8'));
  const [username, password] = pair;
  return username === undefined || password === undefined
    ? { kind: 'none' }
    : { kind: 'password', username, password };
}

function splitPair(pair: string): readonly (string | undefined)[] {
  const colon = pair.indexOf(':');
  if (colon < 1) return [];
  // Docker pads short passwords with zero bytes.
  return [pair.slice(0, colon), text(pair.slice(colon + 1).replaceAll('\0', ''))];
}

/** An address of the old form `https://host/v1/` names its host. */
function hostOf(address: string): string {
  return address.replace(/^https?:\/\//, '').split('/', 1)[0] ?? '';
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' && !CONTROL.test(value) ? value : undefined;
}
