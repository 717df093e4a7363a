import { resolve } from 'node:path';
import type { Credentials } from './connection.ts';
import { dockerServerAddress, findDockerLogin, parseDockerConfig } from './docker-config.ts';
import { type Environment, helperEnvironment } from './env.ts';
import { ConfigError } from './errors.ts';
import { MAX_NAMED_FILE_BYTES, parsePassword, parseToken } from './named-files.ts';
import { type ConfigPath, formatPath } from './path.ts';
import { type ReadFile, readLimited } from './read-file.ts';
import type { CredentialsEntry } from './schema-credentials.ts';
import type { Parsed } from './values.ts';

/** What a login is completed from. */
export interface CredentialsContext {
  /** Where the login stands in the configuration. */
  readonly path: ConfigPath;
  /** The server it is for. */
  readonly url: URL;
  /** Folder that relative names start at. */
  readonly folder: string;
  readonly env: Environment;
  readonly read: ReadFile;
}

/** Puts together a login whose entry has passed every check. */
export function buildCredentials(
  entry: CredentialsEntry,
  context: CredentialsContext,
): Credentials {
  const { username = '', passwordEnv, dockerConfig, helper, tokenFile, refreshTokenFile } = entry;
  if (helper !== undefined) {
    return { kind: 'helper', helper, helperEnvironment: () => helperEnvironment(context.env) };
  }
  if (dockerConfig !== undefined) {
    const server = dockerServerAddress(context.url);
    const config = readNow('dockerConfig', dockerConfig, parseDockerConfig, context);
    return {
      kind: 'docker-config',
      login: async () => findDockerLogin(await config(), server),
      helperEnvironment: () => helperEnvironment(context.env),
    };
  }
  if (tokenFile !== undefined) {
    const token = readNow('tokenFile', tokenFile, parseToken, context);
    return { kind: 'access-token', token };
  }
  if (refreshTokenFile !== undefined) {
    const token = readNow('refreshTokenFile', refreshTokenFile, parseToken, context);
    return { kind: 'refresh-token', token };
  }
  if (passwordEnv !== undefined) {
    const password = context.env[passwordEnv] ?? '';
    return { kind: 'password', username, password: async () => password };
  }
  const password = readNow('passwordFile', entry.passwordFile ?? '', parsePassword, context);
  return { kind: 'password', username, password };
}

function readNow<Value>(
  key: keyof CredentialsEntry,
  name: string,
  parse: (text: string) => Parsed<Value>,
  context: CredentialsContext,
): () => Promise<Value> {
  return fileReadAnew({ path: [...context.path, key], name }, parse, context);
}

/**
 * Reads the file that is named at a path of the configuration, anew at every call.
 *
 * @throws {ConfigError} `config_invalid`, at the call, without quoting what is in it
 */
export function fileReadAnew<Value>(
  { path, name }: { readonly path: ConfigPath; readonly name: string },
  parse: (text: string) => Parsed<Value>,
  { folder, read }: Pick<CredentialsContext, 'folder' | 'read'>,
): () => Promise<Value> {
  const file = resolve(folder, name);
  const refuse = (problem: string): never => {
    const at = formatPath(path);
    throw new ConfigError(file, [{ path: at, problem: `the file ${file} ${problem}` }]);
  };
  return async () => {
    const content = await readLimited(read, file, MAX_NAMED_FILE_BYTES);
    if (!content.ok) return refuse(content.problem);
    const parsed = parse(new TextDecoder().decode(content.bytes));
    return parsed.ok ? parsed.value : refuse(parsed.problem);
  };
}
