/** Environment variables by name. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** The proxies that the environment asks for, as curl and the engines read them. */
export interface ProxyEnvironment {
  /** `http_proxy` or `HTTP_PROXY`. */
  readonly httpProxy?: string;
  /** `https_proxy` or `HTTPS_PROXY`. */
  readonly httpsProxy?: string;
  /** `no_proxy` or `NO_PROXY`: hosts that are reached directly. */
  readonly noProxy?: string;
}

/** The environment of this process. This is the only place that reads it. */
export function processEnvironment(): Environment {
  return process.env;
}

/** Picks the proxy settings from the environment; the lower-case name wins, an empty value counts as unset. */
export function proxyEnvironment(env: Environment): ProxyEnvironment {
  const httpProxy = firstSet(env['http_proxy'], env['HTTP_PROXY']);
  const httpsProxy = firstSet(env['https_proxy'], env['HTTPS_PROXY']);
  const noProxy = firstSet(env['no_proxy'], env['NO_PROXY']);
  return {
    ...(httpProxy === undefined ? {} : { httpProxy }),
    ...(httpsProxy === undefined ? {} : { httpsProxy }),
    ...(noProxy === undefined ? {} : { noProxy }),
  };
}

/** The environment of credential helpers: what they need to find the account they speak for, and nothing else. */
export type HelperEnvironment = Readonly<Record<string, string>>;

const HELPER_VARIABLES: ReadonlySet<string> = new Set([
  ...['PATH', 'HOME', 'USER', 'LOGNAME', 'TMPDIR', 'LANG', 'LC_ALL', 'DOCKER_CONFIG'],
  ...['XDG_CONFIG_HOME', 'XDG_CACHE_HOME', 'XDG_RUNTIME_DIR', 'DBUS_SESSION_BUS_ADDRESS'],
  ...['GNUPGHOME', 'PASSWORD_STORE_DIR', 'SSL_CERT_FILE', 'SSL_CERT_DIR'],
  ...['HTTP_PROXY', 'HTTPS_PROXY', 'NO_PROXY', 'http_proxy', 'https_proxy', 'no_proxy'],
]);
const HELPER_PREFIXES: readonly string[] = [
  ...['AWS_', 'GOOGLE_', 'GCE_', 'CLOUDSDK_', 'AZURE_', 'MSI_', 'IDENTITY_'],
];

/** Picks what credential helpers are given of the environment. */
export function helperEnvironment(env: Environment): HelperEnvironment {
  const picked: Record<string, string> = {};
  for (const [name, value] of Object.entries(env)) {
    const isPicked =
      HELPER_VARIABLES.has(name) || HELPER_PREFIXES.some((prefix) => name.startsWith(prefix));
    if (isPicked && value !== undefined) picked[name] = value;
  }
  return picked;
}

function firstSet(...values: readonly (string | undefined)[]): string | undefined {
  return values.find((value) => value !== undefined && value !== '');
}
