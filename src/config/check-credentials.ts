import { dockerServerAddress, findDockerLogin, parseDockerConfig } from './docker-config.ts';
import type { Environment } from './env.ts';
import type { Findings } from './findings.ts';
import type { NamedFiles } from './named-files.ts';
import { type ConfigPath, formatPath } from './path.ts';
import { CREDENTIAL_FORMS, needsUsername } from './schema-credentials.ts';
import type { TolerantReader } from './tolerant.ts';
import { parseServerUrl } from './values.ts';

/** Every place of a configuration that a login can stand at: what it is for, which has a `url` beside it. */
export function credentialOwners(config: TolerantReader): readonly ConfigPath[] {
  return [
    ...config.names('upstreams').flatMap((host) => {
      const path = ['upstreams', host];
      const count = config.count(...path, 'fallbacks');
      const fallbacks = Array.from({ length: count }, (_, index) => [...path, 'fallbacks', index]);
      return [path, ...fallbacks];
    }),
    ...config.names('trust').map((name) => ['trust', name]),
    ...config.names('collections').flatMap((name) => {
      const path = ['collections', name, 'publish'];
      return Array.from({ length: config.count(...path) }, (_, index) => [...path, index]);
    }),
  ];
}

/** Checks that each login says in exactly one way where its secret is, and that variables are set. */
export function checkCredentials(
  config: TolerantReader,
  env: Environment | undefined,
  findings: Findings,
): void {
  for (const owner of credentialOwners(config)) {
    const path = [...owner, 'credentials'];
    if (!config.has(...path)) continue;
    checkForm(config, path, findings);
    const variable = config.text(...path, 'passwordEnv');
    if (env === undefined || variable === undefined || (env[variable] ?? '') !== '') continue;
    findings.problem(
      [...path, 'passwordEnv'],
      `the environment variable ${variable} is not set`,
      'set it in the environment of the service',
    );
  }
}

/** Checks that each Docker configuration named for a server has a login for it. */
export function checkDockerLogins(
  config: TolerantReader,
  files: NamedFiles,
  findings: Findings,
): void {
  for (const owner of credentialOwners(config)) {
    const path = [...owner, 'credentials', 'dockerConfig'];
    const text = files.get(formatPath(path));
    const url = parseServerUrl(config.text(...owner, 'url') ?? '');
    const docker = text === undefined ? undefined : parseDockerConfig(text);
    if (docker?.ok !== true || !url.ok) continue;
    const server = dockerServerAddress(url.value);
    if (findDockerLogin(docker.value, server).kind !== 'none') continue;
    findings.problem(
      path,
      `the file ${config.text(...path)} has no login for ${server}`,
      `run docker login ${server} with it, or remove credentials to ask anonymously`,
    );
  }
}

function checkForm(config: TolerantReader, path: ConfigPath, findings: Findings): void {
  const forms = CREDENTIAL_FORMS.filter((form) => config.has(...path, form));
  const [form] = forms;
  if (form === undefined) {
    findings.problem(
      path,
      'says nowhere where the password is',
      'add passwordFile: (a file that holds it), or one of passwordEnv, dockerConfig, helper, tokenFile, refreshTokenFile',
    );
    return;
  }
  if (forms.length > 1) {
    findings.problem(path, `has ${forms.join(' and ')}`, 'keep one of them');
    return;
  }
  const hasName = config.has(...path, 'username');
  if (needsUsername(form) && !hasName) {
    findings.problem([...path, 'username'], 'is missing', `add it: ${form} is a password only`);
  } else if (!needsUsername(form) && hasName) {
    findings.problem([...path, 'username'], `has no meaning beside ${form}`, 'remove it');
  }
}
